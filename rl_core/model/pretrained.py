"""Loading of models and tokenizers, with errors that say what is missing. Never runs code from a checkpoint."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rl_core.addresses import holds_secret
from rl_core.errors import InputError, first_line

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedConfig, PreTrainedModel


class ModelError(InputError):
    """A model cannot be loaded; the message names it and the remedy."""


# What a model is, in its directory: weights, configuration, tokenizer.
MODEL_FILES = ("*.safetensors", "config.json", "generation_config.json", "tokenizer*", "*.jinja", "vocab.json", "merges.txt")
ATTENTION_LAYERS = {"full_attention", "sliding_attention", "chunked_attention"}  # whose past is the keys and values of tokens
NEEDED = {"config.json": ["config.json"], "weights": ["*.safetensors"], "tokenizer": ["tokenizer.json", "tokenizer.model"]}


def check_model(name: str) -> None:
    """Fail early where a local model directory is incomplete. A hub id passes: only the hub knows.

    Raises:
        ModelError: the directory has no config, weights or tokenizer, or its architecture is code of its own; or the name is an address.
    """
    path = Path(name)
    if not path.is_dir() and ("://" in name or holds_secret(name)):  # which must not be shown
        raise ModelError("an address cannot be loaded; give a hub id or a local directory")
    if not path.is_dir():
        if path.is_absolute() or name.startswith("."):
            raise ModelError(f"{name}: no such model directory")
        return
    for what, patterns in NEEDED.items():
        if not any(next(path.glob(pattern), None) for pattern in patterns):
            raise ModelError(f"{name}: no {what} ({' or '.join(patterns)}); give a complete Hugging Face directory or a hub id")
    _refuse_own_code(path)


def _refuse_own_code(directory: Path) -> None:
    try:
        config = json.loads((directory / "config.json").read_text())
    except ValueError as error:
        raise ModelError(f"{directory / 'config.json'}: no JSON ({error}); give a complete Hugging Face directory or a hub id") from error
    if "auto_map" not in config:
        return
    from transformers import CONFIG_MAPPING

    if config.get("model_type") not in CONFIG_MAPPING:  # otherwise transformers' own code stands in for what the directory brings
        raise ModelError(
            f"{directory}: the architecture {config.get('model_type')!r} is Python code in the model's directory, and code from "
            "checkpoints is never run; give a model of an architecture that transformers has"
        )


def device() -> str:
    """Where models run in this process: the GPU it sees, else the CPU."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def load_tokenizer(name: str) -> Any:
    from transformers import AutoTokenizer

    check_model(name)
    try:
        tokenizer = AutoTokenizer.from_pretrained(name, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise ModelError(_explain(name, error)) from error
    for how_it_was_loaded in ("is_local", "local_files_only"):  # would be written with it: a resumed run's checkpoint was another one
        tokenizer.init_kwargs.pop(how_it_was_loaded, None)
    return tokenizer


def load_config(name: str, **changes: Any) -> PreTrainedConfig:
    from transformers import AutoConfig

    check_model(name)
    try:
        config: PreTrainedConfig = AutoConfig.from_pretrained(name, trust_remote_code=False, **changes)
    except (OSError, ValueError) as error:
        raise ModelError(_explain(name, error)) from error
    return config


def end_tokens(name: str, tokenizer: Any) -> set[int]:
    """The tokens that end a response: the tokenizer's, and those of the checkpoint's generation settings."""
    from transformers import GenerationConfig

    try:
        settings = GenerationConfig.from_pretrained(name)
    except OSError:  # it has no such file
        settings = GenerationConfig.from_model_config(load_config(name))
    ends = settings.eos_token_id
    return {tokenizer.eos_token_id, *(ends if isinstance(ends, list) else [ends])} - {None}


def takes_fused_attention(config: PreTrainedConfig) -> bool:
    """Whether torch's fused attention does what the model's own does: it has neither soft caps nor sinks."""
    from transformers import MODEL_FOR_CAUSAL_LM_MAPPING

    model: Any = MODEL_FOR_CAUSAL_LM_MAPPING.get(type(config), None)
    capped = getattr(config.get_text_config(decoder=True), "attn_logit_softcapping", None)
    return bool(model and model._supports_sdpa) and not capped


def layer_kinds(config: PreTrainedConfig) -> set[str]:
    """What the layers are: full_attention, sliding_attention, linear_attention, ..."""
    text = config.get_text_config(decoder=True)
    windowed = "sliding_attention" if getattr(text, "sliding_window", None) else "full_attention"
    return set(getattr(text, "layer_types", None) or [windowed])


def spare_scikit_learn() -> None:
    """Called before models are imported, it saves a second: transformers would import scikit-learn for assisted decoding, which nothing
    here does."""
    from transformers import utils

    utils.is_sklearn_available = lambda: False  # type: ignore[attr-defined]


def release_memory() -> None:
    """Give memory that torch keeps for later back to the GPU, which other processes share."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def load_model(name: str, *, dtype: torch.dtype, fused: str = "sdpa") -> PreTrainedModel:
    """The causal language model of a hub id or directory, from safetensors, on the CPU.

    Args:
        fused: the implementation of attention where `takes_fused_attention`; elsewhere it is the model's own.
    """
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    attention = fused if takes_fused_attention(load_config(name)) else "eager"
    logging.disable_progress_bar()  # logs are files: a bar there is noise
    try:
        model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
            name, dtype=dtype, attn_implementation=attention, use_safetensors=True, trust_remote_code=False
        )
    except (OSError, ValueError) as error:
        raise ModelError(_explain(name, error)) from error
    return model


def trained_weights(model: PreTrainedModel) -> dict[str, torch.Tensor]:
    """The weights by their names in the state dict, tied copies left out: what `RolloutEngine.update_weights` takes."""
    tied = set(model.all_tied_weights_keys)
    return {name: tensor.detach() for name, tensor in model.state_dict().items() if name not in tied}


def _explain(name: str, error: Exception) -> str:
    remedy = "check the hub id and the connection, or give a local directory with --set model=DIR"
    return f"{name}: cannot be loaded ({first_line(error)}); {remedy}"
