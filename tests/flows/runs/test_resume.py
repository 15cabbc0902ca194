"""Each stage ends badly in each way; the run is resumed unchanged, with another setting of that stage, and of one before it."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, tzinfo
from pathlib import Path

import pytest

from flows.planning.plan import Plan, make_plan
from flows.recipe.schema import RecipeError
from flows.recipe.smoke import STAND_IN
from flows.runs.record import RunRecord, find_run
from flows.runs.resume import resume_request
from tasks.stage.digests import Digests
from tasks.stage.lease import Lease, StageFailed
from tasks.stage.spec import StageSpec, at_work
from tasks.workspace import Workspace, read_json, write_record

STAGES = ("puzzles", "cold", "warm", "scores", "cot", "report")
OWN = {"puzzles": "puzzles.train=41", "cold": "cold.steps=4", "warm": "warm.temperature=0.9", "scores": "scores.samples=3"}
BEFORE = {"cold": ("puzzles", OWN["puzzles"]), "warm": ("cold", OWN["cold"])} | dict.fromkeys(
    ("scores", "cot", "report"), ("warm", OWN["warm"])
)


def fail(spec: StageSpec) -> None:
    with suppress(StageFailed), at_work(spec, Digests(spec.workspace / ".digests.json")):
        (spec.directory / "half").write_text("done")
        raise StageFailed("out of luck")


def cancel(spec: StageSpec) -> None:
    with suppress(KeyboardInterrupt), at_work(spec, Digests(spec.workspace / ".digests.json")):
        (spec.directory / "half").write_text("done")
        raise KeyboardInterrupt


def kill(spec: StageSpec) -> None:
    """As SIGKILL leaves it: the lease stands, its owner is gone."""
    cancel(spec)
    state = read_json(spec.directory / "state.json")
    gone = state["owner"] | {"host": socket.gethostname(), "pid": 2**22 + 1, "born": 0.0}
    write_record(spec.directory / "state.json", state | {"state": "running", "owner": gone})


@pytest.fixture(params=[fail, cancel, kill], ids=lambda end: end.__name__)
def end(request: pytest.FixtureRequest) -> Callable[[StageSpec], None]:
    return request.param


@pytest.fixture
def ended(request: pytest.FixtureRequest, plan_of: Callable[..., Plan], make: Callable[..., None], end: Callable[..., None]) -> str:
    """A run that ended badly at a stage, everything before it done."""
    plan = plan_of()
    RunRecord.begin(plan).end("failed", "out of luck")
    for stage in plan.stages:
        if stage.spec.stage == request.param:
            end(stage.spec)
            return request.param
        make(stage.spec)
    raise AssertionError


def resume(tmp_path: Path, **options: object) -> dict[str, str]:
    """Actions by stage."""
    workspace = Workspace.at(tmp_path / "runs")
    plan = make_plan(resume_request(workspace, find_run(workspace, "mini"), **{"changes": [], **options}))  # type: ignore[arg-type]
    return {stage.spec.stage: stage.action for stage in plan.stages}


@pytest.mark.parametrize("ended", STAGES, indirect=True)
def test_resumed_unchanged(ended: str, tmp_path: Path) -> None:
    position = STAGES.index(ended)
    wanted = {name: "reuse" if at < position else "continue" if at == position else "run" for at, name in enumerate(STAGES)}
    assert resume(tmp_path) == wanted
    # Asked for, the stage is made anew instead, and what it left is set aside.
    assert resume(tmp_path, rerun_from=ended) == wanted | {ended: "run"}


@pytest.mark.parametrize("ended", OWN, indirect=True)
def test_resumed_with_another_setting_of_the_stage(ended: str, tmp_path: Path) -> None:
    actions = resume(tmp_path, changes=[OWN[ended]], rerun_from=ended)
    assert actions == {name: "reuse" if at < STAGES.index(ended) else "run" for at, name in enumerate(STAGES)}


@pytest.mark.parametrize("ended", BEFORE, indirect=True)
def test_resumed_with_another_setting_of_an_ancestor(ended: str, tmp_path: Path) -> None:
    ancestor, change = BEFORE[ended]
    refusal = rf"^--from {ended}: before it would have to run {ancestor} \({change.partition('=')[0]} .*; start from {ancestor}, "
    with pytest.raises(RecipeError, match=refusal):
        resume(tmp_path, changes=[change], rerun_from=ended)
    actions = resume(tmp_path, changes=[change])
    assert actions == {name: "reuse" if at < STAGES.index(ancestor) else "run" for at, name in enumerate(STAGES)}


def test_a_resumed_run_has_the_recipe_it_had_whatever_became_of_the_file(tmp_path: Path, plan_of: Callable[..., Plan]) -> None:
    recipe = tmp_path / "mini.yaml"
    recipe.write_text((Path(__file__).parents[2] / "fixtures" / "mini.yaml").read_text())
    before = plan_of("cold.steps=5", recipe=str(recipe))
    RunRecord.begin(before).end("stopped")
    recipe.write_text("name: other")
    workspace = Workspace.at(tmp_path / "runs")
    again = make_plan(resume_request(workspace, find_run(workspace, "mini"), changes=[]))
    assert [stage.spec.fingerprint for stage in again.stages] == [stage.spec.fingerprint for stage in before.stages]


def test_a_run_in_work_is_refused(tmp_path: Path, plan_of: Callable[..., Plan]) -> None:
    from flows.planning.checks import check_before_run
    from tasks.stage.lease import StageBusy

    plan = plan_of()
    RunRecord.begin(plan)
    plan.stages[0].spec.directory.mkdir(parents=True)
    lease = Lease(plan.stages[0].spec.directory)
    lease.take()
    workspace = Workspace.at(tmp_path / "runs")
    with pytest.raises(StageBusy):
        check_before_run(make_plan(resume_request(workspace, find_run(workspace, "mini"), changes=[])))
    lease.release("done")


def test_runs_keep_their_order_when_the_clock_is_set_back(
    plan_of: Callable[..., Plan], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import flows.runs.record

    class SetBack(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:
            return datetime(2001, 1, 1)

    first = RunRecord.begin(plan_of())
    monkeypatch.setattr(flows.runs.record, "datetime", SetBack)
    second, third = RunRecord.begin(plan_of()), RunRecord.begin(plan_of())
    assert first.name < second.name < third.name
    assert find_run(Workspace.at(tmp_path / "runs"), "mini")["run"] == third.name


def test_a_run_in_the_smoke_profile_goes_on_with_the_same_problems(
    plan_of: Callable[..., Plan], make: Callable[..., None], tmp_path: Path
) -> None:
    plan = plan_of(recipe="open_r1", profile="smoke")
    RunRecord.begin(plan).end("failed", "out of luck")
    make(plan.stages[0].spec)
    workspace = Workspace.at(tmp_path / "runs")
    again = make_plan(resume_request(workspace, find_run(workspace, "open_r1-smoke"), changes=[]))
    assert [stage.action for stage in again.stages[:2]] == ["reuse", "run"]
    assert again.stages[0].spec.data_dir == STAND_IN


@pytest.mark.parametrize(("before", "now", "then"), [(True, False, True), (False, True, True), (False, False, False)])
def test_what_was_to_run_anyway_goes_on_anyway(before: bool, now: bool, then: bool, plan_of: Callable[..., Plan], tmp_path: Path) -> None:
    RunRecord.begin(plan_of(anyway=before)).end("stopped")
    workspace = Workspace.at(tmp_path / "runs")
    assert resume_request(workspace, find_run(workspace, "mini"), changes=[], anyway=now).anyway is then


def test_a_run_of_a_variant_goes_on_without_the_recipe_that_it_extends(tmp_path: Path, plan_of: Callable[..., Plan]) -> None:
    base, variant = tmp_path / "base.yaml", tmp_path / "variant.yaml"
    base.write_text((Path(__file__).parents[2] / "fixtures" / "mini.yaml").read_text())
    variant.write_text("extends: base.yaml\nname: variant\ndefaults: {rl: {max_grad_norm: 0.5}}\n")
    plan = plan_of(recipe=str(variant))
    RunRecord.begin(plan).end("failed")
    base.unlink()
    variant.unlink()
    again = make_plan(resume_request(plan.workspace, find_run(plan.workspace, "variant"), changes=[]))
    assert {stage.spec.fingerprint for stage in again.stages} == {stage.spec.fingerprint for stage in plan.stages}
    assert again.recipe == plan.recipe
