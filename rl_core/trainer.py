"""The reinforcement-learning loop: sample, score, advantage, update, sync, log, checkpoint."""

from __future__ import annotations

import math
import sys
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean, pstdev
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from rl_core.algorithms.schedules import value_at
from rl_core.config import RlConfig, TrainJob
from rl_core.data.prompts import DataError, read_prompts
from rl_core.data.sampler import EpochSampler
from rl_core.data.templates import find_template
from rl_core.model.pretrained import load_tokenizer
from rl_core.outcome import Outcome
from rl_core.rewards import penalties
from rl_core.rewards.pool import ScoreItem
from rl_core.rewards.reward import Score, resolve
from rl_core.rollout.engine import Completion, Request, Sampling
from rl_core.rollout.records import ROLLOUT_SCHEMA
from rl_core.rollout.responses import EncodedPrompt, encode_prompts, response_fields, response_text
from rl_core.training.checkpoint import checkpoints, latest_whole, save_checkpoint
from rl_core.training.journal import Journal, Stopped, StopRequest
from rl_core.training.policy import Experience, StepSettings
from rl_core.training.sequences import TokenSequence
from rl_core.workers import Workers, start_workers

# Mean |log-prob difference| between engine and trainer in the first step of a process. Rounding gives about 0.01; weights that did not
# arrive (a stale copy of a tied output head, say) give about 1.
LARGEST_FIRST_DIFFERENCE = 0.3


@dataclass(frozen=True)
class Rollout:
    """One scored response."""

    encoded: EncodedPrompt
    group: int  # index of its prompt within the step
    sample: int
    completion: Completion
    text: str
    score: Score
    token_rewards: list[float]  # dense penalties; their sum is among the score's components
    advantage: float = 0.0  # mean over its tokens; 0 for a response that dynamic sampling set aside


def total_steps(config: RlConfig, prompts: int) -> int:
    """Steps of a stage over a prompt set: `steps`, or as many as `epochs` need."""
    return config.steps or math.ceil((config.epochs or 0) * prompts / config.prompts_per_step)


def train_rl(job: TrainJob, config: RlConfig) -> None:
    """Run or continue an RL stage in `job.output`.

    Raises:
        DataError: no usable prompt.
        Stopped: after a signal; the checkpoint of the last finished step is written.
    """
    stop = StopRequest()
    components = resolve(config.reward)
    prompts = [prompt for path in job.prompts for prompt in read_prompts(path)]
    start = str(job.model)
    resumed = latest_whole(job.output / "checkpoints")
    tokenizer = load_tokenizer(start)
    encoded = encode_prompts(prompts, config.template, tokenizer)
    if not encoded:
        raise DataError(f"{job.prompts[0]}: no prompts to train on")
    total = total_steps(config, len(encoded))
    journal = Journal(job.output, total)
    first = resumed[1]["step"] if resumed else 0
    journal.rewind(first)
    _drop_rollouts_after(job.output, first)
    sampler = EpochSampler(len(encoded), job.seed, resumed[1]["drawn"] if resumed else 0)
    reference = (job.reference or start) if config.algorithm.uses_reference else None
    started, tokens = time.time(), 0
    journal.progress(first, {})
    if first < total:
        workers = start_workers(str(resumed[0]) if resumed else start, config, reference, resumed[0] if resumed else None, stop)
        try:
            for step in range(first + 1, total + 1):
                drawn = sampler.drawn
                try:
                    metrics = _train_step(
                        workers, encoded, sampler, config, components, tokenizer, job, step, total, check=step == first + 1
                    )
                except Stopped:
                    _checkpoint(workers, job, config, step - 1, drawn)
                    raise
                tokens += int(metrics["tokens"])
                journal.log(step, metrics)
                if step % config.checkpoint_every == 0 or step == total or stop.requested:
                    _checkpoint(workers, job, config, step, sampler.drawn)
                if stop.requested and step < total:
                    raise Stopped
        finally:
            workers.close()
    kept = [str(path.relative_to(job.output)) for path in checkpoints(job.output / "checkpoints")]
    journal.finish(
        {
            "checkpoint": kept[-1],
            "checkpoints": kept,
            "steps": total,
            "prompts": len(encoded),
            "tokens": tokens,
            "seconds": time.time() - started,
        }
    )


