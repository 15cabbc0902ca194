"""Low-rank adapters: put into a model, switched off for the reference, kept apart for engines, merged for checkpoints.

The adapters sit inside the model's own layers, so the model keeps its class, and everything that runs it works as before.

An update is small against the weights it is added to: bfloat16 has 8 bits for both, and the sum in it loses most of the update. So merging
is done in float32 only; where products are in bfloat16, weights and adapters stay apart.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load_file, save_file
from transformers import PreTrainedModel

from rl_core.config.model import Lora
from rl_core.config.rl import RlConfig
from rl_core.errors import InputError
from rl_core.model.precision import dtype_of
from rl_core.model.pretrained import load_model

if TYPE_CHECKING:
    from peft import LoraConfig

ADAPTER = "adapter"  # directory within a checkpoint, in peft's own layout
_CONFIG, _WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
_NAME = "default"


def kept_apart(config: RlConfig) -> Lora | None:
    """The adapters of a recipe whose engines get weights and adapters apart."""
    return config.lora if dtype_of(config.precision) == torch.bfloat16 else None


def is_adapter(name: str) -> bool:
    """Whether a weight of that name belongs to an adapter."""
    return ".lora_" in name


def adapters_of(checkpoint: str) -> Lora | None:
    """The adapters that a checkpoint's weights were merged from, if they were."""
    path = Path(checkpoint) / ADAPTER / _CONFIG
    if not path.is_file():
        return None
    saved = json.loads(path.read_text())
    targets = saved["target_modules"]
    return Lora(rank=saved["r"], alpha=saved["lora_alpha"], targets=None if isinstance(targets, str) else sorted(targets))


def adapters_to_run(checkpoint: str, dtype: torch.dtype) -> Lora | None:
    """Those that an engine must keep apart from the checkpoint's weights to run it in `dtype`."""
    return adapters_of(checkpoint) if dtype == torch.bfloat16 else None


def load_with_adapters(checkpoint: str, *, dtype: torch.dtype, fused: str = "sdpa") -> PreTrainedModel:
    """`load_model` of a checkpoint that may have adapters: in bfloat16 they stay apart from the weights they were added to."""
    settings = adapters_to_run(checkpoint, dtype)
    return in_format(_take_apart(checkpoint, settings, fused), dtype) if settings else load_model(checkpoint, dtype=dtype, fused=fused)


def load_to_adapt(checkpoint: str, settings: Lora, *, dtype: torch.dtype, seed: int) -> PreTrainedModel:
    """A model in `dtype` with float32 adapters to train: new ones, or those that the checkpoint has already.

    Raises InputError if the checkpoint's adapters have another form, or no layer has one of the names in `targets`.
    """
    before = adapters_of(checkpoint)
    if before is None:
        model = load_model(checkpoint, dtype=dtype)
        add_adapters(model, settings, seed)
        return model
    wanted = Lora(rank=settings.rank, alpha=settings.alpha or settings.rank, targets=settings.targets and sorted(settings.targets))
    if wanted != before:
        form = f"{{rank: {before.rank}, alpha: {before.alpha}" + (f", targets: [{', '.join(before.targets)}]}}" if before.targets else "}")
        raise InputError(f"{checkpoint} has adapters of its own, which this stage goes on with: set lora: {form}, as in the stage before")
    return in_format(_take_apart(checkpoint, before), dtype, lambda name: not is_adapter(name))


def _take_apart(checkpoint: str, settings: Lora, fused: str = "sdpa") -> PreTrainedModel:
    """Weights without the adapters that were merged into them, and the adapters, in float32."""
    from peft.tuners.lora import LoraLayer

    model = load_model(checkpoint, dtype=torch.float32, fused=fused)
    add_adapters(model, settings, seed=0)
    load_adapters(Path(checkpoint), model)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, LoraLayer):
                layer: Any = module
                layer.base_layer.weight -= layer.get_delta_weight(_NAME)
    return model


