"""The command stage by itself: what it runs again, what it takes again, and what it says."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tasks.costs.machine import Machine
from tasks.kind import Stated, Work
from tasks.kinds.command import KIND, CommandStage, names_of
from tasks.stage.digests import Digests
from tasks.stage.lease import Lease, StageFailed
from tasks.stage.spec import StageSpec, Upstream, write_manifest

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def stage_of(tmp_path: Path, spec_of: Callable[..., StageSpec]) -> Callable[..., StageSpec]:
    """Specs of one stage, with other settings: none of those that are changed here is part of a fingerprint."""

    def stage_of(run: str, **settings: Any) -> StageSpec:
        stage = CommandStage.model_validate({"kind": "command", "run": run, "directory": str(tmp_path)} | settings)
        outside = {"kind", *KIND.roles}
        return spec_of(kind="command", settings=stage.model_dump(mode="json", exclude=outside), model="hub/model")

    return stage_of


@pytest.fixture
def carry_out(lease: Lease) -> Run:
    def carry_out(spec: StageSpec) -> dict[str, Any]:
        return KIND.run(spec, Work(lease, lambda progress: None, {}))

    return carry_out


COUNT = 'echo x >> {output}/../runs; echo \'{"step": 1, "loss": 2}\' > {output}/m.jsonl'


def runs(lease: Lease) -> int:
    return len((lease.directory / "runs").read_text().splitlines())


def test_other_outputs_are_taken_without_another_run(stage_of: Callable[..., StageSpec], carry_out: Run, lease: Lease) -> None:
    spec = stage_of(COUNT)
    result = carry_out(spec)
    assert result == {"external": True, "steps": 0, "taken": spec.settings["outputs"]}
    write_manifest(spec, result, Digests(lease.directory.parent / "digests.json"))
    assert KIND.why_again(spec) is None
    other = stage_of(COUNT, outputs={"metrics": "out/m.jsonl"})
    assert KIND.why_again(other) == ("outputs changed", False)
    assert carry_out(other)["steps"] == 1
    assert runs(lease) == 1


def test_a_wrong_output_costs_no_run_and_asked_for_again_one(stage_of: Callable[..., StageSpec], carry_out: Run, lease: Lease) -> None:
    wrong = stage_of(COUNT, outputs={"metrics": "out/metrics.jsonl"})
    with pytest.raises(
        StageFailed, match=r"outputs.metrics: out/metrics.jsonl: nothing is there; .*: m.jsonl. The command ended well and is"
    ):
        carry_out(wrong)
    assert carry_out(stage_of(COUNT, outputs={"metrics": "out/m.jsonl"}))["steps"] == 1
    assert runs(lease) == 1
    (lease.directory / ".command.json").write_text(json.dumps({"exit": 0, "stopped": False, "refused": wrong.settings["outputs"]}))
    with pytest.raises(StageFailed, match="nothing is there"):
        carry_out(wrong)
    assert runs(lease) == 2


def test_what_an_earlier_attempt_left_goes_when_the_stage_is_done(stage_of: Callable[..., StageSpec], carry_out: Run, lease: Lease) -> None:
    with pytest.raises(StageFailed):
        carry_out(stage_of("touch {output}/half; exit 1"))
    assert (lease.directory / "out" / "half").exists()
    carry_out(stage_of('[ -z "$(ls {output})" ]'))
    assert not list(lease.directory.glob("**/half"))


@pytest.mark.parametrize("resume", [True, "[ -e {output}/half ]"])
def test_resumed(stage_of: Callable[..., StageSpec], carry_out: Run, lease: Lease, resume: object) -> None:
    run = '[ -n "$R1FLOW_RESUME" ] || (touch {output}/half; exit 1)'
    with pytest.raises(StageFailed, match="run again to go on"):
        carry_out(stage_of(run, resume=resume))
    carry_out(stage_of(run, resume=resume))
    assert (lease.directory / "out" / "half").exists()


def test_placeholders(stage_of: Callable[..., StageSpec], carry_out: Run, lease: Lease, tmp_path: Path) -> None:
    """Values of all of them, in a directory with a blank and a quote in its name."""
    place = tmp_path / "it's here"
    place.mkdir()
    names = ["start", "data.a", "data.b", "of", "of.x", "output", "seed", "gpus", "python"]
    run = f"printf '%s\\n' {' '.join(f'{{{name}}}' for name in names)} \"$SEEN\" > {shlex.quote(str(tmp_path / 'seen'))}"
    settings = {"start": "model", "data": ["a", "b"], "of": "x", "gpus": 2, "env": {"SEEN": "{output}/x", "N": 1}}
    spec = stage_of(run, **settings)
    above = {name: Upstream(stage=name, kind="data", fingerprint="0" * 64, directory=place / name, position=0) for name in "abx"}
    spec = spec.model_copy(update={"upstream": {"start": [], "data": [above["a"], above["b"]], "of": [above["x"]]}})
    carry_out(spec)
    out = str(lease.directory / "out")
    wanted = ["hub/model", *(str(place / name) for name in "abxx"), out, str(spec.run_seed), "2", sys.executable, f"{out}/x"]
    assert (tmp_path / "seen").read_text().splitlines() == wanted
    stage = CommandStage.model_validate({"kind": "command", "run": run} | settings)
    assert set(names_of(stage)) == set(names)


def test_the_start_is_the_model_where_the_command_names_it() -> None:
    assert CommandStage(kind="command", run="train {start}").start == "model"
    assert CommandStage(kind="command", run="train ${start}").start is None
    assert CommandStage(kind="command", run="train {start}", start="cold").start == "cold"


@pytest.mark.parametrize(
    "wrong",
    [
        {"run": ""},
        {"env": {"A B": "x"}},
        {"env": {"A": True}},
        {"env": {"A": ["x"]}},
        {"gpus": -1},
        {"memory": 0},
        {"hours": 0},
        {"smoke": {}},
        {"smoke": {"steps": 1}},
        {"resume": 3},
        {"outputs": {"rollouts": {"path": []}}},
        {"outputs": {"metric": "out/x"}},
    ],
)
def test_wrong_settings(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        CommandStage.model_validate({"kind": "command", "run": "true"} | wrong)


def test_what_is_stated_and_what_is_short() -> None:
    stage = CommandStage(kind="command", run="true", gpus=4, memory=80, hours=2)
    assert KIND.stated(stage) == Stated(4, 80 * 2**30, 7200.0)
    assert KIND.stated(CommandStage(kind="command", run="true")) == Stated()
    assert KIND.shortages(stage, Machine(0, memory=2**40)) == ["it asks for 4 GPUs"]
    assert KIND.shortages(stage, Machine(4, gpu_memory=40 * 2**30)) == ["it asks for 80 GB of each GPU"]
    assert KIND.shortages(stage, Machine(4, gpu_memory=80 * 2**30)) == []
    assert KIND.shortages(CommandStage(kind="command", run="true", memory=64), Machine(0, memory=2**35)) == ["it asks for 64 GB of memory"]
    assert KIND.shortages(stage, Machine(None)) == []
