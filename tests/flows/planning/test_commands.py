"""Recipes with commands: what is wrong shows in the plan, each as one line; what changes what, and what does not."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from flows.cli import main
from flows.planning.checks import check_before_run, check_names
from flows.planning.plan import Plan, make_plan
from flows.recipe.load import load_recipe, resolved
from flows.recipe.request import RunRequest
from flows.recipe.schema import RecipeError
from rl_core.errors import InputError

RUN = "{python} train.py --data {data}/train.parquet --out {output} --log log.txt"
COMMAND = {"kind": "command", "data": "puzzles", "run": RUN, "inputs": ["lib", "*.json"]}
PUZZLES = {"kind": "data", "task": "knights_knaves", "people": [2], "source": "generate", "train": 6, "test": 2}
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """A recipe beside its script, and the folder of this."""
    folder = tmp_path / "project"
    (folder / "lib" / "__pycache__").mkdir(parents=True)
    for name in ("train.py", "lib/a.py", "lib/__pycache__/a.pyc", "x.json", "log.txt"):
        (folder / name).write_text("1")

    def write(train: dict[str, Any] | None = None, **stages: Any) -> Path:
        content = {"name": "own", "model": "a/b", "stages": {"puzzles": PUZZLES, "train": COMMAND | (train or {})} | stages}
        (folder / "own.yaml").write_text(yaml.safe_dump(content))
        return folder / "own.yaml"

    return write


@pytest.fixture
def plan(tmp_path: Path) -> Callable[..., Plan]:
    def plan(recipe: Path, **options: Any) -> Plan:
        made = make_plan(RunRequest(recipe=str(recipe), workspace=tmp_path / "runs", **options))
        check_names(made.recipe)
        return made

    return plan


def print_of(plan: Plan, stage: str = "train") -> str:
    return next(entry.spec.fingerprint for entry in plan.stages if entry.spec.stage == stage)


def test_what_makes_it_another_stage(write: Write, plan: Callable[..., Plan]) -> None:
    recipe = write()
    first = print_of(plan(recipe))
    spec = next(entry.spec for entry in plan(recipe).stages if entry.spec.stage == "train")
    assert set(spec.identity["files"]) == {"train.py", "lib/a.py", "x.json"}
    for name, changes in (("train.py", True), ("lib/a.py", True), ("x.json", True), ("lib/__pycache__/a.pyc", False), ("log.txt", False)):
        (recipe.parent / name).write_text("2")
        assert (print_of(plan(recipe)) != first) == changes, name
        (recipe.parent / name).write_text("1")
    other: list[dict[str, Any]] = [{"run": f"{RUN} -v"}, {"env": {"A": 1}}, {"inputs": []}, {"start": "model"}]
    assert first not in {print_of(plan(write(change))) for change in other}
    same: list[dict[str, Any]] = [
        {"outputs": {"checkpoint": "out/final"}},
        {"resume": True},
        {"gpus": 8, "memory": 80, "hours": 3, "steps": 7},
        {"smoke": {"run": "true"}},
    ]
    assert {print_of(plan(write(change))) for change in same} == {first}


def test_it_lies_anywhere_and_is_run_from_anywhere(
    write: Write, plan: Callable[..., Plan], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = write()
    first = print_of(plan(recipe))
    shutil.copytree(recipe.parent, tmp_path / "moved")
    monkeypatch.chdir(tmp_path / "moved")
    assert print_of(plan(Path("own.yaml"))) == first
    assert load_recipe("./own.yaml").stages["train"].directory == str(tmp_path / "moved")


def test_a_command_runs_where_there_is_what_it_names(write: Write, tmp_path: Path) -> None:
    base = write({"directory": "lib"})
    variant = tmp_path / "variant.yaml"

    def directory(**train: Any) -> str:
        variant.write_text(yaml.safe_dump({"extends": str(base), "name": "variant", "stages": {"train": train}}))
        return str(load_recipe(str(variant)).stages["train"].directory)

    assert directory(gpus=1) == str(base.parent / "lib")
    assert directory(directory="here") == str(tmp_path / "here")
    write()
    assert directory(gpus=1) == str(base.parent)
    assert directory(run="true") == str(base.parent)
    assert directory(run="true", inputs=[]) == str(tmp_path)


def test_a_resolved_recipe_is_the_same_elsewhere(write: Write, plan: Callable[..., Plan], tmp_path: Path) -> None:
    """As `resume` reads it from the record of a run."""
    recipe = write()
    copy = tmp_path / "elsewhere" / "own.yaml"
    copy.parent.mkdir()
    copy.write_text(yaml.safe_dump(resolved(load_recipe(str(recipe)))))
    assert print_of(plan(copy)) == print_of(plan(recipe))


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"run": "x --out {ouput}"}, "stages.train.run: {ouput} stands for nothing here; did you mean 'output'?"),
    ({"run": "x {of}"}, "stages.train.run: {of} is the directory of a stage; name the stage by `of`"),
    (
        {"run": "x {data.kk}"},
        "stages.train.run: {data.kk} stands for nothing here; known: output, seed, gpus, python, data, data.puzzles (write",
    ),
    ({"resume": "x {checkpoint}"}, "stages.train.resume: {checkpoint} stands for nothing here; known: output, seed, gpus, python, data"),
    ({"env": {"DIR": "{outputs}/x"}}, "stages.train.env.DIR: {outputs} stands for nothing here; did you mean 'output'?"),
    ({"smoke": {"run": "x {sed}"}}, "stages.train.smoke.run: {sed} stands for nothing here; did you mean 'seed'?"),
    (
        {"env": {"WANDB_API_KEY": "abcdefgh"}},
        "stages.train.env.WANDB_API_KEY: a secret, which records would show; set it in the environment",
    ),
    ({"run": "x --api-key=geheimnis"}, "stages.train.run: a secret, which records would show"),
    ({"run": "curl https://me:geheimnis@host/x"}, "stages.train.run: a secret, which records would show"),
    ({"inputs": ["gone"]}, "gone: no such file or folder; correct the path, or remove it"),
    ({"directory": "gone"}, "gone is no directory; make it, or name another one"),
    (
        {"outputs": {"rollouts": {"path": "out/x", "format": "verk"}}},
        "stages.train.outputs.rollouts: no format of rollouts is called 'verk'; did you mean 'verl'?",
    ),
    (
        {"outputs": {"rollouts": {"path": "out/x", "columns": {"reponse": "t"}}}},
        "columns: there is no role 'reponse'; did you mean 'response'?",
    ),
    (
        {"outputs": {"checkpoint": "final"}},
        "stages.train.outputs.checkpoint: a path below {output} is wanted, such as {output}/final, not 'final'",
    ),
    ({"outputs": {"checkpoints": "out/final"}}, "stages.train.outputs.checkpoints: unknown key; did you mean 'checkpoint'?"),
    ({"command": "x"}, "stages.train.command: unknown key"),
    ({"data": "nothing"}, "stages.train.data: there is no stage 'nothing'"),
]


@pytest.mark.parametrize(("train", "message"), WRONG, ids=[message[:60] for _, message in WRONG])
@pytest.mark.follows(
    "is the directory of a stage; name the stage",
    "which records would show; set it in the environment",
    "no such file or folder; correct the path",
    "is no directory; make it, or name another one",
)
def test_what_is_wrong_shows_in_the_plan(write: Write, tmp_path: Path, train: dict[str, Any], message: str) -> None:
    result = CliRunner().invoke(main, ["plan", str(write(train)), "--workspace", str(tmp_path / "runs")])
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1), result.output
    assert message in result.stderr
    assert "geheimnis" not in result.stderr
    assert CliRunner().invoke(main, ["plan", str(write()), "--workspace", str(tmp_path / "runs")]).exit_code == 0


def test_a_secret_is_in_the_environment_instead(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "geheimnis")
    recipe = write({"run": 'test -n "$WANDB_API_KEY"'})
    assert CliRunner().invoke(main, ["plan", str(recipe), "--workspace", str(tmp_path / "runs")]).exit_code == 0


@pytest.mark.follows("commands run in bash, which is not here; install it")
def test_bash_is_asked_before_anything_runs(write: Write, plan: Callable[..., Plan], monkeypatch: pytest.MonkeyPatch) -> None:
    check_before_run(plan(write({"run": 'echo "{output}"'})))
    with pytest.raises(InputError, match=r"^stages.train.run: bash cannot read it: .*unexpected EOF while looking for matching"):
        check_before_run(plan(write({"run": 'echo "{output}'})))
    with monkeypatch.context() as patch:
        patch.setattr("tasks.kinds.command.shutil.which", lambda name: None)
        with pytest.raises(InputError, match=r"^stages.train.run: commands run in bash, which is not here; install it$"):
            check_before_run(plan(write()))
    check_before_run(plan(write()))


@pytest.mark.follows("makes no {}, for {}; set it, or name another stage", "make it, or name another one")
def test_a_command_that_makes_no_checkpoint_is_no_start(write: Write) -> None:
    scores = {"kind": "eval", "checkpoints": ["train"], "benchmarks": ["gsm8k"]}
    wanted = r"scores.checkpoints: 'train' makes no checkpoint, for its outputs.checkpoint is not set; set it, or name another stage: none"
    with pytest.raises(RecipeError, match=wanted):
        load_recipe(str(write(scores=scores)))
    load_recipe(str(write({"outputs": {"checkpoint": "out/final"}}, scores=scores)))
    with pytest.raises(RecipeError, match=r"stages.cot.of: 'train' makes no responses, for its outputs.rollouts is not set"):
        load_recipe(str(write(cot={"kind": "analyze", "of": ["train"]})))
    load_recipe(str(write(more={"kind": "command", "of": "train", "run": "ls {of}/out"})))  # its files can be read all the same


@pytest.mark.follows("; add smoke: {run: …} or smoke: {env: …}")
def test_smoke_is_up_to_the_recipe(write: Write, plan: Callable[..., Plan]) -> None:
    with pytest.raises(
        InputError, match=r"^stages.train: a command has no small size of its own; add smoke: \{run: …\} or smoke: \{env: …\}, or"
    ):
        plan(write({"gpus": 8}), profile="smoke")
    small = plan(write({"gpus": 8, "env": {"A": "1", "B": "2"}, "smoke": {"env": {"B": 3}}}), profile="smoke").recipe.stages["train"]
    assert (small.run, small.env, small.gpus, small.smoke) == (RUN, {"A": "1", "B": 3}, None, None)
    small = plan(write({"resume": True, "smoke": {"run": "small {output}", "steps": 2}}), profile="smoke").recipe.stages["train"]
    assert (small.run, small.resume, small.steps) == ("small {output}", False, 2)
    start = plan(write({"start": "model", "smoke": {"run": "small {start}"}}), profile="smoke").recipe
    assert start.references("train")["start"] == ["smoke_base"]


def test_what_is_stated_is_in_the_plan(write: Write, tmp_path: Path) -> None:
    recipe = write({"gpus": 8, "memory": 70, "hours": 12})
    shown = CliRunner().invoke(main, ["plan", str(recipe), "--on", "4xh100", "--workspace", str(tmp_path / "runs")], terminal_width=200)
    line = next(line for line in shown.output.splitlines() if line.startswith("train"))
    assert line.split()[-8:] == ["12", "h", "~", "70", "GB", "a", "GPU", "stated"], shown.output
    assert "train wants 8 GPUs of 70 GB; there: 4 GPUs of 80 GB" in shown.output
    assert "does not fit: train: it asks for 8 GPUs" in shown.output
    refused = CliRunner().invoke(main, ["run", str(recipe), "--workspace", str(tmp_path / "runs")])
    assert refused.exit_code == 2
    assert refused.stderr.strip().endswith("Try --anyway")  # no --profile smoke, of which the recipe says nothing
