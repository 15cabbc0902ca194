"""Every command that takes a stage, checkpoint or score reads its name in the same way."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from flows.analysis.evaluate import make_job
from flows.cli import main
from flows.history.promote import promote
from flows.history.references import evaluation, find, names_stage
from rl_core.errors import InputError
from rl_core.files import write_json
from tasks.workspace import Workspace


def run_ids(workspace: Workspace) -> list[str]:
    return [path.stem for path in workspace.run_records("mini")]


def test_a_stage_is_that_of_the_last_run_or_of_the_run_that_is_named(runs: Workspace) -> None:
    first, last = run_ids(runs)
    of_last, of_first = find(runs, "mini/warm").weights(), find(runs, f"mini/{first}/warm").weights()
    assert of_last != of_first
    assert find(runs, f"{first}/warm").weights() == of_first
    assert find(runs, f"mini/{last}/warm").weights() == of_last
    assert of_last.name == "step-000010"


@pytest.mark.parametrize("step", ["step-2", "step-000002", "2", "checkpoints/step-000002", "checkpoints/step-000002/model.safetensors"])
def test_a_step_is_exactly_that_one(runs: Workspace, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = find(runs, "mini/warm").stage.directory
    wanted = directory / "checkpoints" / "step-000002"
    names = [f"mini/{directory.name}/{step}", f"{directory}/{step}"] if "step" in step else []
    for name in [*names, *([] if step.endswith(".safetensors") else [f"mini/warm/{step}"])]:
        assert find(runs, name).weights() == wanted, name
    monkeypatch.chdir(directory)
    if step.startswith("checkpoints"):
        assert find(runs, step).weights() == wanted
    assert find(runs, "mini/cold").stage.name == "cold"  # a name is one inside of a stage's directory, too


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mini/warm/step-000001", "mini/warm/step-000001: warm has no checkpoint step-000001; there are step-000002, step-000010"),
        ("mini/warm/knights_knaves", "warm has no checkpoint knights_knaves; there are step-000002, step-000010"),
        ("mini/warm/step-2/model", "mini/warm/step-2/model: nothing of a checkpoint has a name; write mini/warm/step-2"),
        ("mini/wram", "no such stage in .*mini; did you mean 'warm'"),
        ("mimi/warm", "no experiment 'mimi' in .*runs; did you mean 'mini'"),
        ("mini", "mini: the name of a run; add a stage of it: mini/puzzles, mini/cold, mini/warm, mini/scores"),
        ("mini/puzzles/step-1", "puzzles is a stage of kind data, which has neither checkpoints nor scores"),
        ("mini/scores/cold", "scores has no scores of the checkpoint cold; known: warm"),
        ("mini/scores/warm/gsm8k", "scores has no scores of the benchmark gsm8k; known: knights_knaves"),
        ("mini/scores/warm/knights_knaves/2", "nothing of a benchmark has a name; write mini/scores/warm/knights_knaves"),
        ("mini@best", "mini@best: nothing is promoted under this name in .*; known: none"),
        ("/", "no stage or checkpoint of a workspace"),
    ],
)
@pytest.mark.follows(
    "nothing of a checkpoint has a name; write",
    "nothing of a benchmark has a name; write",
    "the name of a run; add a stage of it",
    "write EXPERIMENT/STAGE, or the directory of one",
)
def test_what_is_not_there_is_refused_with_what_is(runs: Workspace, name: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        find(runs, name)
    advised = re.search(r"; (?:write|add a stage of it:) ([^ ,]+/[^ ,]+)", str(error.value))
    if advised:
        find(runs, "mini/warm" if advised[1] == "EXPERIMENT/STAGE" else advised[1])


def test_a_path_to_a_step_that_is_not_there_is_refused(runs: Workspace) -> None:
    directory = find(runs, "mini/warm").stage.directory
    for name in (f"{directory}/checkpoints/step-000009", f"mini/{directory.name}/step-9", f"{directory}/checkpoints/latest"):
        with pytest.raises(InputError, match=r"warm has no checkpoint .*; there are step-000002, step-000010"):
            find(runs, name)


@pytest.mark.follows("is one checkpoint; write")
def test_a_promoted_name_is_the_checkpoint_it_was_given_to(runs: Workspace) -> None:
    directory = find(runs, "mini/warm").stage.directory
    entry = {"stage": f"mini/{directory.name}", "checkpoint": f"mini/{directory.name}/checkpoints/step-000002"}
    write_json(runs.root / ".promoted.json", {"mini@best": entry})
    assert find(runs, "mini@best").weights() == directory / "checkpoints" / "step-000002"
    with pytest.raises(InputError, match="did you mean 'mini@best'"):
        find(runs, "mini@bets")
    with pytest.raises(InputError, match=r"mini@best/step-2: mini@best is one checkpoint; write mini@best$"):
        find(runs, "mini@best/step-2")


@pytest.mark.follows("name one of kind {}")
def test_a_stage_without_a_last_checkpoint_says_what_there_is(runs: Workspace) -> None:
    with pytest.raises(InputError, match="scores: the stage has no checkpoint, for it is of kind eval"):
        find(runs, "mini/scores").weights()
    warm = find(runs, "mini/warm").stage.directory
    (warm / "manifest.json").unlink()
    with pytest.raises(InputError, match=r"warm: the stage is not done, .*; those so far: mini/warm/step-000002, mini/warm/step-000010"):
        find(runs, "mini/warm").weights()
    assert find(runs, "mini/warm/step-10").weights().name == "step-000010"


@pytest.mark.follows("all benchmarks of a checkpoint are compared; write")
def test_an_evaluation_is_named_like_everything_else(runs: Workspace) -> None:
    scores = find(runs, "mini/scores").stage.directory
    assert evaluation(runs, "mini/scores") == evaluation(runs, str(scores)) == str(scores)
    for name in ("mini/scores/warm", "mini/scores:warm", f"{scores}:warm"):
        assert evaluation(runs, name) == f"{scores}:warm"
    for run in ("mini", run_ids(runs)[0], f"mini/{run_ids(runs)[0]}", "nowhere"):
        assert evaluation(runs, run) is None
    with pytest.raises(InputError, match="warm is a stage of kind rl; runs are compared, or stages of kind eval"):
        evaluation(runs, "mini/warm")
    with pytest.raises(InputError, match=r"write mini/scores/warm$"):
        evaluation(runs, "mini/scores/warm/knights_knaves")


def test_a_hub_id_is_not_taken_for_a_stage(runs: Workspace, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    for name in ("Qwen/Qwen2.5-0.5B", "gpt2", str(tmp_path / "model"), "./model"):
        assert not names_stage(runs, name), name
    for name in ("mini/warm", "mini/nothing", "mimi/warm", "quickstart/anneal", "a@best", f"{run_ids(runs)[0]}/warm"):
        assert names_stage(runs, name), name


@pytest.mark.parametrize(
    "command",
    [
        ["evaluate", "mini/warm/step-000001", "--benchmarks", "gsm8k"],
        ["promote", "mini/warm/step-000001", "mini@best"],
        ["lineage", "mini/warm/step-000001"],
        ["export", "mini", "--checkpoint", "warm/step-000001"],
        ["compare", "mini/warm/step-000001", "mini/scores"],
    ],
)
def test_every_command_refuses_a_step_that_is_not_there(runs: Workspace, command: list[str]) -> None:
    answer = CliRunner().invoke(main, [*command, "--workspace", str(runs.root)])
    assert answer.exit_code == 2, answer.output
    assert "warm has no checkpoint step-000001; there are step-000002, step-000010" in answer.stderr
    assert answer.stderr.count("\n") == 1


def test_a_run_is_not_a_stage(runs: Workspace) -> None:
    for command in (["export", "mini/warm"], ["resume", "mini/warm"], ["report", "mini/warm"], ["compare", "mini/warm", "mini"]):
        answer = CliRunner().invoke(main, [*command, "--workspace", str(runs.root)])
        assert answer.exit_code == 2, answer.output
        assert "a run is wanted here, not a stage: mini, or mini/2" in answer.stderr or "runs are compared" in answer.stderr
    answer = CliRunner().invoke(main, ["resume", "mini", "--from", "mini/warm", "--workspace", str(runs.root)])
    assert answer.stderr.endswith("--from mini/warm: the recipe has no such stage; did you mean 'warm'?\n")
    assert answer.exit_code == 2


def test_promotion_checks_the_step_that_is_named(runs: Workspace) -> None:
    subject = find(runs, "mini/warm/step-2")
    write_json(subject.weights() / "files.json", {"model.safetensors": {"bytes": 1, "sha256": ""}})
    with pytest.raises(InputError, match="step-000002: does not match its digests"):
        promote(runs, subject, "mini@best")
    with pytest.raises(InputError, match=r"step-000010: MLflow at .* does not know it yet"):
        promote(runs, find(runs, "mini/warm"), "mini@best")


SETTINGS = {"benchmarks": [{"name": "knights_knaves", "limit": 2}]}


def test_evaluate_takes_a_stage_or_a_step_of_it(runs: Workspace, tiny_checkpoint: Path) -> None:
    root = find(runs, "mini/warm").stage.directory / "checkpoints"
    for step in ("step-000002", "step-000010"):
        shutil.copytree(tiny_checkpoint, root / step, dirs_exist_ok=True)
    named = ("mini/warm", "mini/warm/step-2", f"other={root.parent}")
    job = make_job(named, SETTINGS, runs, None, None, 0)
    assert [(found.name, Path(found.path).name) for found in job.checkpoints] == [
        ("warm", "step-000010"),
        ("warm-step-2", "step-000002"),
        ("other", "step-000010"),
    ]
    assert all(found.digest for found in job.checkpoints)


@pytest.mark.follows("give another name, or", "an address is no checkpoint; give a directory")
def test_a_model_that_the_hub_cannot_give_is_refused_at_once(
    runs: Workspace, tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def out_of_reach(*_: object, **__: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr("huggingface_hub.HfApi.model_info", out_of_reach)
    with pytest.raises(InputError, match=r"'foo/warm' is no directory here, and the hub cannot be asked: no network; .* EXPERIMENT/STAGE"):
        make_job(("foo/warm",), SETTINGS, runs, None, None, 0)
    with pytest.raises(InputError, match="an address is no checkpoint; give a directory, a hub id, EXPERIMENT/STAGE, or with --engine"):
        make_job(("http://me:secret@host/model",), SETTINGS, runs, None, None, 0)
    shutil.copytree(tiny_checkpoint, find(runs, "mini/warm").weights(), dirs_exist_ok=True)
    for name in ("mini/warm", str(tiny_checkpoint)):
        assert make_job((name,), SETTINGS, runs, None, None, 0).checkpoints[0].digest
    served = SETTINGS | {"engine": "openai", "resources": {"base_url": "http://localhost:8000/v1"}}
    assert make_job(("its-model",), served, runs, None, None, 0).checkpoints[0].path == "its-model"
