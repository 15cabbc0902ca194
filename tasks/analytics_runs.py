"""Stages and runs as analytics sees them, from the files that they keep in the workspace."""

from pathlib import Path
from typing import Any

from evals.config import RunInfo, StageRun
from tasks.stage.records import SPEC, read_record
from tasks.stage.spec import read_manifest


def stage_run(experiment: str, stage: str, kind: Any, fingerprint: str, directory: Path, position: int, start: str | None) -> StageRun:
    """A stage with the time and the devices that it took, where its files tell."""
    manifest = read_manifest(directory) or {}
    settings = (read_record(directory / SPEC) or {}).get("settings", {})
    resources = settings.get("resources", {})
    training, rollout = resources.get("training_workers", 1), resources.get("rollout_workers", 1) * resources.get("tensor_parallel", 1)
    return StageRun(
        experiment=experiment,
        stage=stage,
        kind=kind,
        fingerprint=fingerprint,
        directory=directory,
        position=position,
        start=start,
        seconds=manifest.get("seconds"),
        devices=settings.get("gpus") or (training + rollout if resources.get("placement") == "separate" else max(training, rollout)),
        external=manifest.get("result", {}).get("external", False),
    )


def run_info(record: dict[str, Any]) -> RunInfo:
    facts = {name: record.get(name) for name in ("experiment", "run", "state", "started", "finished", "recipe")}
    return RunInfo.model_validate(facts)
