"""What a trainer or an evaluation left that ended well, and is not all that was asked for: run again, it goes on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rl_core.config.jobs import TrainJob
from rl_core.config.rl import RlConfig
from rl_core.errors import InputError
from rl_core.files import write_json
from tasks.kind import Work
from tasks.kinds.eval import KIND
from tasks.stage.digests import Digests
from tasks.stage.lease import Lease, StageFailed
from tasks.stage.records import SPEC
from tasks.stage.spec import StageSpec, at_work, why_not_done, write_manifest
from tasks.tracking.stage_run import StageRecord
from tasks.trainer.ray_job import _judge
from tasks.trainer.train import train
from tasks.workspace import write_record
from tests.tasks.trainer.test_local_process import run


@pytest.mark.follows("steps were done; run again to go on", "is missing; run again to go on")
def test_a_trainer_that_ends_early(lease: Lease, monkeypatch: pytest.MonkeyPatch) -> None:
    config = RlConfig.model_validate({"steps": 3, "resources": {"ray": False}})
    job = TrainJob(kind="rl", rl=config, model="m", prompts=[Path("p")], output=lease.directory)
    checkpoint = "checkpoints/step-000003"

    def run(steps: int, *, saved: bool) -> dict[str, Any]:
        def trainer(*_: object) -> None:
            write_json(lease.directory / "result.json", {"steps": steps, "checkpoint": checkpoint})
            if saved:
                (lease.directory / checkpoint).mkdir(parents=True)

        monkeypatch.setattr("tasks.trainer.train.run_module", trainer)
        return train(job, lease, lambda progress: None, steps=3)

    with pytest.raises(StageFailed, match="2 of 3 steps were done; run again to go on"):
        run(2, saved=False)
    with pytest.raises(StageFailed, match="the checkpoint checkpoints/step-000003 is missing; run again to go on"):
        run(3, saved=False)
    assert run(3, saved=True)["steps"] == 3


@pytest.mark.follows("no score of {} on {}; run again to go on")
def test_an_evaluation_that_leaves_a_benchmark_out(
    lease: Lease, spec_of: Callable[..., StageSpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"benchmarks": [{"name": "gsm8k"}, {"name": "math500"}]}
    identity = {"kind": "eval", "inputs": {}, "files": {}}
    spec = spec_of(kind="eval", settings=settings, upstream={"checkpoints": []}, model="org/model", identity=identity)
    spec.directory.mkdir(parents=True, exist_ok=True)

    def run(*benchmarks: str) -> dict[str, Any]:
        scores = [{"checkpoint": "model", "benchmark": name} for name in benchmarks]
        written = {"scores": scores, "cells": [], "tokens": 7}
        monkeypatch.setattr("tasks.kinds.eval.run_module", lambda *_: write_record(spec.directory / "scores.json", written))
        return KIND.run(spec, Work(lease, lambda progress: None, {}))

    with pytest.raises(StageFailed, match="no score of model on math500; run again to go on"):
        run("gsm8k")
    assert run("gsm8k", "math500")["tokens"] == 7


@pytest.mark.follows("the whole log is {}; run again to go on")
def test_a_crash_here_or_on_a_cluster_and_another_attempt(lease: Lease) -> None:
    with pytest.raises(StageFailed, match=r"out of luck; the whole log is .*log.txt; run again to go on from the last checkpoint"):
        run("crash", lease)
    lost = SimpleNamespace(status="FAILED", driver_exit_code=None, message="\nThe node died.\nmore")
    with pytest.raises(StageFailed, match=r"The node died\.; the whole log is .*log.txt; run again to go on"):
        _judge(lost, lease.directory, 0)
    assert "RuntimeError: out of luck" in (lease.directory / "log.txt").read_text()
    run("good", lease)


@pytest.mark.follows("missing or damaged; r1flow resume writes it again")
@pytest.mark.parametrize("content", [None, "{", "[]"])
def test_a_stage_whose_settings_mlflow_cannot_be_told(spec_of: Callable[..., StageSpec], tmp_path: Path, content: str | None) -> None:
    spec, digests = spec_of(), Digests(tmp_path / "digests.json")
    with at_work(spec, digests):
        write_manifest(spec, {}, digests)

    def begin() -> None:
        StageRecord.begin(None, spec.directory, tracking_uri="sqlite:///x", experiment="1", parent="2")  # type: ignore[arg-type]

    begin()
    (spec.directory / SPEC).unlink()
    if content is not None:
        (spec.directory / SPEC).write_text(content)
    with pytest.raises(InputError, match=r"spec\.json: missing or damaged; r1flow resume writes it again"):
        begin()
    assert why_not_done(spec, digests) == "spec.json is missing or damaged"  # so it runs once more
    with at_work(spec, digests):
        begin()
        write_manifest(spec, {}, digests)
    assert why_not_done(spec, digests) is None
