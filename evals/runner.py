"""Runs an evaluation: a matrix of checkpoints and benchmarks, samples to Parquet, scores to JSON.

Every cell of the matrix is a unit of its own (`evals.cells`): one that is finished is never made again, and one that was interrupted goes
on from its finished responses.
"""

import filecmp
import json
import os
import re
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from evals import protocol
from evals.answer_readers import find_reader
from evals.benchmarks import registry
from evals.benchmarks.problems import digest_of
from evals.benchmarks.registry import Benchmark
from evals.cell_work import OnProgress, Progress, run
from evals.cells import CELL_VERSION, Cell, Mode, Row, fingerprint_of
from evals.config import BenchmarkSettings, EvalConfig, EvalJob, NamedCheckpoint
from evals.engines import ENGINES
from evals.engines.interface import was_asked
from evals.engines.local import longest_prompt
from evals.engines.start import start_engine
from evals.scores import ScoredCell, comparison_table, score_table
from rl_core.data.templates import find_template
from rl_core.errors import InputError
from rl_core.fence import Fence
from rl_core.files import write_json
from rl_core.judge.start import start_judge
from rl_core.model.precision import dtype_of
from rl_core.model.pretrained import check_model
from rl_core.own_code.reference import find
from rl_core.own_code.sources import CODE, digests, sources
from rl_core.own_code.verifier import copies
from rl_core.rewards.pool import ScoringPool
from rl_core.rewards.verify import judged_by_text
from rl_core.rollout.engine import Sampling
from rl_core.rollout.records import SAMPLE_SCHEMA
from rl_core.training.journal import peak_memory

_FINGERPRINT = b"r1flow.cell"


def evaluate(job: EvalJob, on_progress: OnProgress | None = None) -> dict[str, Any]:
    """Run or continue an evaluation in `job.output`; returns what is in its `scores.json`.

    Raises InputError if a setting, file or model is wrong, before the first model is loaded where that can be known; or an endpoint fails.
    """
    cells = plan(job)
    config = job.config
    finished: list[Cell] = []
    waiting: list[Cell] = []
    for cell in cells:
        (finished if cell.finished() else waiting).append(cell)
    longest = _check_prompts(waiting, config)
    job.output.mkdir(parents=True, exist_ok=True)
    for benchmark in {cell.benchmark.name: cell.benchmark for cell in cells}.values():
        if benchmark.doubt:
            print(f"warning: {benchmark.doubt}", flush=True)
    progress = Progress(job, cells, on_progress)
    for cell in finished:
        progress.skip(cell)
    opinions = start_judge(config.judge, job.replies)
    with ScoringPool(config.resources.scoring_workers, config.scoring_deadline, _code(job), opinions) as pool:
        for checkpoint in job.checkpoints:
            theirs = [cell for cell in waiting if cell.checkpoint is checkpoint]
            if theirs:
                with closing(start_engine(checkpoint, config, longest)) as engine:
                    for cell in theirs:
                        run(cell, engine, pool, progress, config)
    return _write_scores(job, cells)


def _code(job: EvalJob) -> list[Path]:
    """A user's own code: the copy of a stage, else where it is."""
    names = [name for settings in job.config.benchmarks for name in registry.own_code(settings)]
    return copies([job.output / CODE]) or [find(name, "class").root for name in names]


def plan(job: EvalJob) -> list[Cell]:
    """The cells of the matrix, checkpoint by checkpoint. Raises InputError if a name, file or setting is wrong."""
    names = [checkpoint.name for checkpoint in job.checkpoints]
    for checkpoint in job.checkpoints:
        if not re.fullmatch(r"[\w][\w.-]*", checkpoint.name) or names.count(checkpoint.name) > 1:
            raise InputError(f"checkpoint name {checkpoint.name!r} must be unique and of letters, digits, dots and dashes: it names files")
        if not ENGINES[job.config.engine].endpoint:
            check_model(checkpoint.path)
    find_reader(job.config.reader)
    for settings in job.config.benchmarks:
        registry.local_files(settings, job.data_dir)
        find_template(settings.template or job.config.template)
    loaded = [(settings, registry.open_benchmark(settings, job.data_dir)) for settings in job.config.benchmarks]
    for _, benchmark in loaded:
        if not benchmark.problems:
            raise InputError(f"benchmark {benchmark.name}: no problems; its file is empty")
    return [_cell(job, checkpoint, settings, benchmark) for checkpoint in job.checkpoints for settings, benchmark in loaded]


