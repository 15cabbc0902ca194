import math

import pytest
import torch

from rl_core.algorithms.losses import clipped_policy_loss, kl_k3


def loss(ratio: float, advantage: float, weight: float = 1.0, cap: float = 2.0):
    log_prob = torch.tensor([math.log(ratio)], requires_grad=True)
    old = torch.zeros(1)
    result = clipped_policy_loss(
        log_prob,
        old,
        old - math.log(weight),
        torch.tensor([advantage]),
        clip_low=0.2,
        clip_high=0.3,
        importance_cap=cap,
    )
    result.loss.backward()
    return float(result.loss.detach()), int(result.clipped), float(log_prob.grad)


@pytest.mark.parametrize(
    ("ratio", "advantage", "expected", "clipped"),
    [
        (1.0, 2.0, -2.0, 0),
        (1.5, 2.0, -2.6, 1),  # min(3.0, 1.3 * 2)
        (1.5, -2.0, 3.0, 0),  # min(-3.0, -2.6): a bad token that became likelier keeps its gradient
        (0.5, 2.0, -1.0, 0),
        (0.5, -2.0, 1.6, 1),  # min(-1.0, 0.8 * -2)
    ],
)
def test_clipping_by_hand(ratio: float, advantage: float, expected: float, clipped: int) -> None:
    value, count, gradient = loss(ratio, advantage)
    assert value == pytest.approx(expected, abs=1e-5)
    assert count == clipped
    # d(-ratio * A)/d log_prob = -ratio * A where it is not clipped, else nothing
    assert gradient == pytest.approx(0 if clipped else -ratio * advantage, abs=1e-5)


def test_importance_weight_is_truncated() -> None:
    assert loss(1.0, 1.0, weight=1.5)[0] == pytest.approx(-1.5, abs=1e-5)
    assert loss(1.0, 1.0, weight=9.0)[0] == pytest.approx(-2.0, abs=1e-5)


def test_k3_by_hand_and_never_negative() -> None:
    policy, reference = torch.tensor([-1.0, -2.0]), torch.tensor([-1.0, -1.0])
    assert kl_k3(policy, reference).tolist() == pytest.approx([0.0, math.e - 2])
    assert (kl_k3(torch.randn(1000), torch.randn(1000)) >= 0).all()
