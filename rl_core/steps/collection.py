"""The scored responses of a step: sampled, verified while others are still being written, penalized, refilled where all agree."""

import math
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch

from rl_core.config.rl import RlConfig
from rl_core.data.sampler import EpochSampler
from rl_core.outcome import Outcome
from rl_core.rewards import penalties
from rl_core.rewards.pool import ScoreItem, ScoringPool
from rl_core.rewards.reward import Score, resolve
from rl_core.rollout.engine import Completion, Request, Sampling
from rl_core.rollout.responses import EncodedPrompt, response_text
from rl_core.workers.interface import Workers

DENSE = "dense_repetition"  # the component that is given token by token


@dataclass(frozen=True)
class Rollout:
    """One scored response."""

    encoded: EncodedPrompt
    group: int  # index of its prompt within the step
    sample: int
    completion: Completion
    text: str
    score: Score  # of everything
    response_reward: float  # the part of the score's reward that is given for the response as a whole
    token_penalties: torch.Tensor | None = None  # (T,) float64: the rest of it, token by token
    advantage: float = 0.0  # mean over its tokens; 0 for a response that dynamic sampling set aside


@dataclass(frozen=True)
class Collected:
    """What a step trains on."""

    rollouts: list[Rollout]
    used: list[int]  # of `rollouts`; dynamic sampling sets the others aside
    temperature: float
    policy_version: int  # step of the weights that wrote them
    drawn: int  # prompts that the sampler had given out afterwards
    seconds: dict[str, float]
    judge: dict[str, float] = field(default_factory=dict)  # metrics of a judge


@dataclass
class Collector:
    """Draws prompts, has them answered and scored."""

    workers: Workers
    pool: ScoringPool
    prompts: list[EncodedPrompt]
    sampler: EpochSampler
    config: RlConfig
    seed: int

    def collect(self, step: int, temperature: float, policy_version: int) -> Collected:
        """The responses of a step (1-based)."""
        config = self.config
        refills = config.algorithm.max_refills
        seconds = {"rollout": 0.0, "score": 0.0}
        rollouts: list[Rollout] = []
        used: list[int] = []
        drawn = 0
        for _ in range(1 + refills):
            batch = [self.prompts[index] for index in self.sampler.take(config.prompts_per_step - len(used) // config.group_size)]
            # One stream of random numbers per (run seed, step, prompt of the step), so that a resumed run samples the same responses.
            requests = [
                Request(encoded.token_ids, config.group_size, seed=(self.seed * 1_000_003 + step) * 65_537 + drawn + group)
                for group, encoded in enumerate(batch)
            ]
            scored = self._answer(batch, requests, Sampling(temperature, config.max_response_tokens), drawn, seconds)
            used += [len(rollouts) + row for row in self._usable(scored)]
            rollouts += scored
            drawn += len(batch)
            if len(used) == config.prompts_per_step * config.group_size:
                break
        if refills and len(used) < config.prompts_per_step * config.group_size:
            kept = f"{len(used) // config.group_size} of {config.prompts_per_step} prompts"
            print(
                f"warning: step {step} trains on {kept}: the others of {drawn} drawn were answered all right or all wrong", file=sys.stderr
            )
        self.pool.tell()
        judge = self.pool.opinions.take_counts() if self.pool.opinions else {}
        return Collected(rollouts, used, temperature, policy_version, self.sampler.drawn, seconds, judge)

    def _answer(
        self, batch: list[EncodedPrompt], requests: list[Request], sampling: Sampling, first_group: int, seconds: dict[str, float]
    ) -> list[Rollout]:
        components = resolve(self.config.reward)
        began = time.perf_counter()
        answers: dict[int, tuple[list[Completion], list[str], Callable[[], list[Score]]]] = {}
        for index, completions in self.workers.generate(requests, sampling):
            prompt, template = batch[index].prompt, batch[index].template
            texts = [response_text(completion, template.prefill, self.workers.tokenizer) for completion in completions]
            items = [
                ScoreItem(prompt.task, template.as_judged(text), prompt.gold, completion.finish_reason, prompt.question, prompt.info)
                for text, completion in zip(texts, completions, strict=True)
            ]
            answers[index] = completions, texts, self.pool.score_later(items, components, self.config.reward_errors.value)
        generated = time.perf_counter()
        seconds["rollout"] += generated - began
        rollouts: list[Rollout] = []
        for index, encoded in enumerate(batch):
            completions, texts, scores = answers[index]
            if len(completions) != self.config.group_size:
                raise RuntimeError(f"{len(completions)} responses for a prompt instead of {self.config.group_size}: a group is incomplete")
            found = [
                Rollout(encoded, first_group + index, sample, completion, text, score, score.reward)
                for sample, (completion, text, score) in enumerate(zip(completions, texts, scores(), strict=True))
            ]
            rollouts += penalized(found, self.config)
        seconds["score"] += time.perf_counter() - generated  # what generation did not hide
        return rollouts

    def _usable(self, rollouts: list[Rollout]) -> list[int]:
        """Rows to train on. Dynamic sampling (DAPO, arXiv 2503.14476, eq. 11) leaves out prompts answered all right or all wrong."""
        if self.config.algorithm.max_refills == 0:
            return list(range(len(rollouts)))
        correct = Counter(r.group for r in rollouts if r.score.verdict.outcome is Outcome.CORRECT)
        return [row for row, r in enumerate(rollouts) if 0 < correct[r.group] < self.config.group_size]


def penalized(group: list[Rollout], config: RlConfig) -> list[Rollout]:
    """The rollouts of one prompt with the stage's penalties added to their scores."""
    settings, limit = config.penalties, config.max_response_tokens
    lengths = [len(rollout.completion.token_ids) for rollout in group]
    correct = [rollout.score.verdict.outcome is Outcome.CORRECT for rollout in group]
    by_length = penalties.group_length(lengths, correct)
    found = []
    for index, rollout in enumerate(group):
        token_ids = rollout.completion.token_ids
        added: dict[str, float] = {}
        if settings.repetition:
            added["repetition"] = penalties.repetition(token_ids, settings.repetition)
        if settings.cosine_length:
            added["cosine_length"] = penalties.cosine_length(lengths[index], correct[index], limit, settings.cosine_length)
        if settings.overlong:
            added["overlong"] = penalties.overlong(lengths[index], limit, settings.overlong)
        if settings.group_length:
            added["group_length"] = settings.group_length * by_length[index]
        response_reward = math.fsum([rollout.score.reward, *added.values()])
        dense = None
        if settings.dense_repetition:
            dense = torch.tensor(penalties.dense_repetition(token_ids, settings.dense_repetition), dtype=torch.float64)
            added[DENSE] = float(dense.sum())
        total = math.fsum([rollout.score.reward, *added.values()])
        score = replace(rollout.score, reward=total, components=rollout.score.components | added)
        found.append(replace(rollout, score=score, response_reward=response_reward, token_penalties=dense))
    return found