def _cell(job: EvalJob, checkpoint: NamedCheckpoint, settings: BenchmarkSettings, benchmark: Benchmark) -> Cell:
    config = job.config
    max_tokens, stop = settings.max_tokens or config.max_tokens, tuple(config.stop)
    modes = [Mode("greedy", 1, Sampling(0.0, max_tokens, stop=stop))] if config.greedy else []
    samples = settings.samples or config.samples
    if samples:
        sampling = Sampling(config.temperature, max_tokens, config.top_p, stop)
        modes.append(Mode("sampled", None if samples == "auto" else samples, sampling))
    template = find_template(settings.template or config.template)
    identity = {
        "version": CELL_VERSION,
        "checkpoint": checkpoint.digest or checkpoint.path,
        "endpoint": config.resources.base_url,
        "benchmark": benchmark.name,
        "problems": digest_of(benchmark.problems),
        "template": template.identity(),
        "reader": config.reader,
        "rules": sorted(config.rules),
        "modes": [[mode.name, mode.samples or {"width": config.width}, asdict(mode.sampling)] for mode in modes],
        "seed": job.seed,
        "engine": config.engine,
        "dtype": None if ENGINES[config.engine].endpoint else str(dtype_of(config.dtype)).removeprefix("torch."),
    }
    if config.judge:
        identity["judge"] = config.judge.identity
    if names := registry.own_code(settings):
        identity["code"] = digests(sources(names, "class"))
    identity = json.loads(json.dumps(identity))  # tuples to lists: as it is read back
    cells = job.cells or job.output / ".cells"
    return Cell(checkpoint, benchmark, template, tuple(modes), identity, cells / fingerprint_of(identity))


def _check_prompts(cells: list[Cell], config: EvalConfig) -> int:
    """Whether every prompt can be written and fits; returns the tokens of the longest prompt and its response together."""
    if ENGINES[config.engine].endpoint:
        return 0
    lengths = [0]
    for cell in cells:
        max_tokens = max(mode.sampling.max_tokens for mode in cell.modes)
        longest = longest_prompt(cell.checkpoint, cell.benchmark.name, cell.benchmark.problems, cell.template, max_tokens)
        lengths.append(longest + max_tokens)
    return max(lengths)


def _export(job: EvalJob, cell: Cell) -> list[Row]:
    """The samples of a finished cell under the names of this evaluation: `samples/<checkpoint>/<benchmark>.parquet`."""
    path = job.output / "samples" / cell.checkpoint.name / f"{cell.benchmark.name}.parquet"
    schema = SAMPLE_SCHEMA.with_metadata({_FINGERPRINT: cell.fingerprint.encode()})
    rows = [row | {"checkpoint": cell.checkpoint.name} for row in cell.rows()]
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.partial")
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), aside, compression="zstd")
    if path.exists() and filecmp.cmp(aside, path, shallow=False):
        aside.unlink()
    else:
        os.replace(aside, path)
    return rows


def _write_scores(job: EvalJob, cells: list[Cell]) -> dict[str, Any]:
    scored, records = [], []
    for cell in cells:
        record = cell.finished()
        if record is None:
            raise RuntimeError(f"{cell.directory} vanished while the evaluation ran")
        rows = _export(job, cell)
        scored.append(ScoredCell(cell.checkpoint.name, cell.benchmark.name, rows))
        too_long = {row["prompt_id"] for row in rows if not was_asked(row, cell.template)}
        counts = {"tokens": sum(row["response_tokens"] for row in rows), "not_asked": len(too_long)}
        records.append(_record(job, cell, record) | counts)
    scores = {
        "scores": score_table(scored),
        "comparisons": comparison_table(scored),
        "cells": records,
        "seconds": sum(record["seconds"] for record in records),
        "tokens": sum(record["tokens"] for record in records),
        "peak_memory_bytes": peak_memory(),
    }
    Fence(job.lease).require()
    write_json(job.output / "scores.json", scores)
    return scores


def _record(job: EvalJob, cell: Cell, record: dict[str, Any]) -> dict[str, Any]:
    """What a score was made with: protocol, engine, data, code."""
    config = job.config
    settings = config.model_dump(mode="json")
    by_text = sum(judged_by_text(problem.task, problem.gold) for problem in cell.benchmark.problems)
    return {
        "checkpoint": cell.checkpoint.name,
        "path": cell.checkpoint.path,
        "benchmark": cell.benchmark.name,
        "fingerprint": cell.fingerprint,
        "protocol": {
            "name": config.protocol,
            "overrides": protocol.overrides(settings) if config.protocol else {},
            "template": cell.template.name,
            "reader": config.reader,
            "rules": cell.identity["rules"],
            "modes": cell.identity["modes"],
        },
        "data": {
            "rows": cell.benchmark.rows,
            "digest": cell.benchmark.digest,
            "as_published": cell.benchmark.doubt is None if cell.benchmark.published else None,
            "problems": len(cell.benchmark.problems),
            "problems_digest": cell.identity["problems"],
        }
        | ({"golds_by_text": by_text} if by_text else {}),
        "judge": {"settings": cell.identity["judge"], **record["judge"]} if config.judge else None,
        "seed": job.seed,
        "engine": record["engine"],
        "software": record["software"],
        "seconds": record["seconds"],
    }
