"""`r1flow show`: a recipe that can be read and run again."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from evals.analytics.keywords import FamilySettings, PatternSettings
from flows.cli import main
from flows.planning.plan import make_plan
from flows.recipe.commented import commented
from flows.recipe.load import load_recipe, shipped
from flows.recipe.request import RunRequest
from flows.recipe.schema import Recipe
from flows.recipe.setting_paths import by_path
from flows.recipe.smoke import apply_profile
from rl_core.config.base import Settings
from rl_core.config.model import ScratchModel
from tasks.kinds.analyze import AnalyzeStage
from tasks.kinds.data import STAGES as DATA_STAGES
from tasks.kinds.eval import EvalStage
from tasks.kinds.report import ReportStage
from tasks.kinds.rl import RlStage
from tasks.kinds.sft import SftStage
from tests.flows.without_smoke import WITHOUT

MINI = Path(__file__).parents[2] / "fixtures" / "mini.yaml"
STAGES = [*DATA_STAGES.values(), SftStage, RlStage, EvalStage, AnalyzeStage, ReportStage]


@pytest.mark.parametrize("model", [Recipe, ScratchModel, *STAGES, FamilySettings, PatternSettings, RunRequest])
def test_every_setting_is_described_in_a_line(model: type[Settings]) -> None:
    fields = by_path(model)
    assert fields
    for path, field in fields.items():
        assert field.description, path
        assert "\n" not in field.description, path


@pytest.mark.parametrize("name", shipped())
def test_what_is_shown_reads_back_as_the_same_recipe(name: str, tmp_path: Path) -> None:
    for profile in (None, "smoke") if name not in WITHOUT else (None,):
        recipe = apply_profile(load_recipe(name), profile)  # type: ignore[arg-type]
        path = tmp_path / "shown.yaml"
        path.write_text("".join(f"{line}\n" for line in commented(recipe)))
        assert load_recipe(str(path)) == recipe


def test_what_is_shown_is_planned_like_what_it_was_made_of(tmp_path: Path) -> None:
    shown = CliRunner().invoke(main, ["show", str(MINI), "--set", "warm.learning_rate={schedule: cosine, peak: 1e-6, end: 0}"])
    assert shown.exit_code == 0, shown.output
    path = tmp_path / "shown.yaml"
    path.write_text(shown.stdout)
    plans = [
        make_plan(RunRequest(recipe=str(recipe), changes=changes, workspace=tmp_path / "runs"))
        for recipe, changes in ((MINI, ["warm.learning_rate={schedule: cosine, peak: 1e-6, end: 0}"]), (path, []))
    ]
    assert [stage.spec.fingerprint for stage in plans[0].stages] == [stage.spec.fingerprint for stage in plans[1].stages]


def test_a_stage_begins_with_what_it_is_and_is_made_of() -> None:
    lines = list(commented(load_recipe(str(MINI), ["warm.algorithm.kl_coefficient=0.1", "warm.reference=cold"])))
    begin = next(number for number, line in enumerate(lines) if line.startswith("  warm:"))
    assert lines[begin].split("# ")[1] == "Reinforcement learning of a model or checkpoint."
    first = [line.split("#")[0].strip() for line in lines[begin + 1 : begin + 5]]
    assert first == ["kind: rl", "start: cold", "reference: cold", "data: [puzzles]"]
    assert all("  # " in line for line in lines if not line.startswith("      - "))


@pytest.mark.parametrize("value", ["off", "yes", "1e3", "a: b", "x # y", "two\nlines", "\\boxed{{answer}}"])
def test_texts_that_yaml_would_take_for_something_else(value: str, tmp_path: Path) -> None:
    recipe = load_recipe(str(MINI), ["warm.algorithm.mismatch='off'"])
    stage = recipe.stages["scores"].model_copy(update={"stop": [value]})
    recipe = recipe.model_copy(update={"stages": recipe.stages | {"scores": stage}})
    path = tmp_path / "shown.yaml"
    path.write_text("".join(f"{line}\n" for line in commented(recipe)))
    assert load_recipe(str(path)) == recipe
