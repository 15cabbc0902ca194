from __future__ import annotations

from pathlib import Path

from flows.planning.estimate import derived, token_budget
from flows.recipe.load import load_recipe

MINI = Path(__file__).parents[2] / "fixtures" / "mini.yaml"


def test_token_budgets_by_hand() -> None:
    recipe = load_recipe(str(MINI))
    assert token_budget(recipe, "cold") == 3 * 4 * 320
    assert token_budget(recipe, "warm") == 1 * 2 * 2 * 8
    assert token_budget(recipe, "scores") == 2 * 4 * (1 + 2) * 8  # checkpoints x puzzles x (greedy + samples) x tokens
    assert token_budget(recipe, "puzzles") is None


def test_steps_follow_from_epochs() -> None:
    recipe = load_recipe(str(MINI), ["warm.steps=null", "warm.epochs=1.5", "warm.prompts_per_step=7"])
    assert recipe.prompts("warm") == 40
    assert derived(recipe) == {"warm": "9 steps of 7 x 2 responses, 1.57 passes over 40 prompts"}  # ceil(1.5 x 40 / 7)


def test_rows_of_mathematical_sets() -> None:
    for settings, rows in (
        ("dataset: math", 7500),
        ("dataset: math, levels: [3, 5], test: 100", 1592 + 2304 - 100),
        ("dataset: dapo, train: 50", 50),
    ):
        recipe = load_recipe(str(MINI), [f"stages.more={{kind: data, task: math, {settings}}}"])
        assert recipe.kind("more").prompts(recipe.stages["more"]) == rows
