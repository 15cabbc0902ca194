from __future__ import annotations

from pathlib import Path

import pytest

from flows.estimate import derived, describe_model, rows_of, token_budget
from flows.recipe import load_recipe
from rl_core.config import ScratchModel

MINI = Path(__file__).parents[1] / "fixtures" / "mini.yaml"


def test_parameters_of_a_small_model_by_hand() -> None:
    model = describe_model(ScratchModel(hidden_size=64, intermediate_size=128, layers=2, heads=4, key_value_heads=2, vocabulary=512))
    assert model is not None
    # Head size 16: q and o are 64 x 64, k and v 64 x 32; three matrices of 64 x 128; 512 tied embeddings of 64.
    assert model.parameters == 2 * (2 * 64 * 64 + 2 * 64 * 32 + 3 * 64 * 128) + 512 * 64
    assert model.cache_width == 2 * 2 * 2 * 16


@pytest.mark.parametrize(("name", "parameters"), [("Qwen/Qwen2.5-7B-Instruct", 7e9), ("HuggingFaceTB/SmolLM2-135M-Instruct", 135e6)])
def test_the_size_in_a_hub_id(name: str, parameters: float) -> None:
    model = describe_model(name)
    assert model is not None
    assert model.parameters == parameters


def test_a_name_without_a_size_is_not_guessed() -> None:
    assert describe_model("someone/something") is None


def test_token_budgets_by_hand() -> None:
    recipe = load_recipe(str(MINI))
    assert token_budget(recipe, "cold") == 3 * 4 * 320
    assert token_budget(recipe, "warm") == 1 * 2 * 2 * 8
    assert token_budget(recipe, "scores") == 2 * 4 * (1 + 2) * 8  # checkpoints x puzzles x (greedy + samples) x tokens
    assert token_budget(recipe, "puzzles") is None


def test_steps_follow_from_epochs() -> None:
    recipe = load_recipe(str(MINI), ["warm.steps=null", "warm.epochs=1.5", "warm.prompts_per_step=7"])
    assert rows_of(recipe, "puzzles") == 40
    assert derived(recipe) == {"warm": "9 steps of 7 x 2 responses, 1.57 passes over 40 prompts"}  # ceil(1.5 x 40 / 7)