def _train_step(
    workers: Workers,
    prompts: list[EncodedPrompt],
    sampler: EpochSampler,
    config: RlConfig,
    components: dict[str, float],
    tokenizer: Any,
    job: TrainJob,
    step: int,
    total: int,
    *,
    check: bool,
) -> dict[str, float]:
    algorithm = config.algorithm
    learning_rate, temperature, kl_coefficient, value_learning_rate = (
        value_at(schedule, step - 1, total)
        for schedule in (config.learning_rate, config.temperature, algorithm.kl_coefficient, algorithm.value_learning_rate)
    )
    seconds: defaultdict[str, float] = defaultdict(float)
    clock = time.perf_counter()

    def lap(phase: str) -> None:
        nonlocal clock
        seconds[f"seconds/{phase}"] += time.perf_counter() - clock
        clock = time.perf_counter()

    rollouts: list[Rollout] = []
    used: list[int] = []  # of `rollouts`
    drawn = 0
    for _ in range(1 + algorithm.max_refills):
        batch = [prompts[index] for index in sampler.take(config.prompts_per_step - len(used) // config.group_size)]
        # One stream of random numbers per (run seed, step, prompt of the step), so that a resumed run samples the same responses.
        requests = [
            Request(encoded.token_ids, config.group_size, seed=(job.seed * 1_000_003 + step) * 65_537 + drawn + group)
            for group, encoded in enumerate(batch)
        ]
        groups = workers.generate(requests, Sampling(temperature, config.max_response_tokens))
        lap("rollout")
        scored = _score(workers, batch, groups, config, components, tokenizer, drawn)
        lap("score")
        used += [len(rollouts) + row for row in _usable(scored, config)]
        rollouts += scored
        drawn += len(batch)
        if len(used) == config.prompts_per_step * config.group_size:
            break
    if algorithm.max_refills and len(used) < config.prompts_per_step * config.group_size:
        kept = f"{len(used) // config.group_size} of {config.prompts_per_step} prompts"
        print(f"warning: step {step} trains on {kept}: the others of {drawn} drawn were answered all right or all wrong", file=sys.stderr)
    experiences = [
        Experience(
            TokenSequence(r.encoded.token_ids, r.completion.token_ids),
            r.completion.logprobs,
            r.score.reward - sum(r.token_rewards),
            r.group,
            r.token_rewards,
        )
        for r in (rollouts[row] for row in used)
    ]
    trained, advantages = workers.train(experiences, StepSettings(learning_rate, temperature, kl_coefficient, value_learning_rate))
    for row, advantage in zip(used, advantages, strict=True):
        rollouts[row] = replace(rollouts[row], advantage=advantage)
    lap("train")
    difference = trained.get("rollout_logprob_difference", 0.0)
    if check and difference > LARGEST_FIRST_DIFFERENCE:
        raise RuntimeError(
            f"engine and trainer disagree on the log-probs of the same tokens by {difference:.2f} on average: the engine does not run "
            "the weights that are trained"
        )
    workers.sync()
    lap("sync")
    rows = _rows(rollouts, step, temperature, tokenizer)
    _write_rollouts(job.output, step, rows)
    tokens = sum(row["response_tokens"] for row in rows)
    return (
        _summary(rollouts, rows)
        | trained
        | seconds
        | {
            "learning_rate": learning_rate,
            "temperature": temperature,
            "tokens": float(tokens),
            "tokens_per_second": tokens / sum(seconds.values()),
            "prompts_sampled": float(drawn),
            "prompts_used": len(used) / config.group_size,
        }
    )


def _usable(rollouts: list[Rollout], config: RlConfig) -> list[int]:
    """Rows to train on. Dynamic sampling (DAPO, arXiv 2503.14476, eq. 11) leaves out prompts answered all right or all wrong."""
    if config.algorithm.max_refills == 0:
        return list(range(len(rollouts)))
    correct = Counter(r.group for r in rollouts if r.score.verdict.outcome is Outcome.CORRECT)
    return [row for row, r in enumerate(rollouts) if 0 < correct[r.group] < config.group_size]


def _score(
    workers: Workers,
    batch: list[EncodedPrompt],
    groups: list[list[Completion]],
    config: RlConfig,
    components: dict[str, float],
    tokenizer: Any,
    first_group: int,
) -> list[Rollout]:
    prefill = find_template(config.template).prefill
    flat = [
        (encoded, group, sample, completion, response_text(completion, prefill, tokenizer))
        for group, (encoded, completions) in enumerate(zip(batch, groups, strict=True), first_group)
        for sample, completion in enumerate(completions)
    ]
    items = [
        ScoreItem(encoded.prompt.task, text, encoded.prompt.gold, completion.finish_reason) for encoded, _, _, completion, text in flat
    ]
    scores = workers.score(items, components)
    if len(scores) != len(batch) * config.group_size:
        raise RuntimeError(f"{len(scores)} scored responses for {len(batch)} prompts x {config.group_size}: a group is incomplete")
    return [
        rollout
        for start in range(0, len(flat), config.group_size)
        for rollout in _penalized(flat[start : start + config.group_size], scores[start : start + config.group_size], config)
    ]


def _penalized(group: list[tuple[EncodedPrompt, int, int, Completion, str]], scores: list[Score], config: RlConfig) -> list[Rollout]:
    """The rollouts of one prompt with the stage's penalties added to their scores."""
    settings, limit = config.penalties, config.max_response_tokens
    lengths = [len(completion.token_ids) for _, _, _, completion, _ in group]
    correct = [score.verdict.outcome is Outcome.CORRECT for score in scores]
    by_length = penalties.group_length(lengths, correct)
    rollouts = []
    for index, (fields, score) in enumerate(zip(group, scores, strict=True)):
        token_ids = fields[3].token_ids
        dense = penalties.dense_repetition(token_ids, settings.dense_repetition) if settings.dense_repetition else [0.0] * len(token_ids)
        added: dict[str, float] = {}
        if settings.repetition:
            added["repetition"] = penalties.repetition(token_ids, settings.repetition)
        if settings.dense_repetition:
            added["dense_repetition"] = sum(dense)
        if settings.cosine_length:
            added["cosine_length"] = penalties.cosine_length(lengths[index], correct[index], limit, settings.cosine_length)
        if settings.overlong:
            added["overlong"] = penalties.overlong(lengths[index], limit, settings.overlong)
        if settings.group_length:
            added["group_length"] = settings.group_length * by_length[index]
        total = math.fsum([score.reward, *added.values()])
        rollouts.append(Rollout(*fields, replace(score, reward=total, components=score.components | added), dense))
    return rollouts


def _rows(rollouts: list[Rollout], step: int, temperature: float, tokenizer: Any) -> list[dict[str, Any]]:
    return [
        response_fields(r.encoded, r.sample, r.text, r.completion, temperature, tokenizer)
        | {
            "step": step,
            "group": r.group,
            "outcome": r.score.verdict.outcome.value,
            "extracted": r.score.verdict.extracted,
            "policy_version": step - 1,
            "reward": r.score.reward,
            "components": list(r.score.components.items()),
            "advantage": r.advantage,
            "logprob": fmean(r.completion.logprobs),
        }
        for r in rollouts
    ]


def _summary(rollouts: list[Rollout], rows: list[dict[str, Any]]) -> dict[str, float]:
    rewards = [r.score.reward for r in rollouts]
    outcomes = Counter(row["outcome"] for row in rows)
    names = sorted(rollouts[0].score.components)
    return (
        {"reward": fmean(rewards), "reward_std": pstdev(rewards)}
        | {f"reward/{name}": fmean(r.score.components[name] for r in rollouts) for name in names}
        | {f"outcome/{outcome.value}": outcomes[outcome.value] / len(rows) for outcome in Outcome}
        | {name: fmean(row[name] or 0 for row in rows) for name in ("response_tokens", "think_tokens", "answer_tokens")}
        | {"zero_advantage": fmean(r.advantage == 0 for r in rollouts)}
    )


def _checkpoint(workers: Workers, job: TrainJob, config: RlConfig, step: int, drawn: int) -> None:
    state = {"step": step, "drawn": drawn}
    save_checkpoint(job.output / "checkpoints", step, workers.save, state, keep_last=config.keep_last)


def _write_rollouts(output: Path, step: int, rows: list[dict[str, Any]]) -> None:
    directory = output / "rollouts"
    directory.mkdir(exist_ok=True)
    aside = directory / f".step-{step:06d}.partial"
    pq.write_table(pa.Table.from_pylist(rows, schema=ROLLOUT_SCHEMA), aside, compression="zstd")
    aside.rename(directory / f"step-{step:06d}.parquet")


def _drop_rollouts_after(output: Path, step: int) -> None:
    for path in (output / "rollouts").glob("step-*.parquet"):
        if int(path.stem.removeprefix("step-")) > step:
            path.unlink()
