"""Training with DeepSpeed ZeRO: optimizer state, gradients and weights shared out over processes, on request kept in CPU memory."""

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Concatenate

import torch
from transformers import PreTrainedModel

from rl_core.config.rl import RlConfig
from rl_core.errors import InputError
from rl_core.model.precision import dtype_of, products_in
from rl_core.model.pretrained import device
from rl_core.training.backends.base import Loss, P, R, decay_groups, default_tokens_per_batch, trainable
from rl_core.training.backends.collective import TrainingGroup, alone
from rl_core.training.log_probs import response_scores
from rl_core.training.sequences import PaddedBatch, filler_batch

MOMENTS = ("exp_avg", "exp_avg_sq")


class _Callable(torch.nn.Module):
    """Lets the engine run any function of the model, so that its hooks see the forward pass whatever part of the model that uses."""

    def __init__(self, model: PreTrainedModel, dtype: torch.dtype) -> None:
        super().__init__()
        self.model = model
        self.dtype = dtype

    def forward(self, function: Callable[..., R], *args: Any, **kwargs: Any) -> R:
        # Here and not by DeepSpeed's `torch_autocast`, which would also send gradients in bfloat16.
        with products_in(self.dtype, device()):
            return function(self.model, *args, **kwargs)


class DeepSpeedBackend:
    """A `TrainingBackend`. Weights and moments are float32 and AdamW is torch's, so that its steps are those of `TorchBackend`."""

    def __init__(self, model: PreTrainedModel, config: RlConfig, group: TrainingGroup) -> None:
        deepspeed = _deepspeed()
        os.environ.setdefault("LOCAL_RANK", "0")  # each process sees one device only
        self.model = model.train()
        self.group = group if group.size > 1 else alone()
        self.zero_stage = config.resources.zero_stage
        self.tokens_per_batch = config.resources.tokens_per_batch or default_tokens_per_batch()
        self.parameters = dict(trainable(self.model))
        # DeepSpeed cannot hold an empty group.
        groups = [entry for entry in decay_groups(list(self.parameters.values()), config.weight_decay) if entry["params"]]
        optimizer = torch.optim.AdamW(groups, lr=0.0, betas=config.adam_betas, eps=config.adam_epsilon)
        self.engine, *_ = deepspeed.initialize(
            model=_Callable(self.model, dtype_of(config.precision)),
            optimizer=optimizer,
            config=_settings(config),
            dist_init_required=False,
        )
        # Made here and not by the first step: DeepSpeed links the moments to the parameters once, when only the first group has some.
        for shard in self._shards():
            self.engine.optimizer.optimizer.state[shard] = {name: torch.zeros_like(shard) for name in MOMENTS} | {"step": torch.zeros(())}
        if self.zero_stage < 3:
            self.engine.optimizer._lazy_init_hp_params_optimizer_state()

    def run(self, function: Callable[Concatenate[PreTrainedModel, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        return self.engine(function, *args, **kwargs)

    def update(self, batches: Sequence[PaddedBatch], loss: Loss, *, learning_rate: float) -> float:
        for group in self.engine.optimizer.param_groups:
            group["lr"] = learning_rate
        spare = self.group.largest(len(batches)) - len(batches)  # first: the passes themselves are collective
        for batch in batches:
            self._backward(loss(batch))
        for _ in range(spare):
            self._backward(0.0 * self.run(response_scores, filler_batch(), 1.0).log_probs_N.sum())
        self.engine.step()
        return float(self.engine.get_global_grad_norm())

    def _backward(self, loss: torch.Tensor) -> None:
        # DeepSpeed takes the mean over processes; the loss is already this process's part of a sum.
        self.engine.backward(loss * self.group.size)

    def weights(self, wanted: Callable[[str], bool] = lambda _: True) -> Iterator[tuple[str, torch.Tensor]]:
        tied = set(self.model.all_tied_weights_keys)
        for name, tensor in self.model.state_dict(keep_vars=True).items():
            if name in tied or not wanted(name):
                continue
            sharded = self.zero_stage == 3 and isinstance(tensor, torch.nn.Parameter)
            with _deepspeed().zero.GatheredParameters([tensor], enabled=sharded):
                yield name, tensor.detach()

    def optimizer_state(self) -> dict[str, torch.Tensor]:
        from deepspeed.utils import safe_get_full_optimizer_state

        found: dict[str, torch.Tensor] = {}
        steps = next(iter(self.engine.optimizer.optimizer.state.values()))["step"]
        for name, parameter in self.parameters.items():
            for moment in MOMENTS:
                tensor = safe_get_full_optimizer_state(parameter, moment)
                if self.group.rank == 0:
                    found[f"{name}|{moment}"] = tensor.detach().cpu().contiguous()
            if self.group.rank == 0:
                found[f"{name}|step"] = steps.clone()
        return found

    def load_optimizer_state(self, state: dict[str, torch.Tensor]) -> None:
        from deepspeed.utils import safe_set_full_optimizer_state

        steps = [tensor for key, tensor in state.items() if key.endswith("|step")]
        for shard in self._shards() if steps else []:
            self.engine.optimizer.optimizer.state[shard]["step"].copy_(steps[0])
        for key, tensor in state.items():
            name, _, moment = key.partition("|")
            if moment in MOMENTS:
                safe_set_full_optimizer_state(self.parameters[name], tensor.to(self.engine.device), moment)

    def _shards(self) -> list[torch.Tensor]:
        """What the inner optimizer steps on: this process's part of the parameters, flattened."""
        optimizer = self.engine.optimizer
        return list(optimizer.fp32_partitioned_groups_flat if self.zero_stage == 3 else optimizer.single_partition_of_fp32_groups)


def _settings(config: RlConfig) -> dict[str, Any]:
    resources = config.resources
    zero: dict[str, Any] = {"stage": resources.zero_stage}
    if resources.offload != "none":
        zero["offload_optimizer"] = {"device": "cpu"}
    if resources.offload == "all":
        zero["offload_param"] = {"device": "cpu"}
    return {
        # Batches are cut by tokens and the losses carry their weights: DeepSpeed has nothing to count or to divide by.
        "train_micro_batch_size_per_gpu": 1,
        "gradient_accumulation_steps": 1,
        "managed_gradient_accumulation": False,
        "gradient_clipping": config.max_grad_norm,
        "zero_optimization": zero,
        "zero_force_ds_cpu_optimizer": False,
    }


def _deepspeed() -> Any:
    try:
        import deepspeed
    except ImportError as error:
        raise InputError("backend: deepspeed needs the package deepspeed: pip install 'r1flow[gpu]', or set backend: torch") from error
    # On CPUs it would compile an all-reduce of its own at the first start: minutes, and after a kill in the middle every later start
    # waits for the lock that was left. Gloo's does.
    deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
    return deepspeed


def sharded_reference(model: PreTrainedModel, config: RlConfig) -> Callable[..., Any]:
    """`run` of a model that is never trained and whose weights are shared out as those of ZeRO stage 3."""
    settings = _settings(config) | {"zero_optimization": {"stage": 3}}
    engine, *_ = _deepspeed().initialize(model=_Callable(model, dtype_of(config.precision)), config=settings, dist_init_required=False)
    return engine
