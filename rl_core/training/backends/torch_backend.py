"""Training with plain torch: float32 weights, products in bfloat16 or float32, AdamW or Muon; several processes hold copies."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Concatenate, Literal

import torch
from transformers import PreTrainedModel

from rl_core.config.resources import Precision
from rl_core.model.fused import fuse_layers
from rl_core.model.precision import dtype_of, products_in
from rl_core.model.pretrained import device, trained_weights
from rl_core.training.backends.base import Loss, P, R, decay_groups, default_tokens_per_batch, trainable
from rl_core.training.backends.collective import TrainingGroup
from rl_core.training.sequences import PaddedBatch

MUON_RATE = 4.0  # embeddings at a quarter of Muon's rate learned sooner than at the same one, in a model of 1 M parameters


class TorchBackend:
    """A `TrainingBackend` of one device per process.

    Muon (K. Jordan 2024, "Muon: An optimizer for hidden layers in neural networks") orthogonalizes the updates of the hidden matrices;
    embeddings and vectors stay with AdamW. Its updates are scaled to the size of AdamW's (Liu et al., arXiv 2502.16982, section 2.2) at
    MUON_RATE times the learning rate.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        *,
        weight_decay: float,
        adam_betas: tuple[float, float],
        adam_epsilon: float,
        max_grad_norm: float,
        tokens_per_batch: int | None = None,
        optimizer: Literal["adamw", "muon"] = "adamw",
        precision: Precision = "auto",
        group: TrainingGroup | None = None,
    ) -> None:
        self.model = model.to(device()).train()  # type: ignore[arg-type]  # its decorator hides the bound method
        fuse_layers(self.model)
        self.group = group or TrainingGroup()
        self.max_grad_norm = max_grad_norm
        self.dtype = dtype_of(precision)
        self.tokens_per_batch = tokens_per_batch or default_tokens_per_batch()
        self.parameters = dict(trainable(self.model))
        embeddings = {
            id(layer.weight) for layer in (self.model.get_input_embeddings(), self.model.get_output_embeddings()) if layer is not None
        }
        hidden = [p for p in self.parameters.values() if p.ndim == 2 and id(p) not in embeddings and optimizer == "muon"]
        of_muon = {id(parameter) for parameter in hidden}
        groups = decay_groups([p for p in self.parameters.values() if id(p) not in of_muon], weight_decay)
        self.optimizers: list[torch.optim.Optimizer] = [torch.optim.AdamW(groups, lr=0.0, betas=adam_betas, eps=adam_epsilon, fused=True)]
        if hidden:
            self.optimizers.append(torch.optim.Muon(hidden, lr=0.0, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw"))

    def run(self, function: Callable[Concatenate[PreTrainedModel, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        with products_in(self.dtype, self.model.device.type):
            return function(self.model, *args, **kwargs)

    def update(self, batches: Sequence[PaddedBatch], loss: Loss, *, learning_rate: float) -> float:
        self.model.zero_grad(set_to_none=True)
        for batch in batches:
            loss(batch).backward()
        if self.group.size > 1:
            self._sum_gradients()
        norm = float(torch.nn.utils.clip_grad_norm_(self.parameters.values(), self.max_grad_norm))
        if math.isfinite(norm):
            for optimizer in self.optimizers:
                for group in optimizer.param_groups:
                    group["lr"] = learning_rate * (MUON_RATE if isinstance(optimizer, torch.optim.Muon) else 1.0)
                optimizer.step()
        return norm

    def _sum_gradients(self) -> None:
        """In one message: one for each of hundreds of parameters costs more than the copy."""
        parameters = list(self.parameters.values())
        flat = torch.cat([(torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in parameters])
        self.group.sum_(flat)
        for parameter, gradient in zip(parameters, flat.split([p.numel() for p in parameters]), strict=True):
            parameter.grad = gradient.view_as(parameter)

    def weights(self, wanted: Callable[[str], bool] = lambda _: True) -> Iterator[tuple[str, torch.Tensor]]:
        return ((name, tensor) for name, tensor in trained_weights(self.model).items() if wanted(name))

    def optimizer_state(self) -> dict[str, torch.Tensor]:
        if self.group.rank > 0:
            return {}
        return {
            f"{name}|{moment}": tensor.detach().cpu().contiguous()
            for name, parameter in self.parameters.items()
            for optimizer in self.optimizers
            for moment, tensor in optimizer.state.get(parameter, {}).items()
        }

    def load_optimizer_state(self, state: dict[str, torch.Tensor]) -> None:
        owner = {id(p): optimizer for optimizer in self.optimizers for group in optimizer.param_groups for p in group["params"]}
        for key, tensor in state.items():
            name, _, moment = key.partition("|")
            parameter = self.parameters[name]
            # AdamW keeps its count of steps in float32 on the parameter's device, as it does the moments.
            owner[id(parameter)].state[parameter][moment] = tensor.to(parameter.device, copy=True)
