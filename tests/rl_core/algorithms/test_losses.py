import math

import pytest
import torch

from rl_core.algorithms.losses import clipped_policy_loss, clipped_value_loss, importance_factors, kl_estimate, token_weights


def loss(ratios, advantages, lengths=None, weight=1.0, **changes):
    """Loss, clipped tokens and gradients for given ratios to the old policy; `weight` is old / rollout."""
    log_probs = torch.tensor([math.log(ratio) for ratio in ratios], requires_grad=True)
    old = torch.zeros(len(ratios))
    settings = {"clip_low": 0.2, "clip_high": 0.3, "dual_clip": None, "ratio": "token", "mismatch": "truncate", "importance_cap": 2.0}
    result = clipped_policy_loss(
        log_probs,
        old,
        old - math.log(weight),
        torch.tensor(advantages),
        torch.ones(len(ratios)),
        lengths or [len(ratios)],
        **(settings | changes),
    )
    result.loss.backward()
    return float(result.loss.detach()), int(result.clipped), log_probs.grad.tolist()


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
    value, count, gradient = loss([ratio], [advantage])
    assert value == pytest.approx(expected, abs=1e-5)
    assert count == clipped
    # d(-ratio * A)/d log_prob = -ratio * A where it is not clipped, else nothing
    assert gradient == pytest.approx([0 if clipped else -ratio * advantage], abs=1e-5)


def test_dual_clip_bounds_the_loss_of_a_bad_token() -> None:
    assert loss([2.5], [-2.0], dual_clip=3.0)[::2] == (pytest.approx(5.0), pytest.approx([5.0]))
    value, clipped, gradient = loss([9.0], [-2.0], dual_clip=3.0)
    assert (value, clipped, gradient) == (pytest.approx(6.0), 1, [0.0])  # 3 * 2 instead of 9 * 2
    assert loss([9.0], [2.0], dual_clip=3.0)[0] == pytest.approx(-2.6)  # good tokens know only the usual clip


def test_one_ratio_per_response_by_hand() -> None:
    # geometric mean of 4 and 0.25 is 1, of 1.21 alone 1.21
    value, clipped, gradient = loss([4.0, 0.25, 1.21], [1.0, 1.0, 1.0], lengths=[2, 1], ratio="sequence")
    assert value == pytest.approx(-1.0 - 1.0 - 1.21)
    assert clipped == 0
    # each token of a response of 2 carries half of the gradient of both terms: -(1 + 1) / 2
    assert gradient == pytest.approx([-1.0, -1.0, -1.21])


def test_mismatch_is_truncated_masked_or_ignored() -> None:
    assert loss([1.0], [1.0], weight=1.5)[0] == pytest.approx(-1.5)
    assert loss([1.0], [1.0], weight=9.0)[0] == pytest.approx(-2.0)
    assert loss([1.0], [1.0], weight=9.0, mismatch="off")[0] == pytest.approx(-1.0)
    old, rollout = torch.zeros(3), -torch.log(torch.tensor([1.5, 1.2, 3.0]))
    # products 1.8 and 3: the first response keeps it, the second is masked
    assert importance_factors(old, rollout, [2, 1], "mask_sequence", 2.0).tolist() == pytest.approx([1.8, 1.8, 0.0])


def test_kl_estimates_by_hand() -> None:
    policy, reference = torch.tensor([-1.0, -2.0]), torch.tensor([-1.0, -1.0])
    assert kl_estimate(policy, reference, "k1").tolist() == [0.0, -1.0]
    assert kl_estimate(policy, reference, "k2").tolist() == [0.0, 0.5]
    assert kl_estimate(policy, reference, "k3").tolist() == pytest.approx([0.0, math.e - 2])
    assert (kl_estimate(torch.randn(1000), torch.randn(1000), "k3") >= 0).all()


