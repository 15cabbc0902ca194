"""Advantages of responses from their rewards."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from statistics import fmean, pstdev


def group_normalized(rewards: Sequence[float], epsilon: float = 1e-6) -> list[float]:
    """GRPO (DeepSeekMath, arXiv 2402.03300, section 4.1): (reward - mean of the group) / (standard deviation of the group + epsilon).

    The standard deviation is the sample's (divisor n - 1), as in verl and TRL. Equal rewards give exactly zero, decided before any
    division: rounding of the mean would otherwise be blown up to an advantage (0.83 for eight rewards of 0.1 with an epsilon of 1e-9).
    """
    centered = group_centered(rewards)
    if not any(centered):
        return centered
    deviation = (sum(value**2 for value in centered) / (len(rewards) - 1)) ** 0.5
    return [value / (deviation + epsilon) for value in centered]


def group_centered(rewards: Sequence[float]) -> list[float]:
    """Dr. GRPO (arXiv 2503.20783, section 3.2): reward - mean of the group. Equal rewards give exactly zero."""
    if all(reward == rewards[0] for reward in rewards):
        return [0.0] * len(rewards)
    mean = sum(rewards) / len(rewards)
    return [reward - mean for reward in rewards]


def leave_one_out(rewards: Sequence[float]) -> list[float]:
    """RLOO (arXiv 2402.14740, eq. 8): reward - mean of the other rewards of the group, n / (n - 1) of the centered reward."""
    if len(rewards) < 2:
        raise ValueError("leave-one-out needs at least two responses per prompt")
    return [value * len(rewards) / (len(rewards) - 1) for value in group_centered(rewards)]


def generalized_advantages(rewards_T: Sequence[float], values_T: Sequence[float], *, discount: float, trace: float) -> list[float]:
    """GAE (arXiv 1506.02438, eq. 16) over the tokens of one finished response: the value after its last token is 0.

    `discount` and `trace` are the paper's gamma and lambda. With values of 0 and a trace of 1 this is the discounted reward to go,
    which REINFORCE++ takes (arXiv 2501.03262).
    """
    following = [*values_T[1:], 0.0][: len(values_T)]
    errors = [reward + discount * later - value for reward, value, later in zip(rewards_T, values_T, following, strict=True)]
    return list(accumulate(reversed(errors), lambda advantage, error: error + discount * trace * advantage))[::-1]


def whitened(values: Sequence[float], epsilon: float = 1e-8) -> list[float]:
    """(value - mean) / (standard deviation + epsilon) over a whole batch; equal values give exactly zero."""
    if all(value == values[0] for value in values):
        return [0.0] * len(values)
    mean, deviation = fmean(values), pstdev(values)
    return [(value - mean) / (deviation + epsilon) for value in values]
