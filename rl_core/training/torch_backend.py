"""Training on one device with plain torch: float32 weights, bfloat16 autocast, AdamW."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import PreTrainedModel

from rl_core.config import TOKENS_PER_BATCH_CPU, TOKENS_PER_BATCH_GPU
from rl_core.training.log_probs import TokenScores, response_scores
from rl_core.training.sequences import PaddedBatch

LossSum = Callable[[PaddedBatch, TokenScores], torch.Tensor]


class TorchBackend:
    """Owns the policy and its optimizer."""

    def __init__(self, model: PreTrainedModel, *, weight_decay: float, max_grad_norm: float, tokens_per_batch: int | None = None) -> None:
        self.model = model.float().to("cuda" if torch.cuda.is_available() else "cpu").train()
        self.max_grad_norm = max_grad_norm
        # On a CPU small batches stay in its cache: 2,048 tokens ran 1.8 times as fast as 16,384 on a model of 3 M parameters.
        self.tokens_per_batch = tokens_per_batch or (TOKENS_PER_BATCH_GPU if torch.cuda.is_available() else TOKENS_PER_BATCH_CPU)
        matrices = [parameter for parameter in self.model.parameters() if parameter.ndim > 1]
        vectors = [parameter for parameter in self.model.parameters() if parameter.ndim <= 1]
        groups = [{"params": matrices, "weight_decay": weight_decay}, {"params": vectors, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=0.0, betas=(0.9, 0.95), fused=True)

    def scores(self, batch: PaddedBatch, temperature: float) -> TokenScores:
        """Differentiable scores of the response tokens; see `response_scores`."""
        with torch.autocast(self.model.device.type, dtype=torch.bfloat16):
            return response_scores(self.model, batch, temperature)

    def update(
        self, batches: Iterable[PaddedBatch], loss_sum: LossSum, *, temperature: float, divisor: float, learning_rate: float
    ) -> float:
        """One optimizer step on the sum of `loss_sum` over all batches divided by `divisor`; returns the gradient norm.

        The divisor is global, so the gradient does not depend on how the rows were cut into batches. A gradient that is not finite
        skips the step; the returned norm then is not finite either.
        """
        self.optimizer.zero_grad(set_to_none=True)
        for batch in batches:
            (loss_sum(batch, self.scores(batch, temperature)) / divisor).backward()
        norm = float(torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.max_grad_norm))
        if math.isfinite(norm):
            for group in self.optimizer.param_groups:
                group["lr"] = learning_rate
            self.optimizer.step()
        return norm

    def save_optimizer(self, directory: Path) -> None:
        """Write the optimizer's moments as safetensors: nothing in a checkpoint is ever unpickled."""
        state = self.optimizer.state_dict()["state"]
        tensors = {f"{index}.{name}": tensor.contiguous() for index, entry in state.items() for name, tensor in entry.items()}
        save_file(tensors, directory / "optimizer.safetensors")

    def load_optimizer(self, directory: Path) -> None:
        """Restore what `save_optimizer` wrote, for the same model."""
        state: dict[int, dict[str, torch.Tensor]] = {}
        for key, tensor in load_file(directory / "optimizer.safetensors").items():
            index, name = key.split(".", 1)
            state.setdefault(int(index), {})[name] = tensor
        self.optimizer.load_state_dict({"state": state, "param_groups": self.optimizer.state_dict()["param_groups"]})