@pytest.mark.parametrize("bound", [0.5, 10.0])
def test_the_clamped_k3_is_verls(bound: float) -> None:
    # reference - policy from -100 to 100: past float32's exp, and one token that the reference finds all but impossible
    differences = torch.tensor([-100.0, -12.0, -10.9, -3.0, -1.0, 0.0, 0.5, 1.0, 2.0, 2.6, 30.0, 100.0])
    policy = torch.zeros(len(differences), requires_grad=True)
    found = kl_estimate(policy, differences, "k3", bound)
    # verl, core_algos.kl_penalty("low_var_kl"): exp(d) - d - 1 with d within 20, then within its bound
    d = differences.double().clamp(-20, 20)
    wanted = (d.exp() - d - 1).clamp(-bound, bound)
    assert found.tolist() == pytest.approx(wanted.tolist(), rel=1e-5)
    found.sum().backward()
    inside = d.exp() - d - 1 < bound
    # d/d policy of exp(d) - d - 1 is 1 - exp(d); beyond the bound there is no gradient, and none that is not a number
    assert policy.grad is not None
    assert policy.grad.tolist() == pytest.approx(torch.where(inside, 1 - d.exp(), 0.0).tolist(), abs=1e-5)


def test_the_other_estimates_are_clamped_on_both_sides() -> None:
    policy, reference = torch.tensor([0.0, 0.0, 0.0]), torch.tensor([-30.0, 3.0, 30.0])
    assert kl_estimate(policy, reference, "k1", 10.0).tolist() == [10.0, -3.0, -10.0]
    assert kl_estimate(policy, reference, "k2", 10.0).tolist() == [10.0, 4.5, 10.0]


def test_estimates_average_to_the_kl_and_the_gradient_of_k2_is_its_gradient() -> None:
    logits = torch.tensor([0.3, -0.2, 0.1], dtype=torch.float64, requires_grad=True)
    reference = torch.log_softmax(torch.tensor([0.0, 0.1, -0.1], dtype=torch.float64), -1)
    policy = torch.log_softmax(logits, -1)
    exact = (policy.exp() * (policy - reference)).sum()
    for estimator in ("k1", "k3"):
        assert float((policy.exp() * kl_estimate(policy, reference, estimator)).sum().detach()) == pytest.approx(float(exact.detach()))
    # the estimators' own gradient, in expectation over tokens of the policy
    (wanted,) = torch.autograd.grad(exact, logits, retain_graph=True)
    (found,) = torch.autograd.grad((policy.exp().detach() * kl_estimate(policy, reference, "k2")).sum(), logits, retain_graph=True)
    assert found.tolist() == pytest.approx(wanted.tolist())
    # ... and k1 has none in the loss, but in the reward, where it weighs the gradient of the token's log-prob
    (none,) = torch.autograd.grad((policy.exp().detach() * kl_estimate(policy, reference, "k1")).sum(), logits, retain_graph=True)
    assert none.tolist() == pytest.approx([0.0, 0.0, 0.0])
    weights = policy.exp().detach() * kl_estimate(policy, reference, "k1").detach()
    (in_reward,) = torch.autograd.grad((weights * policy).sum(), logits)
    assert in_reward.tolist() == pytest.approx(wanted.tolist())


def test_token_weights_by_hand() -> None:
    lengths = [2, 6]
    assert token_weights(lengths, "token_mean", 10) == [1 / 8, 1 / 8]
    assert token_weights(lengths, "sequence_mean_token_mean", 10) == [1 / 4, 1 / 12]
    assert token_weights(lengths, "sequence_mean_token_sum", 10) == [1 / 2, 1 / 2]
    assert token_weights(lengths, "sequence_mean_constant_length", 10) == [1 / 20, 1 / 20]


def test_value_loss_by_hand() -> None:
    values, old, targets = torch.tensor([1.0, 2.0]), torch.tensor([0.0, 2.0]), torch.tensor([3.0, 2.5])
    weights = torch.full((2,), 0.5)
    # errors 4 and 0.25
    assert float(clipped_value_loss(values, old, targets, weights, None)) == pytest.approx((4 + 0.25) / 4)
    # within 0.5 of its old value the first is 0.5, error 6.25: the worse one counts
    assert float(clipped_value_loss(values, old, targets, weights, 0.5)) == pytest.approx((6.25 + 0.25) / 4)
