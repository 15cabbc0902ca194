from __future__ import annotations

import json
from pathlib import Path

import pytest

from flows.recipe.load import load_recipe, shipped
from rl_core.config.model import ScratchModel
from tasks.costs.models import describe_model


def test_parameters_of_a_small_model_by_hand() -> None:
    model = describe_model(ScratchModel(hidden_size=64, intermediate_size=128, layers=2, heads=4, key_value_heads=2, vocabulary=512))
    assert model is not None
    # Head size 16: q and o are 64 x 64, k and v 64 x 32; three matrices of 64 x 128; 512 tied embeddings of 64.
    assert model.parameters == 2 * (2 * 64 * 64 + 2 * 64 * 32 + 3 * 64 * 128) + 512 * 64
    assert model.products == model.parameters
    assert model.cache_width == 2 * 2 * 2 * 16


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        # As the hub counts the weights of each repository.
        ("Qwen/Qwen2.5-0.5B-Instruct", 494_032_768),
        ("Qwen/Qwen2.5-1.5B-Instruct", 1_543_714_304),
        ("Qwen/Qwen2.5-3B", 3_085_938_688),
        ("Qwen/Qwen2.5-7B-Instruct-1M", 7_615_616_512),
        ("Qwen/Qwen2.5-32B", 32_763_876_352),
        ("deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B", 1_777_088_000),
        ("deepseek-ai/DeepSeek-R1-Distill-Llama-8B", 8_030_261_248),
        ("unsloth/Llama-3.2-1B-Instruct", 1_235_814_400),
        ("Qwen/Qwen3-8B-Base", 8_190_735_360),
        ("HuggingFaceTB/SmolLM2-135M-Instruct", 134_515_008),
    ],
)
def test_known_models_have_their_published_size(name: str, parameters: int) -> None:
    model = describe_model(name)
    assert model is not None
    assert model.parameters == pytest.approx(parameters, rel=1e-3)  # biases and norms are not counted
    assert not model.guessed


@pytest.mark.parametrize("name", shipped())
def test_the_models_of_shipped_recipes_are_known(name: str) -> None:
    model = describe_model(load_recipe(name).model)
    assert model is not None
    assert not model.guessed


def test_a_directory_says_its_shape(tmp_path: Path) -> None:
    config = {"num_hidden_layers": 2, "hidden_size": 64, "num_attention_heads": 4, "intermediate_size": 128, "vocab_size": 100}
    (tmp_path / "config.json").write_text(json.dumps(config | {"head_dim": 32, "num_key_value_heads": 1}))
    model = describe_model(str(tmp_path))
    assert model is not None
    assert (model.attention, model.key_value) == (128, 32)
    # Untied: look-up and head.
    assert model.parameters == 2 * (64 * (2 * 128 + 2 * 32) + 3 * 64 * 128) + 2 * 100 * 64
    assert model.products == model.parameters - 100 * 64
    (tmp_path / "config.json").write_text("{}")
    assert describe_model(str(tmp_path)) is None


@pytest.mark.parametrize(("name", "parameters"), [("someone/Tuned-7B-v2", 7e9), ("someone/tiny-350M", 350e6)])
def test_a_size_in_a_name_is_a_guess(name: str, parameters: float) -> None:
    model = describe_model(name)
    assert model is not None
    assert model.guessed
    assert model.parameters == parameters


def test_a_name_without_a_size_is_not_guessed() -> None:
    assert describe_model("someone/something") is None
    assert describe_model("./no/such/directory") is None
    assert describe_model("Qwen/Qwen3-30B-A3B") is None  # a mixture of experts
