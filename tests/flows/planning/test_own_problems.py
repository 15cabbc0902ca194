"""A data stage of one's own problems in a recipe: which family it is, where its files are, what makes it another stage."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flows.planning.checks import check_names
from flows.planning.plan import make_plan
from flows.recipe.load import load_recipe, resolved
from flows.recipe.request import RunRequest
from flows.recipe.schema import RecipeError
from flows.recipe.smoke import smoke
from rl_core.errors import InputError
from tasks.kind import Work
from tasks.kinds import KINDS
from tasks.stage.digests import Digests
from tasks.stage.records import SPEC
from tasks.stage.spec import write_manifest

RECIPE = """
name: sums
model: {hidden_size: 64, intermediate_size: 128, layers: 2, heads: 4, key_value_heads: 2, vocabulary: 512, context: 512}
defaults: {data: {task: knights_knaves, people: [2]}}
stages:
  mine: {kind: data, source: data/sums.jsonl, verifier: {number: {tolerance: 0.01}}, test: 5}
  puzzles: {kind: data, source: generate}
  cold: {kind: sft, data: [mine, puzzles], template: plain, steps: 1}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    rows = ({"question": f"What is {n} + {n}?", "answer": 2 * n} for n in range(40))
    (tmp_path / "data" / "sums.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    return tmp_path


def reasons(folder: Path, *changes: str, workspace: Path | None = None) -> list[str]:
    request = RunRequest(recipe=str(folder / "recipe.yaml"), workspace=workspace or folder / "runs", changes=list(changes))
    return make_plan(request).stages[0].reasons


def test_the_task_follows_from_the_source_whatever_the_defaults_are(folder: Path) -> None:
    recipe = load_recipe(str(folder / "recipe.yaml"))
    assert [recipe.stages[name].task for name in ("mine", "puzzles")] == ["own", "knights_knaves"]
    assert recipe.stages["mine"].source == [str(folder / "data" / "sums.jsonl")]
    assert recipe.prompts("cold") == 35 + 900
    (folder / "again.yaml").write_text(json.dumps(resolved(recipe)))
    assert load_recipe(str(folder / "again.yaml")) == recipe
    small = smoke(recipe).stages["mine"]
    assert (small.train, small.test, small.bare_answers) == (16, 4, True)


def test_what_makes_it_another_stage(folder: Path) -> None:
    [spec] = [stage.spec for stage in make_plan(RunRequest(recipe=str(folder / "recipe.yaml"), workspace=folder / "runs")).stages[:1]]
    spec.directory.mkdir(parents=True)
    (spec.directory / SPEC).write_text(spec.model_dump_json())
    result = KINDS["data"].run(spec, Work(None, print, {}))  # this kind asks for nothing of it
    assert (result["train"], result["test"], result["source"]) == (35, 5, "own files")
    manifest = write_manifest(spec, result, Digests(folder / "digests.json"))
    assert KINDS["data"].note(spec, manifest) == "35 training and 5 held-out prompts (own files)"
    assert reasons(folder) == []
    # Another verifier, a filter or a file that changed say so; a folder that moved makes no difference.
    assert reasons(folder, "mine.verifier={number: {tolerance: 0.02}}") == ["mine.verifier.number.tolerance 0.01 -> 0.02"]
    assert reasons(folder, "mine.where=answer > 4") == ["mine.where null -> answer > 4"]
    moved = folder / "moved"
    moved.mkdir()
    (folder / "data").rename(moved / "data")
    (folder / "recipe.yaml").rename(moved / "recipe.yaml")
    assert reasons(moved, workspace=folder / "runs") == []
    with (moved / "data" / "sums.jsonl").open("a") as file:
        file.write('{"question": "What is 1 + 2?", "answer": 3}\n')
    assert reasons(moved, workspace=folder / "runs") == ["sums.jsonl changed"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("mine.source=data/sum.jsonl", r"^stages.mine: .*data/sum.jsonl: no such file; did you mean 'sums.jsonl'\?$"),
        ("mine.source=data/sums.txt", r"^stages.mine.source: .*nor a file that ends with .jsonl, .json, .parquet, .csv; give one of them"),
        ("mine.verifier=numbr", r"^stages.mine.verifier: there is no verifier 'numbr'; did you mean 'number'\?"),
        ("mine.columns={anser: a}", r"^stages.mine.columns.anser: unknown key; did you mean 'answer'\?$"),
        ("mine.where=answer >", r"^stages.mine: where 'answer >': syntax error"),
        ("mine.sourc=x.jsonl", r"^stages.mine.sourc: unknown key; did you mean 'source'\?$"),
    ],
)
def test_what_is_wrong_shows_in_the_plan(folder: Path, change: str, message: str) -> None:
    with pytest.raises((RecipeError, InputError), match=message) as caught:
        check_names(make_plan(RunRequest(recipe=str(folder / "recipe.yaml"), workspace=folder / "runs", changes=[change])).recipe)
    assert "\n" not in str(caught.value)
