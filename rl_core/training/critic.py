"""The value model of PPO: before every response token it predicts the reward that is still to come."""

from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForTokenClassification

from rl_core.algorithms.losses import clipped_value_loss, token_weights
from rl_core.config.rl import RlConfig
from rl_core.model.pretrained import load_config
from rl_core.training.backends.base import by_response, on_first
from rl_core.training.backends.collective import TrainingGroup
from rl_core.training.backends.make import rl_backend
from rl_core.training.checkpoint import CRITIC, OPTIMIZER_OF_CRITIC
from rl_core.training.log_probs import response_values
from rl_core.training.sequences import PaddedBatch, TokenSequence, micro_batches


class Critic:
    """The start checkpoint's transformer with a linear head of its own, which starts at zero."""

    def __init__(self, checkpoint: str, config: RlConfig, group: TrainingGroup, resumed: Path | None = None) -> None:
        shape = load_config(checkpoint, num_labels=1)
        shape.classifier_dropout = 0.0  # the default would draw noise into every value
        model = AutoModelForTokenClassification.from_pretrained(
            checkpoint, config=shape, dtype=torch.float32, use_safetensors=True, trust_remote_code=False
        )
        torch.nn.init.zeros_(model.score.weight)
        torch.nn.init.zeros_(model.score.bias)
        if resumed:
            model.load_state_dict(load_file(resumed / CRITIC))
        self.config = config
        self.backend = rl_backend(model, config, group)

    def values(self, sequences: Sequence[TokenSequence]) -> list[torch.Tensor]:
        """Per response one value per token (T,), that of the state before the token; float32 on the CPU."""
        return by_response(self.backend, sequences, self._values)

    def update(
        self,
        rows: Sequence[int],
        sequences: Sequence[TokenSequence],
        old: Sequence[torch.Tensor],
        targets: Sequence[torch.Tensor],
        learning_rate: float,
    ) -> float:
        """One optimizer step on the loss of `rows`, aggregated as the recipe says; returns this process's part of it."""
        lengths = [len(sequences[row].response) for row in rows]
        weights = token_weights(lengths, self.config.algorithm.value_aggregation, self.config.max_response_tokens)
        mine = self.backend.group.share([sequences[row] for row in rows])
        own = [rows[index] for index in mine]
        own_weights = [torch.full((lengths[index],), weights[index]) for index in mine]
        seen = 0.0

        def loss(batch: PaddedBatch) -> torch.Tensor:
            nonlocal seen
            values_N = self._values(batch)
            device = values_N.device
            old_N = torch.cat([old[own[index]] for index in batch.indices]).to(device)
            targets_N = torch.cat([targets[own[index]] for index in batch.indices]).to(device)
            weights_N = torch.cat([own_weights[index] for index in batch.indices]).to(device)
            total = clipped_value_loss(values_N, old_N, targets_N, weights_N, self.config.algorithm.value_clip)
            seen += float(total.detach())
            return total

        batches = list(micro_batches([sequences[row] for row in own], self.backend.tokens_per_batch))
        self.backend.update(batches, loss, learning_rate=learning_rate)
        return seen

    def _values(self, batch: PaddedBatch) -> torch.Tensor:
        return self.backend.run(response_values, batch)

    @staticmethod
    def summary(values: Sequence[torch.Tensor], targets: Sequence[torch.Tensor], loss: float) -> dict[str, float]:
        """Metrics: the loss, and the share of the targets' variance that the values explain."""
        values_N, targets_N = torch.cat(list(values)), torch.cat(list(targets))
        unexplained = (targets_N - values_N).var() / targets_N.var().clamp(min=1e-8)
        return {"value_loss": loss, "value_mean": float(values_N.mean()), "value_explained_variance": float(1 - unexplained)}

    def save(self, directory: Path) -> None:
        """Write weights and optimizer beside the policy's; the first process does."""
        weights, optimizer = on_first(self.backend.group, self.backend.weights()), self.backend.optimizer_state()
        if self.backend.group.rank == 0:
            save_file({name: tensor.contiguous() for name, tensor in weights.items()}, directory / CRITIC)
            save_file(optimizer, directory / OPTIMIZER_OF_CRITIC)

    def load_optimizer(self, directory: Path) -> None:
        """Continue the optimizer of what `save` wrote; the weights come with the constructor."""
        self.backend.load_optimizer_state(load_file(directory / OPTIMIZER_OF_CRITIC))
