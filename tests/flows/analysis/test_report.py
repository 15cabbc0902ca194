"""`r1flow report` of a run that goes on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from flows.analysis.report import write_report
from flows.planning.plan import Plan
from flows.runs.record import RunRecord
from rl_core.errors import InputError
from tasks.stage.digests import Digests
from tasks.stage.spec import at_work, write_manifest
from tests.flows.analysis.test_ingest import write_step


@pytest.fixture
def plan(plan_of: Callable[..., Plan]) -> Plan:
    return plan_of()


@pytest.fixture
def record(plan: Plan) -> RunRecord:
    record = RunRecord.begin(plan)
    record.ended.set()
    return record


def test_nothing_to_show_yet(plan: Plan, record: RunRecord) -> None:
    with pytest.raises(
        InputError, match=r"^run mini/.*: no stage of training or evaluation has begun; go on with it: r1flow resume mini/.*$"
    ):
        write_report(plan.workspace, record.content, None)


@pytest.mark.slow
def test_the_steps_of_a_running_stage_are_shown_and_it_is_said_that_it_runs(plan: Plan, record: RunRecord, tmp_path: Path) -> None:
    specs = {stage.spec.stage: stage.spec for stage in plan.stages}
    digests = Digests(plan.workspace.root / ".digests.json")
    cold, warm = specs["cold"], specs["warm"]
    with at_work(cold, digests):
        (cold.directory / "metrics.jsonl").write_text("".join(json.dumps({"step": n, "loss": 3.0 - n}) + "\n" for n in (1, 2)))
        write_manifest(cold, {}, digests, seconds=90.0, finished=0.0)
    with at_work(warm, digests):
        (warm.directory / "rollouts").mkdir()
        (warm.directory / "progress.jsonl").write_text(json.dumps({"step": 2, "total": 5, "metrics": {}}) + "\n")
        metrics = [{"step": n, "entropy": 0.5, "clip_fraction": 0.01, "learning_rate": 1e-6} for n in (1, 2)]
        (warm.directory / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in metrics) + '{"step": 3, "entr')
        for step in (1, 2):
            write_step(warm.directory, step)
        page = write_report(plan.workspace, record.content, tmp_path / "page")
        first = page.read_text()
        assert "The run is not finished." in first
        assert "<b>warm</b>: running at step 2 of 5" in first
        assert "<b>puzzles, scores, cot, report</b>: not begun" in first
        assert "2 steps" in first
        for name in ("reward", "health", "sft"):
            assert (page.parent / "figures" / f"{name}.svg").is_file()
        assert "1.5 min" in first  # of the cold start, which wrote no response
        write_step(warm.directory, 3)
        assert "3 steps" in write_report(plan.workspace, record.content, tmp_path / "page").read_text()
        write_manifest(warm, {}, digests, seconds=2.0, finished=0.0)
    between = write_report(plan.workspace, record.content, tmp_path / "page").read_text()
    assert "The run is not finished." in between
    assert "<b>warm</b>" not in between
    for name in ("puzzles", "scores", "cot", "report"):
        with at_work(specs[name], digests):
            write_manifest(specs[name], {}, digests, seconds=2.0, finished=0.0)
    assert "not finished" not in write_report(plan.workspace, record.content, tmp_path / "page").read_text()
