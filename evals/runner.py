"""Runs an evaluation: every checkpoint on every benchmark, samples to Parquet, scores to JSON."""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from evals.benchmarks import registry
from evals.config import BenchmarkSettings, EvalConfig, EvalJob, NamedCheckpoint
from evals.scores import Cell, comparison_table, measures, score_table
from rl_core.data.prompts import Prompt
from rl_core.data.templates import find_template
from rl_core.errors import InputError
from rl_core.model.pretrained import check_model
from rl_core.outcome import Outcome
from rl_core.rewards.pool import ScoreItem, ScoringPool
from rl_core.rollout.engine import Completion, Request, RolloutEngine, Sampling, generate_all
from rl_core.rollout.records import SAMPLE_SCHEMA
from rl_core.rollout.responses import EncodedPrompt, encode_prompts, response_fields, response_text
from rl_core.training.journal import Journal, peak_memory

_METADATA = b"r1flow.evaluation"


@dataclass(frozen=True)
class _Task:
    """One cell of the evaluation."""

    checkpoint: NamedCheckpoint
    benchmark: str
    problems: list[Prompt]
    template: str
    modes: list[tuple[str, int, Sampling]]  # name, samples per problem, how they are drawn
    seed: int
    path: Path

    @property
    def responses(self) -> int:
        return len(self.problems) * sum(samples for _, samples, _ in self.modes)

    @property
    def settings(self) -> dict[str, Any]:
        """All that the samples depend on besides the checkpoint and the problems."""
        modes = [[name, samples, sampling.temperature, sampling.max_tokens] for name, samples, sampling in self.modes]
        return {"checkpoint": self.checkpoint.path, "template": self.template, "modes": modes, "seed": self.seed}


def evaluate(job: EvalJob) -> None:
    """Run or continue an evaluation in `job.output`.

    Cells whose Parquet file is whole and was made with these settings are kept.

    Raises:
        InputError: a setting, file or model is wrong; before the first model is loaded where that can be known.
    """
    tasks = _plan(job)
    job.output.mkdir(parents=True, exist_ok=True)
    journal = Journal(job.output, sum(task.responses for task in tasks))
    finished = [task for task in tasks if _read(task) is not None]
    done = sum(task.responses for task in finished)
    journal.progress(done, {})
    with ScoringPool(job.config.resources.scoring_workers, job.config.scoring_deadline) as pool:
        for checkpoint in job.checkpoints:
            waiting = [task for task in tasks if task.checkpoint is checkpoint and task not in finished]
            if waiting:
                _run_checkpoint(waiting, job.config, pool, journal, done)
                done += sum(task.responses for task in waiting)
    _write_scores(job, tasks)


def _plan(job: EvalJob) -> list[_Task]:
    names = [checkpoint.name for checkpoint in job.checkpoints]
    for checkpoint in job.checkpoints:
        if not re.fullmatch(r"[\w][\w.-]*", checkpoint.name) or names.count(checkpoint.name) > 1:
            raise InputError(f"checkpoint name {checkpoint.name!r} must be unique and of letters, digits, dots and dashes: it names files")
        check_model(checkpoint.path)
    for settings in job.config.benchmarks:
        registry.check(settings, job.data_dir)
        find_template(settings.template or job.config.template)
    loaded = [(settings, registry.load(settings, job.data_dir, job.seed)) for settings in job.config.benchmarks]
    for settings, problems in loaded:
        if not problems:
            raise InputError(f"benchmark {settings.name}: no problems; its file is empty")
    return [_task(job, checkpoint, settings, problems) for checkpoint in job.checkpoints for settings, problems in loaded]


def _task(job: EvalJob, checkpoint: NamedCheckpoint, settings: BenchmarkSettings, problems: list[Prompt]) -> _Task:
    config = job.config
    max_tokens = settings.max_tokens or config.max_tokens
    modes = [("greedy", 1, Sampling(0.0, max_tokens))] if config.greedy else []
    if config.samples:
        modes.append(("sampled", config.samples, Sampling(config.temperature, max_tokens)))
    path = job.output / "samples" / checkpoint.name / f"{settings.name}.parquet"
    return _Task(checkpoint, settings.name, problems, settings.template or config.template, modes, job.seed, path)


def _run_checkpoint(tasks: list[_Task], config: EvalConfig, pool: ScoringPool, journal: Journal, done: int) -> None:
    """Load a checkpoint once for all its cells; the model is freed on return."""
    from rl_core.rollout.transformers_engine import TransformersEngine
    from rl_core.workers import use_threads

    use_threads(config.resources)
    engine = TransformersEngine(tasks[0].checkpoint.path, batch_tokens=config.batch_tokens)
    for task in tasks:
        _run(task, engine, pool, journal, done, config.batch_tokens)
        done += task.responses


