"""Prompts and examples that a model has no room for are found before training starts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from transformers import AutoConfig

from rl_core.config.jobs import TrainJob
from rl_core.config.rl import RlConfig
from rl_core.config.sft import SftConfig
from rl_core.data.knights_knaves import generate
from rl_core.data.prompts import DataError, Prompt, write_prompts
from rl_core.data.templates import find_template
from rl_core.model.context import context_length, fitting_prompts
from rl_core.model.pretrained import load_tokenizer
from rl_core.rollout.responses import EncodedPrompt
from rl_core.train import main
from rl_core.training.sft import _encode

SOURCE = Path("data/train.parquet")
RL = {
    "template": "plain",
    "reward": "logic_rl",
    "prompts_per_step": 2,
    "group_size": 2,
    "epochs": 1,
    "max_response_tokens": 16,
    "checkpoint_every": 1,
    "resources": {"ray": False, "threads": 1},
}


def encoded(*lengths: int) -> list[EncodedPrompt]:
    return [EncodedPrompt(Prompt("math", f"q{n}", "1"), "", [1] * n, find_template("plain")) for n in lengths]


def kept(prompts: list[EncodedPrompt], context: int | None, **changes: int) -> list[int]:
    config = RlConfig.model_validate({"steps": 1, "max_response_tokens": 100} | changes)
    return [len(prompt.token_ids) for prompt in fitting_prompts(prompts, config, context, SOURCE)]


def test_prompts_without_room_for_the_longest_response_are_dropped_and_told(capsys) -> None:
    assert kept(encoded(50, 101, 100, 7), 200) == [50, 100, 7]  # 100 and 100 fit exactly; the order stays
    assert capsys.readouterr().err == (
        "warning: 1 of 4 prompts are too long for the model's context of 200 tokens with a response of 100 (max_response_tokens) and are "
        "left out; the longest has 101 tokens\n"
    )


def test_a_limit_of_the_recipe_counts_where_it_is_the_lower_one(capsys) -> None:
    assert kept(encoded(50, 51, 101), 200, max_prompt_tokens=50) == [50]
    assert "2 of 3 prompts are longer than max_prompt_tokens (50)" in capsys.readouterr().err
    assert kept(encoded(50, 51, 101), 200, max_prompt_tokens=1000) == [50, 51]
    assert kept(encoded(50, 51, 101), None, max_prompt_tokens=100) == [50, 51]


def test_nothing_is_said_where_all_fit(capsys) -> None:
    assert kept(encoded(50, 100), 200) == [50, 100]
    assert kept(encoded(10**6), None) == [10**6]  # an architecture without a bound
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("lengths", "changes", "message"),
    [
        ((150, 190), {}, "the shortest has 150 tokens: lower max_response_tokens to at most 50"),
        ((200, 300), {}, "the shortest has 200 tokens: take a model with a longer context, or other problems"),
        ((60, 70), {"max_prompt_tokens": 50}, r"every prompt is longer than max_prompt_tokens \(50\); .* raise it to at least 60"),
    ],
)
def test_where_none_is_left_the_error_names_the_setting_to_change(lengths, changes, message: str) -> None:
    with pytest.raises(DataError, match=message) as error:
        kept(encoded(*lengths), 200, **changes)
    assert str(error.value).startswith(str(SOURCE))


@pytest.mark.follows("take a model with a longer context, or other problems")
def test_the_remedy_works() -> None:
    assert kept(encoded(200, 300), 400) == [200, 300]
    assert kept(encoded(150, 190), 200, max_response_tokens=50) == [150]
    assert kept(encoded(60, 70), 200, max_prompt_tokens=60) == [60]


@pytest.mark.parametrize(
    ("kind", "settings", "length"),
    [
        ("qwen2", {"max_position_embeddings": 4096}, 4096),
        ("gpt2", {"n_positions": 1024}, 1024),
        ("mistral", {"max_position_embeddings": 32768, "sliding_window": 4096}, 32768),
        ("bloom", {}, None),  # ALiBi
        ("mamba", {}, None),
    ],
)
def test_the_context_of_architectures(kind: str, settings: dict[str, int], length: int | None) -> None:
    assert context_length(AutoConfig.for_model(kind, **settings)) == length


@pytest.mark.follows("or other examples")
def test_examples_that_no_context_holds_give_way_to_others(tiny_checkpoint: Path) -> None:
    tokenizer = load_tokenizer(str(tiny_checkpoint))
    config = SftConfig.model_validate({"template": "plain", "steps": 1, "max_tokens": 4096})
    long, short = ([Prompt("t", "1 + 1? " * times, "2", trace="2")] for times in (60, 1))
    with pytest.raises(DataError, match=r"the model's context .*: take a model with a longer context, or other examples"):
        _encode(long, config, tokenizer, 100)
    assert len(_encode(long, config, tokenizer, 2000)) == len(_encode(short, config, tokenizer, 100)) == 1


def run(output: Path, prompts: Path, model: Path, kind: str, config: RlConfig | SftConfig) -> int:
    job = TrainJob.model_validate({"kind": kind, kind: config, "model": str(model), "prompts": [prompts], "output": output, "seed": 1})
    output.mkdir(exist_ok=True)
    (output / "job.json").write_text(job.model_dump_json())
    return main([str(output / "job.json")])


@pytest.fixture(scope="module")
def prompts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six puzzles, and two that are longer than the 512 tokens of the tiny model."""
    puzzles = generate(2, 6, "train", 0)
    puzzles += [Prompt("knights_knaves", p.question * 20, p.gold, "2", p.trace) for p in puzzles[:2]]
    path = tmp_path_factory.mktemp("data") / "train.parquet"
    write_prompts(path, [puzzles[6], *puzzles[:6], puzzles[7]])
    return path


