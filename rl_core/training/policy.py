"""The policy being trained: one reinforcement-learning step on scored rollouts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from transformers import PreTrainedModel

from rl_core.algorithms.credit import token_advantages
from rl_core.algorithms.losses import clipped_policy_loss, kl_estimate, token_weights
from rl_core.config import RlConfig
from rl_core.model.pretrained import load_model, load_tokenizer
from rl_core.training.checkpoint import OPTIMIZER, save_model
from rl_core.training.critic import Critic
from rl_core.training.log_probs import response_scores
from rl_core.training.sequences import PaddedBatch, TokenSequence, by_response, micro_batches
from rl_core.training.torch_backend import rl_backend


@dataclass(frozen=True)
class Experience:
    """A scored response, ready to train on."""

    sequence: TokenSequence
    rollout_log_probs: list[float]  # one per response token
    reward: float
    group: int  # its prompt
    token_rewards: list[float]  # one per response token, on top of `reward`


class StepSettings(NamedTuple):
    """What the schedules say at one step."""

    learning_rate: float
    temperature: float
    kl_coefficient: float
    value_learning_rate: float


class TrainedStep(NamedTuple):
    """What a step did."""

    metrics: dict[str, float]
    advantages: list[float]  # per response, the mean over its tokens


class Policy:
    """Model and optimizer; with a KL term the frozen reference, with `gae` the critic."""

    def __init__(self, checkpoint: str, config: RlConfig, reference: str | None = None) -> None:
        self.config = config
        self.tokenizer = load_tokenizer(checkpoint)
        self.backend = rl_backend(load_model(checkpoint, dtype=torch.float32), config)
        self.reference = load_model(reference, dtype=getattr(torch, config.precision)).eval() if reference else None
        self.critic = Critic(checkpoint, config) if config.algorithm.advantage == "gae" else None

    def train(self, experiences: Sequence[Experience], settings: StepSettings) -> TrainedStep:
        """Update on all experiences in `updates_per_step` passes of `minibatches` updates each."""
        if not experiences:
            return TrainedStep({"grad_norm": 0.0, "trained_tokens": 0.0}, [])
        config, algorithm = self.config, self.config.algorithm
        sequences = [experience.sequence for experience in experiences]
        kl = settings.kl_coefficient if self.reference is not None else 0.0
        # With a single update the policy at its start is the policy itself: no second pass for its log-probs.
        in_reward = kl > 0 and algorithm.kl_in == "reward"
        several = config.updates_per_step * config.minibatches > 1
        old = self._log_probs(self.backend.model, sequences, settings) if several or in_reward else None
        reference = self._log_probs(self.reference, sequences, settings) if kl > 0 and self.reference is not None else None
        token_rewards = [experience.token_rewards for experience in experiences]
        metrics = _Totals()
        if in_reward and old and reference:
            estimates = [kl_estimate(mine, theirs, algorithm.kl_estimator) for mine, theirs in zip(old, reference, strict=True)]
            metrics.add(kl=sum(float(estimate.sum()) for estimate in estimates))
            token_rewards = [
                [dense - kl * value for dense, value in zip(row, estimate.tolist(), strict=True)]
                for row, estimate in zip(token_rewards, estimates, strict=True)
            ]
        values = self.critic.values(sequences) if self.critic else None
        advantages, targets = token_advantages(
            algorithm, [e.reward for e in experiences], [e.group for e in experiences], token_rewards, values
        )
        # Without KL or entropy in the loss, a response of zero advantage has no gradient and needs no forward pass.
        everything = (kl > 0 and not in_reward) or algorithm.entropy_coefficient > 0
        minibatches = split_by_group([experience.group for experience in experiences], config.minibatches)
        norms = []
        for rows in [rows for _ in range(config.updates_per_step) for rows in minibatches]:
            weights = token_weights([len(sequences[row].response) for row in rows], algorithm.aggregation, config.max_response_tokens)
            used = [(row, weight) for row, weight in zip(rows, weights, strict=True) if everything or any(advantages[row])]
            if used:
                norms.append(self._update(used, experiences, advantages, old, None if in_reward else reference, settings, metrics))
            if self.critic and values:
                metrics.value_loss += self.critic.update(rows, sequences, values, targets, settings.value_learning_rate)
        tokens = sum(len(sequence.response) for sequence in sequences)
        kl_tokens = tokens if in_reward else metrics.tokens
        return TrainedStep(
            {
                "grad_norm": norms[-1] if norms else 0.0,
                "updates": float(len(norms)),
                "skipped_updates": float(sum(not math.isfinite(norm) for norm in norms)),
                "trained_tokens": metrics.tokens / config.updates_per_step,
            }
            | ({"loss": metrics.loss / len(norms)} | metrics.means() if metrics.tokens else {})
            | ({"kl": metrics.kl / kl_tokens} if kl > 0 and kl_tokens else {})
            | (self.critic.summary(values, targets, metrics.value_loss / len(norms or [1])) if self.critic and values else {}),
            [sum(row) / len(row) for row in advantages],
        )

    def _update(
        self,
        used: Sequence[tuple[int, float]],
        experiences: Sequence[Experience],
        advantages: Sequence[Sequence[float]],
        old: Sequence[torch.Tensor] | None,
        reference: Sequence[torch.Tensor] | None,
        settings: StepSettings,
        metrics: _Totals,
    ) -> float:
        """One optimizer step on rows given with the weight of each of their tokens; returns the gradient norm."""
        algorithm = self.config.algorithm

        def loss(batch: PaddedBatch) -> torch.Tensor:
            scores = self.backend.scores(batch, settings.temperature, entropy_gradient=algorithm.entropy_coefficient > 0)
            device = scores.log_probs_N.device
            rows = [used[index] for index in batch.indices]
            lengths = [len(experiences[row].sequence.response) for row, _ in rows]
            rollout_N = torch.tensor([p for row, _ in rows for p in experiences[row].rollout_log_probs], device=device)
            advantages_N = torch.tensor([a for row, _ in rows for a in advantages[row]], device=device)
            weights_N = torch.tensor(
                [weight for (_, weight), length in zip(rows, lengths, strict=True) for _ in range(length)], device=device
            )
            old_N = torch.cat([old[row] for row, _ in rows]).to(device) if old else scores.log_probs_N.detach()
            policy = clipped_policy_loss(
                scores.log_probs_N,
                old_N,
                rollout_N,
                advantages_N,
                weights_N,
                lengths,
                clip_low=algorithm.clip_low,
                clip_high=algorithm.clip_high,
                dual_clip=algorithm.dual_clip,
                ratio=algorithm.ratio,
                mismatch=algorithm.mismatch,
                importance_cap=algorithm.importance_cap,
            )
            total = policy.loss
            if algorithm.entropy_coefficient > 0:
                total = total - algorithm.entropy_coefficient * (weights_N * scores.entropy_N).sum()
            if reference is not None:
                reference_N = torch.cat([reference[row] for row, _ in rows]).to(device)
                kl_N = kl_estimate(scores.log_probs_N, reference_N, algorithm.kl_estimator)
                total = total + settings.kl_coefficient * (weights_N * kl_N).sum()
                metrics.add(kl=float(kl_N.detach().sum()))
            difference_N = old_N - rollout_N
            importance_N = difference_N.exp()
            metrics.add(
                tokens=sum(lengths),
                loss=float(total.detach()),
                entropy=float(scores.entropy_N.detach().sum()),
                clip_fraction=float(policy.clipped),
                importance_weight=float(policy.importance_N.sum()),
                rollout_logprob_difference=float(difference_N.abs().sum()),
                importance=float(importance_N.sum()),
                importance_squared=float(importance_N.square().sum()),
            )
            return total

        sequences = [experiences[row].sequence for row, _ in used]
        batches = micro_batches(sequences, self.backend.tokens_per_batch, self.tokenizer.pad_token_id)
        return self.backend.update(batches, loss, learning_rate=settings.learning_rate)

    def _log_probs(self, model: PreTrainedModel, sequences: Sequence[TokenSequence], settings: StepSettings) -> list[torch.Tensor]:
        """Per response the log-probs of its tokens, float32 on the CPU, no gradient."""

        def forward(batch: PaddedBatch) -> torch.Tensor:
            with self.backend.autocast():
                return response_scores(model, batch, settings.temperature).log_probs_N

        return by_response(sequences, self.backend.tokens_per_batch, self.tokenizer.pad_token_id, forward)

    def weights(self) -> dict[str, torch.Tensor]:
        """The policy in bfloat16 on the CPU, tied copies left out, for a rollout engine."""
        model = self.backend.model
        tied = set(model.all_tied_weights_keys)
        return {name: tensor.to("cpu", torch.bfloat16) for name, tensor in model.state_dict().items() if name not in tied}

    def save(self, directory: Path) -> None:
        """Write model, tokenizer and optimizer state, and the critic's."""
        save_model(directory, self.backend.model, self.tokenizer)
        self.backend.save_optimizer(directory / OPTIMIZER)
        if self.critic:
            self.critic.save(directory)

    def load_optimizer(self, directory: Path) -> None:
        """Continue the optimizer and the critic of a checkpoint; the model itself comes with the constructor."""
        self.backend.load_optimizer(directory / OPTIMIZER)
        if self.critic:
            self.critic.load(directory)


