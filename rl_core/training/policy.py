"""The policy being trained: one reinforcement-learning step on scored rollouts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from rl_core.algorithms.losses import clipped_policy_loss, kl_k3
from rl_core.config import RlConfig
from rl_core.model.pretrained import load_model, load_tokenizer
from rl_core.training.checkpoint import save_model
from rl_core.training.log_probs import TokenScores, response_scores
from rl_core.training.sequences import PaddedBatch, TokenSequence, micro_batches
from rl_core.training.torch_backend import TorchBackend


@dataclass(frozen=True)
class Experience:
    """A response with its advantage, ready to train on."""

    sequence: TokenSequence
    rollout_log_probs: list[float]  # one per response token
    advantage: float


class Policy:
    """Model, optimizer and, with a KL term, the frozen reference."""

    def __init__(self, checkpoint: str, config: RlConfig, reference: str | None = None) -> None:
        self.config = config
        self.tokenizer = load_tokenizer(checkpoint)
        self.backend = TorchBackend(
            load_model(checkpoint, dtype=torch.float32),
            weight_decay=config.weight_decay,
            max_grad_norm=config.max_grad_norm,
            tokens_per_batch=config.resources.tokens_per_batch,
        )
        self.reference = load_model(reference, dtype=torch.bfloat16).eval() if reference else None

    def train(self, experiences: Sequence[Experience], *, learning_rate: float, temperature: float) -> dict[str, float]:
        """Update on all experiences `updates_per_step` times; returns the step's metrics.

        The loss is the mean over all response tokens of the step, however they are batched.
        """
        config = self.config
        # Zero advantage means zero policy gradient: without a KL term those responses need no forward pass.
        used = [e for e in experiences if e.advantage != 0 or self.reference is not None]
        tokens = sum(len(e.sequence.response) for e in experiences)
        if not used:
            return {"grad_norm": 0.0, "trained_tokens": 0.0}
        batches = list(micro_batches([e.sequence for e in used], self.backend.tokens_per_batch, self.tokenizer.pad_token_id))
        # With a single update the policy at its start is the policy itself: no second pass for its log-probs.
        old = {batch.indices[0]: self._frozen_log_probs(batch, temperature) for batch in batches} if config.updates_per_step > 1 else {}
        sums = dict.fromkeys(("entropy", "kl", "clipped", "difference", "weight"), 0.0)

        def loss_sum(batch: PaddedBatch, scores: TokenScores) -> torch.Tensor:
            device = scores.log_probs_N.device
            rollout_N = torch.tensor([p for index in batch.indices for p in used[index].rollout_log_probs], device=device)
            advantages_N = torch.tensor(
                [used[index].advantage for index in batch.indices for _ in used[index].rollout_log_probs], device=device
            )
            old_N = old.get(batch.indices[0], scores.log_probs_N.detach())
            policy = clipped_policy_loss(
                scores.log_probs_N,
                old_N,
                rollout_N,
                advantages_N,
                clip_low=config.algorithm.clip_low,
                clip_high=config.algorithm.clip_high,
                importance_cap=config.algorithm.importance_cap,
            )
            sums["entropy"] += float(scores.entropy_N.sum())
            sums["clipped"] += float(policy.clipped)
            sums["weight"] += float(policy.weight)
            sums["difference"] += float((old_N - rollout_N).abs().sum())
            if self.reference is None:
                return policy.loss
            with torch.no_grad(), torch.autocast(device.type, dtype=torch.bfloat16):
                reference_N = response_scores(self.reference, batch, temperature).log_probs_N
            kl = kl_k3(scores.log_probs_N, reference_N).sum()
            sums["kl"] += float(kl.detach())
            return policy.loss + config.algorithm.kl_coefficient * kl

        norms = [
            self.backend.update(batches, loss_sum, temperature=temperature, divisor=tokens, learning_rate=learning_rate)
            for _ in range(config.updates_per_step)
        ]
        trained = sum(len(e.sequence.response) for e in used)
        seen = trained * config.updates_per_step
        return {
            "grad_norm": norms[-1],
            "skipped_updates": float(sum(not math.isfinite(norm) for norm in norms)),
            "trained_tokens": float(trained),
            "entropy": sums["entropy"] / seen,
            "clip_fraction": sums["clipped"] / seen,
            "importance_weight": sums["weight"] / seen,
            "rollout_logprob_difference": sums["difference"] / seen,
        } | ({"kl": sums["kl"] / seen} if self.reference is not None else {})

    def _frozen_log_probs(self, batch: PaddedBatch, temperature: float) -> torch.Tensor:
        with torch.no_grad():
            return self.backend.scores(batch, temperature).log_probs_N

    def weights(self) -> dict[str, torch.Tensor]:
        """The policy in bfloat16 on the CPU, tied copies left out, for a rollout engine."""
        model = self.backend.model
        tied = set(model.all_tied_weights_keys)
        return {name: tensor.to("cpu", torch.bfloat16) for name, tensor in model.state_dict().items() if name not in tied}

    def save(self, directory: Path) -> None:
        """Write model, tokenizer and optimizer state."""
        save_model(directory, self.backend.model, self.tokenizer)
        self.backend.save_optimizer(directory)

    def load_optimizer(self, directory: Path) -> None:
        """Continue the optimizer of a checkpoint; the model itself comes with the constructor."""
        self.backend.load_optimizer(directory)
