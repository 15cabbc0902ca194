"""Advantages of responses from their rewards."""

from __future__ import annotations

from collections.abc import Sequence


def group_normalized(rewards: Sequence[float], epsilon: float = 1e-6) -> list[float]:
    """GRPO (DeepSeekMath, arXiv 2402.03300, section 4.1): (reward - mean of the group) / (standard deviation of the group + epsilon).

    The standard deviation is the sample's (divisor n - 1), as in verl and TRL. Equal rewards give exactly zero, decided before any
    division: rounding of the mean would otherwise be blown up to an advantage (0.83 for eight rewards of 0.1 with an epsilon of 1e-9).
    """
    if len(rewards) < 2 or all(reward == rewards[0] for reward in rewards):
        return [0.0] * len(rewards)
    mean = sum(rewards) / len(rewards)
    deviation = (sum((reward - mean) ** 2 for reward in rewards) / (len(rewards) - 1)) ** 0.5
    return [(reward - mean) / (deviation + epsilon) for reward in rewards]