@dataclass
class _Totals:
    """Sums over the tokens of a step's updates."""

    tokens: float = 0.0
    loss: float = 0.0
    entropy: float = 0.0
    kl: float = 0.0
    clip_fraction: float = 0.0
    importance_weight: float = 0.0
    rollout_logprob_difference: float = 0.0
    importance: float = 0.0
    importance_squared: float = 0.0
    value_loss: float = 0.0

    def add(self, **sums: float) -> None:
        for name, value in sums.items():
            setattr(self, name, getattr(self, name) + value)

    def means(self) -> dict[str, float]:
        names = ("entropy", "clip_fraction", "importance_weight", "rollout_logprob_difference")
        # Kish's effective sample size of the untruncated importance weights, as a share of the tokens.
        share = self.importance**2 / self.importance_squared / self.tokens
        return {name: getattr(self, name) / self.tokens for name in names} | {"effective_sample_size": share}


def split_by_group(groups: Sequence[int], parts: int) -> list[list[int]]:
    """Row indices in `parts` lists of as equal numbers of groups as possible; a group stays whole."""
    order = list(dict.fromkeys(groups))
    part = {group: position * parts // len(order) for position, group in enumerate(order)}
    found: list[list[int]] = [[] for _ in range(parts)]
    for row, group in enumerate(groups):
        found[part[group]].append(row)
    return [rows for rows in found if rows]
