"""A workspace with two runs that nothing was computed for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from flows.planning.plan import Plan
from flows.runs.record import RunRecord
from rl_core.files import write_json
from tasks.stage.digests import Digests
from tasks.stage.spec import StageSpec, at_work, write_manifest
from tasks.workspace import Workspace

PlanOf = Callable[..., Plan]
SCORE = {"checkpoint": "warm", "benchmark": "knights_knaves", "subset": None, "mode": "greedy", "metric": "accuracy", "value": 0.5}


def make(spec: StageSpec) -> None:
    digests = Digests(spec.workspace / ".digests.json")
    with at_work(spec, digests):
        result: dict[str, object] = {}
        if spec.kind == "data":
            (spec.directory / "train.parquet").write_text("rows")
            result = {"train": 40, "test": 5, "source": "generated", "checked": [benchmark["name"] for benchmark in spec.held_out]}
        if spec.kind in ("sft", "rl"):
            write_checkpoints(spec.directory, 2, 10)
            result = {"checkpoint": "checkpoints/step-000010", "checkpoints": ["checkpoints/step-000002", "checkpoints/step-000010"]}
        if spec.kind == "eval":
            write_json(spec.directory / "scores.json", {"scores": [SCORE]})
        write_manifest(spec, result, digests, seconds=1.0, finished=0.0)


def write_checkpoints(directory: Path, *steps: int) -> None:
    for step in steps:
        checkpoint = directory / "checkpoints" / f"step-{step:06d}"
        checkpoint.mkdir(parents=True)
        (checkpoint / "model.safetensors").write_text("weights")
        write_json(checkpoint / "files.json", {})


@pytest.fixture
def runs(plan_of: PlanOf, tmp_path: Path) -> Workspace:
    """A workspace with two runs of `mini`, which differ in `warm` and what follows."""
    for changes in (("warm.temperature=0.9",), ()):
        plan = plan_of(*changes)
        for stage in plan.to_run:
            if stage.spec.kind in ("data", "sft", "rl", "eval"):
                make(stage.spec)
        RunRecord.begin(plan).end("done")
    return Workspace.at(tmp_path / "runs")
