import pytest
import torch

from rl_core.model.pretrained import load_model
from rl_core.training.flops import ModelSize, peak_flops, size_of


def test_operations_of_a_forward_pass() -> None:
    # Two products per parameter and token; attention: scores and their sum of values, two operations each, layers x width x context.
    assert ModelSize(parameters=1000, attention=8).forward(tokens=10, context=5) == 10 * (2 * 1000 + 4 * 8 * 5)


def test_the_size_counts_what_tokens_are_multiplied_with(tiny_checkpoint) -> None:
    model = load_model(str(tiny_checkpoint), dtype=torch.float32)
    size = size_of(model)
    # The embedding is tied to the output head and so counts once, as the head.
    assert size.parameters == sum(p.numel() for p in model.parameters())
    assert size.attention == 2 * 64  # layers x hidden size


def test_torch_agrees_on_the_count(tiny_checkpoint) -> None:
    from torch.utils.flop_counter import FlopCounterMode

    model = load_model(str(tiny_checkpoint), dtype=torch.float32)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(torch.arange(20, 84)[None])
    # Of attention on a CPU torch counts nothing.
    assert size_of(model).forward(64, 0) == pytest.approx(counter.get_total_flops(), rel=0.02)


def test_the_measured_peak_is_that_of_a_computer() -> None:
    assert 1e8 < peak_flops() < 1e16
