from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import GraniteConfig, GraniteForCausalLM

from rl_core.model.logits import hidden_at, logits_at, logits_of
from rl_core.model.pretrained import ModelError, load_model

TOKENS = torch.arange(5, 25).reshape(2, 10)
POSITIONS = torch.tensor([19, 0, 7, 7])


@pytest.fixture
def model() -> GraniteForCausalLM:
    torch.manual_seed(0)
    shape = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1}
    return GraniteForCausalLM(GraniteConfig(vocab_size=40, logits_scaling=8.0, **shape))


def test_they_are_those_of_the_whole_pass_and_the_head_sees_no_more(model: GraniteForCausalLM) -> None:
    whole = model(TOKENS).logits
    seen: list[int] = []
    model.lm_head.register_forward_hook(lambda _, inputs, output: seen.append(output.numel()))
    found = logits_at(model, POSITIONS, input_ids=TOKENS)
    torch.testing.assert_close(found, whole.flatten(0, 1)[POSITIONS])
    assert seen == [4 * 40]  # not 2 x 10 x 40
    found.sum().backward()
    gradient = model.lm_head.weight.grad.clone()
    model.zero_grad()
    whole.flatten(0, 1)[POSITIONS].sum().backward()
    torch.testing.assert_close(model.lm_head.weight.grad, gradient)
    assert model(TOKENS).logits.shape == (2, 10, 40)  # the model is as it was


def test_hidden_states_of_some_positions_give_their_logits_later(model: GraniteForCausalLM) -> None:
    expected = model(TOKENS).logits.flatten(0, 1)[POSITIONS]
    hidden = hidden_at(model, POSITIONS, input_ids=TOKENS)
    found = torch.cat([logits_of(model, hidden[:1]), logits_of(model, hidden[1:])])
    torch.testing.assert_close(found, expected)
    assert model(TOKENS).logits.shape == (2, 10, 40)  # the model is as it was
    found.square().sum().backward()
    gradients = [parameter.grad.clone() for parameter in model.parameters()]
    model.zero_grad()
    expected.square().sum().backward()
    for parameter, gradient in zip(model.parameters(), gradients, strict=True):
        torch.testing.assert_close(parameter.grad, gradient)


@pytest.mark.follows("give a model of another architecture")
def test_a_model_whose_logits_come_from_elsewhere_is_refused(model: GraniteForCausalLM, tiny_checkpoint: Path) -> None:
    model.get_output_embeddings = lambda: None
    with pytest.raises(ModelError, match="GraniteForCausalLM: its logits do not come from one output head at each position"):
        logits_at(model, POSITIONS, input_ids=TOKENS)
    with pytest.raises(ModelError, match="its logits do not come from one output head at each position"):
        hidden_at(model, POSITIONS, input_ids=TOKENS)
    other = load_model(str(tiny_checkpoint), dtype=torch.float32)
    other.get_output_embeddings = lambda: other.model.norm  # not the last thing that is done
    other.model.norm.forward = lambda hidden: torch.cat([hidden, hidden], dim=1)
    with pytest.raises(ModelError, match="Qwen2ForCausalLM: its logits do not come from one output head"):
        logits_at(other, POSITIONS, input_ids=TOKENS)
    another = load_model(str(tiny_checkpoint), dtype=torch.float32)
    assert logits_at(another, POSITIONS, input_ids=TOKENS).shape[0] == len(POSITIONS)
