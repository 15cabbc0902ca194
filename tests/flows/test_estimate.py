from __future__ import annotations

from pathlib import Path

import pytest

from flows.estimate import derived, describe_model, estimates, rows_of, token_budget
from flows.plan import make_specs
from flows.recipe import load_recipe
from rl_core.config import ScratchModel
from tasks.digests import Digests
from tasks.workspace import Workspace

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


def memory(name: str, *changes: str) -> float:
    """Bytes that the RL stage of a shipped recipe needs beyond those that depend on neither adapters nor sharding."""
    recipe = load_recipe(name, changes)
    specs = make_specs(recipe, Workspace.at(Path("nowhere")), None, Digests(Path("nowhere")))
    found = estimates(recipe, specs, Workspace.at(Path("nowhere")))
    return next(found[stage].memory or 0 for stage, settings in recipe.stages.items() if settings.kind == "rl")


def test_sharding_by_hand() -> None:
    size, workers = 7e9, 4  # logic_rl: policy and reference, ZeRO 3
    whole = memory("logic_rl")
    assert memory("logic_rl", "warmup.resources.training_workers=8") - whole == pytest.approx(size * (16 + 2) * (1 / 8 - 1 / workers))
    # ZeRO 2 shares gradients and moments (12 of 16 bytes), and each process has the reference whole.
    assert memory("logic_rl", "warmup.resources.zero_stage=2") - whole == pytest.approx(size * (4 + 2) * (1 - 1 / workers))
    # The critic is as large as the policy, the reference stays.
    assert memory("logic_rl", "warmup.algorithm={name: ppo, kl_coefficient: 0.001}") - whole == pytest.approx(size * 16 / workers)


def test_adapters_by_hand() -> None:
    size = 3e9
    adapted = memory("unsloth_gsm8k")
    assert memory("unsloth_gsm8k", "grpo.lora=null") - adapted == pytest.approx(size * (16 - 2))
    # The frozen policy is its own reference.
    assert memory("unsloth_gsm8k", "grpo.algorithm.kl_coefficient=0.1") == adapted
    assert memory("unsloth_gsm8k", "grpo.algorithm.kl_coefficient=0.1", "grpo.reference=model") == adapted
    assert memory("unsloth_gsm8k", "grpo.algorithm.kl_coefficient=0.1", "grpo.lora=null") - adapted == pytest.approx(size * (16 - 2 + 2))


def test_rows_of_mathematical_sets() -> None:
    for settings, rows in (
        ("dataset: math", 7500),
        ("dataset: math, levels: [3, 5], test: 100", 1592 + 2304 - 100),
        ("dataset: dapo, train: 50", 50),
    ):
        recipe = load_recipe(str(MINI), [f"stages.more={{kind: data, task: math, {settings}}}"])
        assert rows_of(recipe, "more") == rows
