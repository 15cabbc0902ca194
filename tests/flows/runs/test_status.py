"""`r1flow status`, and the warnings that it shares with `lineage` and the end of a run."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from flows.history.lineage import described
from flows.history.references import find
from flows.planning.plan import Plan
from flows.recipe.smoke import SMOKE_SUFFIX
from flows.runs.record import RunRecord
from flows.runs.stage_warnings import stage_warnings
from flows.runs.status import print_status
from flows.runs.summary import print_scores, score_table, warnings
from tasks.workspace import Workspace, read_json, write_record

PlanOf = Callable[..., Plan]


@pytest.fixture
def done(plan_of: PlanOf, make: Callable[..., None]) -> Plan:
    """The plan of a run that is finished."""
    plan = plan_of()
    for stage in plan.stages:
        make(stage.spec)
    return plan_of()


@pytest.fixture
def idle(done: Plan) -> Plan:
    """... whose RL stage learned nothing."""
    RunRecord.begin(done).end("done")
    row = {"reward": -3.0, "reward_std": 0.0, "learning_rate": 1e-6, "outcome/correct": 0.1}
    lines = [json.dumps({"step": step, **row}) + "\n" for step in range(1, 4)]
    (find(done.workspace, "mini/warm").stage.directory / "metrics.jsonl").write_text("".join(lines) + "{broken\n")
    return done


def status(workspace: Workspace, width: int = 80) -> list[str]:
    text = io.StringIO()
    print_status(workspace, Console(file=text, width=width))
    return text.getvalue().splitlines()


def test_rows_say_their_run_and_whole_directories(done: Plan, plan_of: PlanOf, make: Callable[..., None]) -> None:
    first = RunRecord.begin(done)
    first.end("done")
    other = plan_of("warm.temperature=0.9")
    changed = next(stage.spec for stage in other.stages if stage.spec.stage == "warm")
    make(changed)
    last = RunRecord.begin(other)
    last.end("failed", "no more")
    lines = status(done.workspace)
    assert any(f"run {first.name} done, all stages reused" in line for line in lines)
    assert any(f"run {last.name} failed, 4 of 6 stages to make" in line and line.endswith(": no more") for line in lines)
    rows = {line.split()[-1]: line for line in lines if str(done.workspace.root) in line}
    old = next(stage.spec.directory for stage in done.stages if stage.spec.stage == "warm")
    assert first.name in rows[str(old)]
    assert last.name in rows[str(changed.directory)]
    assert last.name in rows[str(other.stages[0].spec.directory)]  # the data, which both runs have


def test_a_stage_that_learned_nothing_says_so_everywhere(idle: Plan) -> None:
    text = "no gradient in 3 of 3 steps"
    assert sum(f"warning: warm: {text}" in line for line in status(idle.workspace)) == 1
    assert [line for line in warnings(idle) if text in line]
    for stage in idle.stages:
        manifest = stage.spec.directory / "manifest.json"
        write_record(manifest, read_json(manifest) | {"outputs": {}})
    assert any(text in line for line in described(idle.workspace, find(idle.workspace, "mini/warm")))


def test_the_smoke_profile_and_what_is_not_done_warn_of_nothing(idle: Plan) -> None:
    warm = find(idle.workspace, "mini/warm").stage.directory
    spec = read_json(warm / "spec.json")
    write_record(warm / "spec.json", spec | {"experiment": f"mini{SMOKE_SUFFIX}"})
    assert stage_warnings(warm) == []
    write_record(warm / "spec.json", spec)
    assert len(stage_warnings(warm)) == 1
    (warm / "manifest.json").unlink()
    assert stage_warnings(warm) == []


def test_a_table_of_one_score_is_not_broken_into_lines(tmp_path: Path) -> None:
    score = {"checkpoint": "anneal", "benchmark": "gsm8k", "subset": None, "mode": "greedy", "metric": "accuracy"}
    text = io.StringIO()
    print_scores(*score_table([score | {"value": 0.5, "low": 0.4, "high": 0.6, "detectable": 0.1}], []), Console(file=text, width=100))
    assert text.getvalue().splitlines() == [
        "",
        "Scores in percent [95 % interval]",
        "             gsm8k        ",
        "checkpoint   greedy       ",
        "anneal       50.0 [40, 60]",
        "tells apart  10.0         ",
        "tells apart: the smallest difference in points that is found in four of five cases",
    ]
