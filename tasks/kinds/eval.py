"""Evaluation stage: checkpoints on benchmarks, in a process of its own."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatch
from typing import Any

from evals.config import EvalConfig, EvalJob, NamedCheckpoint
from rl_core.model.pretrained import MODEL_FILES
from tasks.stage.fingerprint import fingerprint
from tasks.stage.lease import Lease, StageFailed
from tasks.stage.records import SCORES, read_record
from tasks.stage.spec import JOB, StageSpec, Upstream, read_manifest
from tasks.trainer.local_process import Progress, run_module
from tasks.trainer.train import final_checkpoint
from tasks.workspace import Workspace, write_json


def run(spec: StageSpec, lease: Lease, on_progress: Callable[[Progress], None]) -> dict[str, Any]:
    """Evaluate; returns tokens, seconds and memory, the scores are in `scores.json`."""
    config = EvalConfig.model_validate(spec.settings)
    checkpoints = [_checkpoint(up) for up in spec.upstream["checkpoints"]]
    if isinstance(spec.model, str):
        checkpoints.insert(0, NamedCheckpoint(name="model", path=spec.model, digest=_model_digest(spec)))
    job = EvalJob(
        config=config,
        checkpoints=checkpoints,
        output=spec.directory,
        lease=lease.held,
        cells=Workspace(spec.workspace).cells,
        data_dir=spec.data_dir,
        seed=spec.seed,
    )
    path = spec.directory / JOB
    write_json(path, job.model_dump(mode="json"))
    run_module("evals.run", path, lease, on_progress)
    scores = read_record(spec.directory / SCORES)
    if scores is None:
        raise StageFailed(f"stage {spec.directory.name}: the evaluation left no scores.json; see {spec.directory / 'log.txt'}")
    judged = {(score["checkpoint"], score["benchmark"]) for score in scores["scores"]}
    wanted = {(checkpoint.name, benchmark.name) for checkpoint in checkpoints for benchmark in config.benchmarks}
    if wanted - judged:
        checkpoint, benchmark = min(wanted - judged)
        raise StageFailed(f"stage {spec.directory.name}: no score of {checkpoint} on {benchmark}; run again to go on")
    not_asked = sum(cell.get("not_asked", 0) for cell in scores["cells"])
    return {key: scores[key] for key in ("seconds", "tokens", "peak_memory_bytes") if key in scores} | {"not_asked": not_asked}


def _checkpoint(upstream: Upstream) -> NamedCheckpoint:
    """A trained checkpoint, known by the digests of its files: a stage made again the same keeps its scores."""
    path = final_checkpoint(upstream)
    outputs = (read_manifest(upstream.directory) or {"outputs": {}})["outputs"]
    inside = f"{path.relative_to(upstream.directory).as_posix()}/"
    files = {name.removeprefix(inside): output["sha256"] for name, output in outputs.items() if name.startswith(inside)}
    model = {name: digest for name, digest in files.items() if any(fnmatch(name, pattern) for pattern in MODEL_FILES)}
    return NamedCheckpoint(name=upstream.stage, path=str(path), digest=fingerprint(model) if model else None)


def _model_digest(spec: StageSpec) -> str | None:
    """Of the files of a local model directory; a hub id is known by its name."""
    files = {name.removeprefix("model/"): digest for name, digest in spec.identity["files"].items() if name.startswith("model/")}
    return fingerprint(files) if files else None
