import json
import subprocess
import sys
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from flows.recipe.json_schema import OFFERED, recipe_schema
from flows.recipe.load import SHIPPED, load_recipe
from tasks.kinds import KINDS
from tests.end_to_end.command import ROOT

FIXTURES = ROOT / "tests" / "fixtures"
VARIANT = """
x-shared: &shared {temperature: 0.9}
extends: logic_rl
name: logic-rl-mine
defaults: {rl: {learning_rate: {schedule: cosine, peak: 1e-6}, template: mine.yaml}}
stages:
  anneal: null
  cot: {of: [five, scores]}
  five: {<<: *shared, epochs: null, steps: 20, algorithm: {clip_high: 0.28}}
  scores: {checkpoints: five, template: {user: "{question}", think: [<t>, </t>]}, benchmarks: [gsm8k, {name: math500, limit: 50}]}
"""


def check(schema: Path, *files: Path) -> subprocess.CompletedProcess[str]:
    """By a tool that reads YAML as editors do."""
    command = [sys.executable, "-m", "check_jsonschema", "--schemafile", str(schema), *map(str, files)]
    return subprocess.run(command, capture_output=True, text=True)


def test_it_takes_what_plans_take(tmp_path: Path) -> None:
    schema, variant = tmp_path / "recipe.schema.json", tmp_path / "variant.yaml"
    schema.write_text(json.dumps(recipe_schema()))
    variant.write_text(VARIANT)
    (tmp_path / "mine.yaml").write_text("user: '{question}'\n")
    load_recipe(str(variant))
    files = [variant, *SHIPPED.glob("*.yaml"), FIXTURES / "mini.yaml", FIXTURES / "miniature.yaml", FIXTURES / "chaos.yaml"]
    found = check(schema, *files)
    assert found.returncode == 0, found.stdout


@pytest.mark.parametrize(
    ("recipe", "place"),
    [
        ({"stages": {"rl": {"kind": "rl", "steps": "many"}}}, ["stages", "rl", "steps"]),
        ({"stages": {"rl": {"kind": "rl", "stepz": 3}}}, ["stages", "rl"]),
        ({"stages": {"rl": {"kind": "real"}}}, ["stages", "rl", "kind"]),
        ({"stages": {"kk": {"kind": "data", "task": "countdown", "people": [3]}}}, ["stages", "kk"]),
        ({"stages": {"kk": {"kind": "data", "train": 0}}}, ["stages", "kk"]),
        ({"stages": {"rl": {"kind": "rl", "learning_rate": {"start": 1, "stop": 2}}}}, ["stages", "rl", "learning_rate"]),
        ({"stages": {}, "seeds": 3}, []),
        ({"defaults": {"real": {}}, "stages": {}}, ["defaults"]),
        ({"stages": {"Not a name": {"kind": "report"}}}, ["stages"]),
    ],
)
def test_it_says_where_a_recipe_is_wrong(recipe: dict, place: list[str]) -> None:
    validator = Draft202012Validator(recipe_schema())
    errors = [list(error.absolute_path) for error in validator.iter_errors({"name": "a", "model": "b", **recipe})]
    assert place in errors
    assert [list(error.absolute_path) for error in validator.iter_errors({"stages": {}})] == [[], []]  # name and model are missing


def test_every_kind_and_every_offered_setting_is_in_it() -> None:
    schema = recipe_schema()
    assert schema["$defs"]["Stage"]["properties"]["kind"]["enum"] == sorted(KINDS)
    offered = {
        name for settings in schema["$defs"].values() for name, found in settings.get("properties", {}).items() if "examples" in found
    }
    assert offered == set(OFFERED)
    assert "boxed" in schema["$defs"]["RlStage"]["properties"]["template"]["examples"]
