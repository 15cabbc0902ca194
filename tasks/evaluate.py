"""Evaluation stage: checkpoints on benchmarks, in a process of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from evals.config import EvalConfig, EvalJob, NamedCheckpoint
from tasks.stage import JOB, Lease, StageFailed, StageSpec
from tasks.train import final_checkpoint
from tasks.trainer_process import Progress, run_module
from tasks.workspace import read_json, write_json


def run(spec: StageSpec, lease: Lease, on_progress: Callable[[Progress], None]) -> dict[str, Any]:
    """Evaluate; returns tokens, seconds and memory, the scores are in `scores.json`."""
    config = EvalConfig.model_validate(spec.settings)
    checkpoints = [NamedCheckpoint(name=up.stage, path=str(final_checkpoint(up))) for up in spec.upstream["checkpoints"]]
    if isinstance(spec.model, str):
        checkpoints.insert(0, NamedCheckpoint(name="model", path=spec.model))
    job = EvalJob(config=config, checkpoints=checkpoints, output=spec.directory, data_dir=spec.data_dir, seed=spec.seed)
    path = spec.directory / JOB
    write_json(path, job.model_dump(mode="json"))
    run_module("evals.run", path, lease, on_progress)
    scores = read_json(spec.directory / "scores.json")
    if scores is None:
        raise StageFailed(f"stage {spec.directory.name}: the evaluation left no scores.json; see {spec.directory / 'log.txt'}")
    judged = {(score["checkpoint"], score["benchmark"]) for score in scores["scores"]}
    wanted = {(checkpoint.name, benchmark.name) for checkpoint in checkpoints for benchmark in config.benchmarks}
    if wanted - judged:
        checkpoint, benchmark = min(wanted - judged)
        raise StageFailed(f"stage {spec.directory.name}: no score of {checkpoint} on {benchmark}; run again to go on")
    return {key: scores[key] for key in ("seconds", "tokens", "peak_memory_bytes") if key in scores}