@pytest.mark.slow
def test_a_stage_trains_on_what_fits_and_goes_on_with_the_same(
    tmp_path: Path, prompts: Path, tiny_checkpoint: Path, monkeypatch, capfd
) -> None:
    config = RlConfig.model_validate(RL)
    assert run(tmp_path / "straight", prompts, tiny_checkpoint, "rl", config) == 0
    assert "warning: 2 of 8 prompts are too long for the model's context of 512 tokens" in capfd.readouterr().err
    result = json.loads((tmp_path / "straight" / "result.json").read_text())
    assert (result["prompts"], result["dropped_prompts"], result["steps"]) == (6, 2, 3)  # an epoch is six prompts

    import rl_core.trainer as trainer

    write = trainer.write_rollouts

    def crash(output: Path, step: int, rows: list[dict[str, object]]) -> None:
        write(output, step, rows)
        if step == 2:
            raise RuntimeError("killed")

    monkeypatch.setattr(trainer, "write_rollouts", crash)
    assert run(tmp_path / "broken", prompts, tiny_checkpoint, "rl", config) == 1
    assert "RuntimeError: killed" in capfd.readouterr().err
    monkeypatch.setattr(trainer, "write_rollouts", write)
    assert run(tmp_path / "broken", prompts, tiny_checkpoint, "rl", config) == 0
    weights = [(tmp_path / name / result["checkpoint"] / "model.safetensors").read_bytes() for name in ("straight", "broken")]
    assert weights[0] == weights[1]


@pytest.mark.slow
def test_examples_longer_than_the_model_takes_are_left_out_of_sft(tmp_path: Path, prompts: Path, tiny_checkpoint: Path, capfd) -> None:
    settings = {"template": "plain", "steps": 1, "batch_size": 2, "max_tokens": 4096, "resources": {"threads": 1}}
    assert run(tmp_path / "sft", prompts, tiny_checkpoint, "sft", SftConfig.model_validate(settings)) == 0
    assert "warning: 2 of 8 examples are longer than the model's context (512 tokens) and are left out" in capfd.readouterr().err
    result = json.loads((tmp_path / "sft" / "result.json").read_text())
    assert (result["examples"], result["dropped_examples"]) == (6, 2)
    assert run(tmp_path / "none", prompts, tiny_checkpoint, "sft", SftConfig.model_validate(settings | {"max_tokens": 16})) == 2
    assert "every example is longer than max_tokens (16); the shortest has" in capfd.readouterr().err


def test_a_stage_without_a_fitting_prompt_ends_before_it_starts(tmp_path: Path, prompts: Path, tiny_checkpoint: Path, capfd) -> None:
    config = RlConfig.model_validate(RL | {"max_response_tokens": 511})
    assert run(tmp_path / "none", prompts, tiny_checkpoint, "rl", config) == 2
    error = capfd.readouterr().err
    assert f"{prompts}: every prompt is too long for the model's context of 512 tokens with a response of 511" in error
    assert "lower max_response_tokens to at most" in error
