"""Advantages of responses and of their tokens from rewards.

N is the number of tokens of all responses, one response after the other, T that of one of them. Tokens are float64: a step's sums run over
millions of them.
"""

from collections.abc import Sequence

import torch

EPSILON = 1e-8  # added to the deviation where a whole batch is normalized


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


def generalized_advantages(
    rewards_N: torch.Tensor, values_N: torch.Tensor, lengths: Sequence[int], *, discount: float, trace: float
) -> torch.Tensor:
    """GAE (arXiv 1506.02438, eq. 16) over the tokens of finished responses: the value after the last token of each is 0.

    `discount` and `trace` are the paper's gamma and lambda.
    """
    following_N = torch.cat([values_N[1:], values_N.new_zeros(1)])
    following_N[torch.tensor(lengths).cumsum(0) - 1] = 0.0
    return rewards_to_go(rewards_N + discount * following_N - values_N, lengths, discount * trace)


def rewards_to_go(rewards_N: torch.Tensor, lengths: Sequence[int], discount: float) -> torch.Tensor:
    """Per token its reward and the later ones of its response, discounted by their distance (REINFORCE++, arXiv 2501.03262)."""

    from scipy.signal import lfilter  # here: it takes as long to import as torch, and most algorithms compare whole responses

    def summed(rewards_T: torch.Tensor) -> torch.Tensor:
        backwards = lfilter([1.0], [1.0, -discount], rewards_T.flip(0).numpy())  # y[t] = x[t] + discount * y[t - 1]
        return torch.from_numpy(backwards).flip(0)

    return torch.cat([summed(rewards_T) for rewards_T in rewards_N.split(list(lengths))])


def whitened(values_N: torch.Tensor, epsilon: float = EPSILON) -> torch.Tensor:
    """(value - mean) / (standard deviation + epsilon) over a whole batch; equal values give exactly zero."""
    if bool((values_N == values_N[0]).all()):
        return torch.zeros_like(values_N)
    return (values_N - values_N.mean()) / (values_N.std(correction=0) + epsilon)