def in_format(model: PreTrainedModel, dtype: torch.dtype, wanted: Callable[[str], bool] = lambda _: True) -> PreTrainedModel:
    """The model with its wanted parameters in `dtype`; buffers, the angles of positions among them, stay what they are."""
    for name, parameter in model.named_parameters():
        if wanted(name):
            parameter.data = parameter.data.to(dtype)
    return model


def add_adapters(model: PreTrainedModel, settings: Lora, seed: int) -> None:
    """Freeze the model and put float32 adapters in, which change nothing yet: B is zero, A drawn from `seed`.

    Raises:
        InputError: no layer has one of the names in `targets`.
    """
    from peft import inject_adapter_in_model

    torch.manual_seed(seed)
    try:
        inject_adapter_in_model(_config(settings), model, adapter_name=_NAME)
    except ValueError as error:
        layers = sorted({name.rpartition(".")[2] for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)})
        raise InputError(
            f"lora.targets: {settings.targets} fits no layer of the model; its linear layers are {', '.join(layers)}"
        ) from error
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()


def _config(settings: Lora) -> LoraConfig:
    from peft import LoraConfig

    return LoraConfig(r=settings.rank, lora_alpha=settings.alpha or settings.rank, target_modules=settings.targets or "all-linear")


@contextmanager
def without_adapters(model: PreTrainedModel) -> Iterator[None]:
    """Within it the model is the one that the adapters were put into."""
    from peft.tuners.lora import LoraLayer

    layers = [module for module in model.modules() if isinstance(module, LoraLayer)]
    for layer in layers:
        layer.enable_adapters(False)
    try:
        yield
    finally:
        for layer in layers:
            layer.enable_adapters(True)


def merged(weights: Iterable[tuple[str, torch.Tensor]], settings: Lora) -> Iterator[tuple[str, torch.Tensor]]:
    """The state dict of a plain model, float32: each adapted W (out, in) becomes W + alpha / rank * B A (arXiv 2106.09685, eq. 3).

    A layer's adapters follow its own weights, so that no more than one layer is held at a time.
    """
    scale = (settings.alpha or settings.rank) / settings.rank
    adapted: dict[str, torch.Tensor] = {}  # W and A of the layer that is gone through
    for name, tensor in weights:
        tensor = tensor.float()
        layer, of_adapter, part = name.partition(".lora_")
        if of_adapter and part.startswith("B"):  # (out, rank)
            yield f"{layer}.weight", adapted["W"] + scale * (tensor @ adapted["A"])
        elif of_adapter:
            adapted["A"] = tensor  # (rank, in)
        elif name.endswith(".base_layer.weight"):
            adapted["W"] = tensor
        else:
            yield name.replace(".base_layer.", "."), tensor


def save_adapters(directory: Path, weights: Mapping[str, torch.Tensor], settings: Lora, start: str) -> Path:
    """Write what peft loads: the adapters alone and the name of the model they belong to; returns the directory of it.

    That model is `start`, or the one under the adapters that `start` has itself.
    """
    config = _config(settings)
    before = Path(start) / ADAPTER / _CONFIG
    config.base_model_name_or_path = json.loads(before.read_text())["base_model_name_or_path"] if before.is_file() else start
    config.inference_mode = True
    config.save_pretrained(str(directory / ADAPTER))
    adapters = {
        f"base_model.model.{name.replace(f'.{_NAME}.', '.')}": tensor.contiguous() for name, tensor in weights.items() if is_adapter(name)
    }
    save_file(adapters, directory / ADAPTER / _WEIGHTS)
    return directory / ADAPTER


def load_adapters(directory: Path, model: PreTrainedModel) -> None:
    """Replace the adapters by those of a checkpoint."""
    from peft import set_peft_model_state_dict

    saved = load_file(directory / ADAPTER / _WEIGHTS)
    set_peft_model_state_dict(model, {name.removeprefix("base_model.model."): tensor for name, tensor in saved.items()}, _NAME)
