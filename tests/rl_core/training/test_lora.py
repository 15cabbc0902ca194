"""Adapters: what is trained, merged, saved for peft, and switched off for the reference."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path

import pytest
import torch
from transformers import PreTrainedModel

from rl_core.config.model import Lora
from rl_core.config.rl import RlConfig
from rl_core.errors import InputError
from rl_core.model.pretrained import load_model, load_tokenizer
from rl_core.rollout.transformers_engine import TransformersEngine
from rl_core.training.lora import add_adapters, in_format, kept_apart, merged
from rl_core.training.policy import Experience, Policy, StepSettings
from rl_core.training.sequences import TokenSequence

SETTINGS = StepSettings(learning_rate=1e-2, temperature=1.0, kl_coefficient=0.1, value_learning_rate=0.0)
TOKENS = torch.arange(20, 50)[None]


def experiences() -> list[Experience]:
    sequences = [TokenSequence([5, 6, 7], [20 + n] * (3 + n)) for n in range(4)]
    return [Experience(s, [-5.0] * len(s.response), float(n % 2), 0) for n, s in enumerate(sequences)]


def policy(checkpoint: Path, resumed: Path | None = None, **changes: object) -> Policy:
    config = {"steps": 1, "precision": "float32", "max_response_tokens": 16, "lora": {"rank": 4, "alpha": 8}} | changes
    return Policy(str(checkpoint), RlConfig.model_validate(config), str(checkpoint), resumed=resumed, seed=3)


def logits(model: PreTrainedModel) -> torch.Tensor:
    found: torch.Tensor = model(TOKENS.to(model.device)).logits
    return found.cpu()


def test_merging_is_the_formula() -> None:
    weights = {
        "q.base_layer.weight": torch.tensor([[1.0, 0.0], [0.0, 1.0]]),
        "q.lora_A.default.weight": torch.tensor([[1.0, 2.0]]),
        "q.lora_B.default.weight": torch.tensor([[3.0], [4.0]]),
        "norm.weight": torch.tensor([7.0]),
    }
    found = dict(merged(weights.items(), Lora(rank=1, alpha=2)))  # W + 2 B A
    assert found["q.weight"].tolist() == [[7.0, 12.0], [8.0, 17.0]]
    assert found["norm.weight"].tolist() == [7.0]
    assert found.keys() == {"q.weight", "norm.weight"}


def test_only_adapters_learn_and_the_reference_stays_what_it_was(tiny_checkpoint: Path) -> None:
    trained = policy(tiny_checkpoint)
    before = {name: p.detach().clone() for name, p in trained.backend.model.named_parameters()}
    metrics = [trained.train(experiences(), SETTINGS).metrics for _ in range(3)]
    changed = {name for name, p in trained.backend.model.named_parameters() if not torch.equal(p, before[name])}
    assert changed
    assert all(".lora_" in name for name in changed)
    assert metrics[0]["kl"] == pytest.approx(0, abs=1e-6)
    assert metrics[2]["kl"] > 1e-5
    # The reference is the same model with its adapters off; they are on again afterwards.
    sequences = [e.sequence for e in experiences()]
    assert trained.reference is not None
    reference = trained._log_probs(trained.reference, sequences, 1.0)
    untouched = policy(tiny_checkpoint).log_probs(sequences, 1.0)
    assert [row.tolist() for row in reference] == untouched
    assert trained.log_probs(sequences, 1.0) != untouched


def test_checkpoint_engine_and_peft_see_the_same_model_and_training_goes_on_bit_for_bit(tiny_checkpoint: Path, tmp_path: Path) -> None:
    from peft import PeftModel

    straight, first = policy(tiny_checkpoint), policy(tiny_checkpoint)
    for trained in (straight, first):
        trained.train(experiences(), SETTINGS)
    first.save(tmp_path)
    expected = logits(first.backend.model)
    plain = load_model(str(tmp_path), dtype=torch.float32)
    torch.testing.assert_close(logits(plain), expected, atol=1e-5, rtol=0)
    with_peft = PeftModel.from_pretrained(load_model(str(tiny_checkpoint), dtype=torch.float32), tmp_path / "adapter")
    torch.testing.assert_close(logits(with_peft), expected, atol=1e-5, rtol=0)
    for_engine = load_model(str(tiny_checkpoint), dtype=torch.float32)
    missing, unexpected = for_engine.load_state_dict({name: t.float() for name, t in first.weights().items()}, strict=False)
    assert unexpected == []
    assert missing == ["lm_head.weight"]  # tied
    torch.testing.assert_close(logits(for_engine), expected, atol=0.05, rtol=0)  # bfloat16
    second = policy(tiny_checkpoint, resumed=tmp_path)
    assert straight.train(experiences(), SETTINGS)[:3] == second.train(experiences(), SETTINGS)[:3]


@pytest.mark.parametrize("engine_format", [torch.bfloat16, torch.float32])
def test_an_engine_runs_a_saved_model_with_its_whole_update(tiny_checkpoint: Path, tmp_path: Path, engine_format: torch.dtype) -> None:
    with torch.no_grad():  # a base whose weights are on bfloat16's grid, as those of pretrained models are
        base = load_model(str(tiny_checkpoint), dtype=torch.bfloat16)
    base.save_pretrained(tmp_path / "base")
    load_tokenizer(str(tiny_checkpoint)).save_pretrained(tmp_path / "base")
    trained = policy(tmp_path / "base", precision="bfloat16")
    before = logits(in_format(deepcopy(trained.backend.model), torch.float32)).detach()
    trained.train(experiences(), SETTINGS._replace(learning_rate=1e-5))
    trained.save(tmp_path / "step")
    expected = logits(in_format(trained.backend.model, torch.float32)).detach() - before
    engine = TransformersEngine(str(tmp_path / "step"), dtype=engine_format)
    assert {parameter.dtype for parameter in engine.model.parameters()} == {engine_format}
    found = logits(in_format(engine.model, torch.float32)).detach() - before
    assert float((found * expected).sum() / expected.square().sum()) == pytest.approx(1, abs=0.02)
    rounded = logits(in_format(load_model(str(tmp_path / "step"), dtype=torch.bfloat16), torch.float32)).detach() - before
    assert float((rounded * expected).sum() / expected.square().sum()) < 0.5  # what it would be without care


def test_an_engine_of_a_bfloat16_stage_keeps_the_adapters_apart_and_takes_them_alone(tiny_checkpoint: Path) -> None:
    trained = policy(tiny_checkpoint, precision="bfloat16")
    engine = TransformersEngine(str(tiny_checkpoint), dtype=trained.dtype, lora=kept_apart(trained.config))
    engine.update_weights(trained.weights())
    base = engine.model.model.layers[0].mlp.up_proj.base_layer.weight.clone()
    trained.train(experiences(), SETTINGS)
    engine.update_weights(trained.adapters())
    assert torch.equal(engine.model.model.layers[0].mlp.up_proj.base_layer.weight, base)
    own = dict(trained.backend.model.named_parameters())
    for name, parameter in engine.model.named_parameters():
        assert torch.equal(parameter, own[name].to(torch.bfloat16))
    with pytest.raises(ValueError, match="weights of another architecture"):
        engine.update_weights({"model.norm.weight": torch.ones(64)})


@pytest.mark.parametrize("precision", ["bfloat16", "float32"])
@pytest.mark.follows("set lora: {}, as in the stage before")
def test_a_stage_goes_on_with_the_adapters_of_the_stage_before(tiny_checkpoint: Path, tmp_path: Path, precision: str) -> None:
    first = policy(tiny_checkpoint, precision=precision)
    first.train(experiences(), SETTINGS)
    first.save(tmp_path)
    second = policy(tmp_path, precision=precision)
    for (name, mine), (_, before) in zip(second.backend.model.named_parameters(), first.backend.model.named_parameters(), strict=True):
        torch.testing.assert_close(mine, before, atol=0 if precision == "bfloat16" else 1e-7, rtol=0, msg=name)
    sequences = [e.sequence for e in experiences()]
    assert second.reference is not None
    start = second.log_probs(sequences, 1.0)
    assert second.train(experiences(), SETTINGS).metrics["kl"] == pytest.approx(0, abs=1e-5)  # the reference is the start, adapters and all
    assert [row.tolist() for row in second._log_probs(second.reference, sequences, 1.0)] == [pytest.approx(row, abs=1e-3) for row in start]
    second.save(tmp_path / "second")
    saved = json.loads((tmp_path / "second" / "adapter" / "adapter_config.json").read_text())
    assert saved["base_model_name_or_path"] == str(tiny_checkpoint)
    with pytest.raises(InputError, match=r"has adapters of its own, which this stage goes on with: set lora: {rank: 4, alpha: 8}, as in"):
        policy(tmp_path, lora={"rank": 8})


def test_targets_that_fit_nothing_are_said(tiny_checkpoint: Path) -> None:
    with pytest.raises(InputError, match=r"lora\.targets: \['wq'\] fits no layer of the model; its linear layers are down_proj"):
        add_adapters(load_model(str(tiny_checkpoint), dtype=torch.float32), Lora(targets=["wq"]), 0)