def _run(task: _Task, engine: RolloutEngine, pool: ScoringPool, journal: Journal, done: int, batch_tokens: int) -> None:
    """Sample and judge one cell and write its file in one piece."""
    started, tokens = time.perf_counter(), 0
    encoded = encode_prompts(task.problems, task.template, engine.tokenizer)
    rows: list[tuple[int, int, dict[str, Any]]] = []  # mode, problem, row
    for number, (mode, samples, sampling) in enumerate(task.modes):
        for batch in _batches(encoded, samples, sampling.max_tokens, batch_tokens):
            requests = [Request(encoded[index].token_ids, samples, _seed(task.seed, encoded[index].prompt)) for index in batch]
            groups = generate_all(engine, requests, sampling)
            made = _judged(task, mode, sampling, [encoded[index] for index in batch], requests, groups, engine.tokenizer, pool)
            rows += [(number, batch[position], row) for position, row in made]
            tokens += sum(row["response_tokens"] for _, row in made)
            seconds = time.perf_counter() - started
            journal.progress(
                done + len(rows),
                {
                    "accuracy": fmean(row["correct"] for _, _, row in rows),
                    "response_tokens": tokens / len(rows),
                    "tokens_per_second": tokens / seconds,
                },
            )
    rows.sort(key=lambda entry: (entry[0], entry[1], entry[2]["sample"]))
    _write(task, [row for _, _, row in rows], time.perf_counter() - started)
    outcomes = Counter(row["outcome"] for _, _, row in rows)
    shares = ", ".join(f"{outcome} {count / len(rows):.1%}" for outcome, count in outcomes.most_common())
    print(f"{task.checkpoint.name} on {task.benchmark}: {len(task.problems)} problems, {len(rows)} responses: {shares}", flush=True)


def _batches(encoded: list[EncodedPrompt], samples: int, max_tokens: int, batch_tokens: int) -> Iterator[list[int]]:
    """Indices of problems that are generated together, the longest first: one batch of the engine, so that progress is live."""
    batch: list[int] = []
    tokens = 0
    for index in sorted(range(len(encoded)), key=lambda index: len(encoded[index].token_ids), reverse=True):
        size = samples * (len(encoded[index].token_ids) + max_tokens)
        if batch and tokens + size > batch_tokens:
            yield batch
            batch, tokens = [], 0
        batch.append(index)
        tokens += size
    if batch:
        yield batch


def _judged(
    task: _Task,
    mode: str,
    sampling: Sampling,
    encoded: list[EncodedPrompt],
    requests: list[Request],
    groups: list[list[Completion]],
    tokenizer: Any,
    pool: ScoringPool,
) -> list[tuple[int, dict[str, Any]]]:
    """Position in the batch and row of every response."""
    prefill = find_template(task.template).prefill
    flat = [
        (position, sample, completion, response_text(completion, prefill, tokenizer))
        for position, completions in enumerate(groups)
        for sample, completion in enumerate(completions)
    ]
    verdicts = pool.judge(
        [
            ScoreItem(encoded[position].prompt.task, text, encoded[position].prompt.gold, completion.finish_reason)
            for position, _, completion, text in flat
        ]
    )
    return [
        (
            position,
            response_fields(encoded[position], sample, text, completion, sampling.temperature, tokenizer)
            | {
                "checkpoint": task.checkpoint.name,
                "benchmark": task.benchmark,
                "mode": mode,
                "outcome": verdict.outcome.value,
                "extracted": verdict.extracted,
                "correct": verdict.outcome is Outcome.CORRECT,
                "seed": requests[position].seed,
            },
        )
        for (position, sample, completion, text), verdict in zip(flat, verdicts, strict=True)
    ]


def _seed(seed: int, problem: Prompt) -> int:
    """A problem has the same random numbers in every evaluation with the same seed, beside whatever other problems."""
    digest = hashlib.sha256(f"{seed}/{problem.prompt_id}".encode()).digest()
    return int.from_bytes(digest[:7], "big")


def _write(task: _Task, rows: list[dict[str, Any]], seconds: float) -> None:
    task.path.parent.mkdir(parents=True, exist_ok=True)
    schema = SAMPLE_SCHEMA.with_metadata({_METADATA: json.dumps({"settings": task.settings, "seconds": seconds}).encode()})
    aside = task.path.with_name(f".{task.path.name}.partial")
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), aside, compression="zstd")
    os.replace(aside, task.path)


def _read(task: _Task) -> tuple[list[dict[str, Any]], float] | None:
    """Rows of a finished cell and the seconds it took; None if it is absent, broken or of other settings or problems."""
    if not task.path.is_file():
        return None
    try:
        table = pq.read_table(task.path)
    except (OSError, pa.ArrowException):
        return None
    made = json.loads((table.schema.metadata or {}).get(_METADATA, b"{}"))
    expected = [prompt.prompt_id for _, samples, _ in task.modes for prompt in task.problems for _ in range(samples)]
    if made.get("settings") != task.settings or table["prompt_id"].to_pylist() != expected:
        return None
    return table.to_pylist(), made["seconds"]


def _write_scores(job: EvalJob, tasks: list[_Task]) -> None:
    cells, seconds, tokens = [], 0.0, 0
    for task in tasks:
        found = _read(task)
        if found is None:
            raise RuntimeError(f"{task.path} vanished while the evaluation ran")
        rows, spent = found
        cells.append(Cell(task.checkpoint.name, task.benchmark, rows))
        seconds += spent
        tokens += sum(row["response_tokens"] for row in rows)
    wanted = measures(job.config.greedy, job.config.samples)
    scores = {
        "scores": score_table(cells, wanted),
        "comparisons": comparison_table(cells, wanted),
        "seconds": seconds,
        "tokens": tokens,
        "peak_memory_bytes": peak_memory(),
    }
    aside = job.output / ".scores.partial"
    aside.write_text(json.dumps(scores, indent=1))
    os.replace(aside, job.output / "scores.json")
