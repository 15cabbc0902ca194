"""The policy being trained: one reinforcement-learning step on scored rollouts."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import load_file, save_file

from rl_core.algorithms.credit import StepRewards, token_advantages
from rl_core.algorithms.losses import clipped_policy_loss, kl_estimate, token_weights
from rl_core.config.rl import RlConfig
from rl_core.model.precision import dtype_of, products_in
from rl_core.model.pretrained import device, load_model, load_tokenizer
from rl_core.rewards.reward import resolve
from rl_core.training import lora
from rl_core.training.backends.base import by_response, on_first
from rl_core.training.backends.collective import TrainingGroup
from rl_core.training.backends.make import rl_backend
from rl_core.training.checkpoint import OPTIMIZER, save_model
from rl_core.training.critic import Critic
from rl_core.training.flops import peak_flops, size_of
from rl_core.training.log_probs import response_scores
from rl_core.training.sequences import PaddedBatch, TokenSequence, micro_batches

Scorer = Callable[[PaddedBatch, float], torch.Tensor]  # batch and temperature -> log-probs of its response tokens (N,)


@dataclass(frozen=True)
class Experience:
    """A scored response, ready to train on."""

    sequence: TokenSequence
    rollout_log_probs: list[float]  # one per response token
    reward: float  # for the response as a whole
    group: int  # its prompt
    token_penalties: torch.Tensor | None = None  # (T,) float64, on top of `reward`
    components: Mapping[str, float] = field(default_factory=dict)  # weighted, they add up to `reward`


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
    flops: float  # of the model, recomputed activations not counted
    peak_flops: float  # per second, of all devices that train


class Policy:
    """Model and optimizer; with a KL term the frozen reference, with `gae` the critic.

    In a group every process holds one and makes the same calls: each works on its share of the responses, the results are those of one.
    """

    def __init__(
        self,
        start: str,
        config: RlConfig,
        reference: str | None = None,
        *,
        resumed: Path | None = None,
        group: TrainingGroup | None = None,
        seed: int = 0,
    ) -> None:
        """`start`: the checkpoint that the stage began with; `resumed`: the one of this stage to go on from."""
        self.config, self.start, self.group = config, start, group or TrainingGroup()
        self.tokenizer = load_tokenizer(start)
        self.dtype = dtype = dtype_of(config.precision)
        if config.lora:
            model = lora.load_to_adapt(start, config.lora, dtype=dtype, seed=seed)
            if resumed:
                lora.load_adapters(resumed, model)
        else:
            model = load_model(str(resumed or start), dtype=torch.float32)
        self.size = size_of(model)
        self.peak = peak_flops()
        self.backend = rl_backend(model, config, self.group)
        self.reference = self._make_reference(reference, dtype) if reference else None
        self.critic = Critic(start, config, self.group, resumed) if config.algorithm.advantage == "gae" else None
        if resumed:
            self.backend.load_optimizer_state(load_file(resumed / OPTIMIZER))
            if self.critic:
                self.critic.load_optimizer(resumed)

    def _make_reference(self, reference: str, dtype: torch.dtype) -> Scorer:
        if self.config.lora and reference == self.start and not lora.adapters_of(reference):

            def without(batch: PaddedBatch, temperature: float) -> torch.Tensor:
                with lora.without_adapters(self.backend.model):
                    return self.backend.run(response_scores, batch, temperature).log_probs_N

            return without
        model = lora.load_with_adapters(reference, dtype=dtype).eval()
        if self.config.backend == "deepspeed" and self.config.resources.zero_stage == 3:
            from rl_core.training.backends.deepspeed_backend import sharded_reference

            run = sharded_reference(model, self.config)
            return lambda batch, temperature: run(response_scores, batch, temperature).log_probs_N
        model.to(device())

        def frozen(batch: PaddedBatch, temperature: float) -> torch.Tensor:
            with products_in(dtype, device()):
                return response_scores(model, batch, temperature).log_probs_N

        return frozen

    def train(self, experiences: Sequence[Experience], settings: StepSettings) -> TrainedStep:
        """Update on all experiences in `updates_per_step` passes of `minibatches` updates each."""
        if not experiences:
            return TrainedStep({"grad_norm": 0.0, "trained_tokens": 0.0}, [], 0.0, self.peak * self.group.size)
        config, algorithm = self.config, self.config.algorithm
        sequences = [experience.sequence for experience in experiences]
        kl = settings.kl_coefficient if self.reference is not None else 0.0
        # With a single update the policy at its start is the policy itself: no second pass for its log-probs.
        in_reward = kl > 0 and algorithm.kl_in == "reward"
        several = config.updates_per_step * config.minibatches > 1
        old = self._log_probs(self._score, sequences, settings.temperature) if several or in_reward else None
        reference = self._log_probs(self.reference, sequences, settings.temperature) if kl > 0 and self.reference is not None else None
        rewards = step_rewards(experiences, config)
        metrics, kl_of_reward = _Totals(), 0.0
        if in_reward and old and reference:
            kl_N = kl_estimate(torch.cat(old), torch.cat(reference), algorithm.kl_estimator, algorithm.kl_clamp).double()
            kl_of_reward = float(kl_N.sum())
            rewards = replace(rewards, kl_N=-kl * kl_N)
        lengths = rewards.lengths
        values = self.critic.values(sequences) if self.critic else None
        advantages_N, targets_N = token_advantages(algorithm, rewards, torch.cat(values).double() if values else None)
        advantages = advantages_N.float().split(lengths)
        targets = targets_N.float().split(lengths) if targets_N is not None else None
        # Without KL or entropy in the loss, a response of zero advantage has no gradient and needs no forward pass.
        everything = (kl > 0 and not in_reward) or algorithm.entropy_coefficient > 0
        minibatches = split_by_group([experience.group for experience in experiences], config.minibatches)
        norms, updates = [], config.updates_per_step * len(minibatches)
        for rows in [rows for _ in range(config.updates_per_step) for rows in minibatches]:
            weights = token_weights([len(sequences[row].response) for row in rows], algorithm.aggregation, config.max_response_tokens)
            used = [(row, weight) for row, weight in zip(rows, weights, strict=True) if everything or advantages[row].any()]
            if used:
                norms.append(self._update(used, experiences, advantages, old, None if in_reward else reference, settings, metrics))
            if self.critic and values and targets:
                metrics.value_loss += self.critic.update(rows, sequences, values, targets, settings.value_learning_rate)
                metrics.flops += 3 * self._forward([sequences[row] for row in rows]) / self.group.size
        metrics = metrics.over(self.group)
        tokens = sum(len(sequence.response) for sequence in sequences)
        kl_sum, kl_tokens = (kl_of_reward, tokens) if in_reward else (metrics.kl, metrics.tokens)
        forward_passes = (old is not None) + (reference is not None) + (values is not None)
        flops = forward_passes * self._forward(sequences) + metrics.flops
        return TrainedStep(
            {
                "grad_norm": norms[-1] if norms else 0.0,
                "updates": float(len(norms)),
                "skipped_updates": float(sum(not math.isfinite(norm) for norm in norms)),
                "trained_tokens": metrics.tokens / config.updates_per_step,
            }
            | ({"loss": metrics.loss / len(norms)} | metrics.means() if metrics.tokens else {})
            | ({"kl": kl_sum / kl_tokens} if kl > 0 and kl_tokens else {})
            | (self.critic.summary(values, targets, metrics.value_loss / updates) if self.critic and values and targets else {}),
            [float(row.mean()) for row in advantages_N.split(lengths)],
            flops,
            self.peak * self.group.size,
        )

    def _update(
        self,
        used: Sequence[tuple[int, float]],
        experiences: Sequence[Experience],
        advantages: Sequence[torch.Tensor],
        old: Sequence[torch.Tensor] | None,
        reference: Sequence[torch.Tensor] | None,
        settings: StepSettings,
        metrics: _Totals,
    ) -> float:
        """One optimizer step on rows given with the weight of each of their tokens; returns the gradient norm."""
        used = [used[index] for index in self.group.share([experiences[row].sequence for row, _ in used])]
        sequences = [experiences[row].sequence for row, _ in used]

        def loss(batch: PaddedBatch) -> torch.Tensor:
            rows = [used[index] for index in batch.indices]
            return self._loss(batch, rows, experiences, advantages, old, reference, settings, metrics)

        # Of adapted layers only the adapters have gradients of their own: the backward pass costs one forward pass, not two.
        metrics.flops += (2 if self.config.lora else 3) * self._forward(sequences)
        batches = list(micro_batches(sequences, self.backend.tokens_per_batch))
        return self.backend.update(batches, loss, learning_rate=settings.learning_rate)

    def _loss(
        self,
        batch: PaddedBatch,
        rows: Sequence[tuple[int, float]],
        experiences: Sequence[Experience],
        advantages: Sequence[torch.Tensor],
        old: Sequence[torch.Tensor] | None,
        reference: Sequence[torch.Tensor] | None,
        settings: StepSettings,
        metrics: _Totals,
    ) -> torch.Tensor:
        """The share of a micro-batch in the loss of an update; `rows`: those of the batch, with the weight of each of their tokens."""
        algorithm = self.config.algorithm
        scores = self.backend.run(response_scores, batch, settings.temperature, entropy_gradient=algorithm.entropy_coefficient > 0)
        device = scores.log_probs_N.device
        lengths = [len(experiences[row].sequence.response) for row, _ in rows]
        rollout_N = torch.cat([torch.tensor(experiences[row].rollout_log_probs) for row, _ in rows]).to(device)
        advantages_N = torch.cat([advantages[row] for row, _ in rows]).to(device)
        weights_N = torch.tensor([weight for _, weight in rows]).repeat_interleave(torch.tensor(lengths)).to(device)
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
            kl_N = kl_estimate(scores.log_probs_N, reference_N, algorithm.kl_estimator, algorithm.kl_clamp)
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

    def _forward(self, sequences: Sequence[TokenSequence]) -> float:
        return sum(self.size.forward(len(sequence), len(sequence) / 2) for sequence in sequences)

    def _score(self, batch: PaddedBatch, temperature: float) -> torch.Tensor:
        return self.backend.run(response_scores, batch, temperature).log_probs_N

    def _log_probs(self, scorer: Scorer, sequences: Sequence[TokenSequence], temperature: float) -> list[torch.Tensor]:
        """Per response the log-probs of its tokens, float32 on the CPU, no gradient."""
        return by_response(self.backend, sequences, lambda batch: scorer(batch, temperature))

    def log_probs(self, sequences: Sequence[TokenSequence], temperature: float) -> list[list[float]]:
        """Per response the log-probs of its tokens under the policy as it is."""
        return [row.tolist() for row in self._log_probs(self._score, sequences, temperature)]

    def engine_weights(self, wanted: Callable[[str], bool] = lambda _: True) -> Iterator[tuple[str, torch.Tensor]]:
        """For engines, those with a name that is wanted: tied copies left out, adapters apart or merged, on this process's device.

        All processes must go through them together.
        """
        weights = self.backend.weights(wanted)
        if self.config.lora and not lora.kept_apart(self.config):
            weights = lora.merged(weights, self.config.lora)
        return ((name, tensor.to(self.dtype)) for name, tensor in weights)

    def weights(self) -> dict[str, torch.Tensor]:
        """All of them on the CPU; empty on processes other than the first."""
        return on_first(self.group, self.engine_weights())

    def adapters(self) -> dict[str, torch.Tensor]:
        """Of them the adapters alone: the only ones that change, where they are kept apart."""
        return on_first(self.group, self.engine_weights(lora.is_adapter))

    def save(self, directory: Path) -> None:
        """Write model, tokenizer and optimizer state, adapters by themselves, and the critic; the first process does."""
        weights, optimizer = on_first(self.group, self.backend.weights()), self.backend.optimizer_state()
        if self.group.rank == 0:
            if self.config.lora:
                lora.save_adapters(directory, weights, self.config.lora, self.start)
                weights = dict(lora.merged(weights.items(), self.config.lora))
            save_model(directory, self.backend.model, self.tokenizer, weights)
            save_file(optimizer, directory / OPTIMIZER)
        if self.critic:
            self.critic.save(directory)


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
    flops: float = 0.0

    def over(self, group: TrainingGroup) -> _Totals:
        return _Totals(*group.sum_(torch.tensor(astuple(self), dtype=torch.float64)).tolist())

    def add(self, **sums: float) -> None:
        for name, value in sums.items():
            setattr(self, name, getattr(self, name) + value)

    def means(self) -> dict[str, float]:
        names = ("entropy", "clip_fraction", "importance_weight", "rollout_logprob_difference")
        # Kish's effective sample size of the untruncated importance weights, as a share of the tokens.
        share = self.importance**2 / self.importance_squared / self.tokens
        return {name: getattr(self, name) / self.tokens for name in names} | {"effective_sample_size": share}


def step_rewards(experiences: Sequence[Experience], config: RlConfig) -> StepRewards:
    """What the responses of a step earned, without a KL term."""
    lengths = [len(experience.sequence.response) for experience in experiences]
    dense = config.penalties.dense_repetition
    given = [experience.token_penalties for experience in experiences]
    filled = [torch.zeros(n, dtype=torch.float64) if row is None else row for row, n in zip(given, lengths, strict=True)]
    weights = resolve(config.reward)
    names = experiences[0].components
    by_name = {name: [experience.components[name] for experience in experiences] for name in names if weights.get(name, 1.0)}
    return StepRewards(
        responses=[experience.reward for experience in experiences],
        components=[(weight := weights.get(name, 1.0), [value / weight for value in values]) for name, values in by_name.items()],
        groups=[experience.group for experience in experiences],
        lengths=lengths,
        penalties_N=torch.cat(filled) if any(row is not None for row in given) else None,
        penalty_discount=dense.discount if dense else None,
    )


def split_by_group(groups: Sequence[int], parts: int) -> list[list[int]]:
    """Row indices in `parts` lists of as equal numbers of groups as possible; a group stays whole."""
    order = list(dict.fromkeys(groups))
    part = {group: position * parts // len(order) for position, group in enumerate(order)}
    found: list[list[int]] = [[] for _ in range(parts)]
    for row, group in enumerate(groups):
        found[part[group]].append(row)
    return [rows for rows in found if rows]
