"""From the rewards of a step to an advantage for every token."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain, islice

from rl_core.algorithms.advantages import generalized_advantages, group_centered, group_normalized, leave_one_out, whitened
from rl_core.config import Algorithm

GROUP_ESTIMATORS: dict[str, Callable[[Sequence[float]], list[float]]] = {
    "group_normalized": group_normalized,
    "group_centered": group_centered,
    "leave_one_out": leave_one_out,
}


def token_advantages(
    algorithm: Algorithm,
    rewards: Sequence[float],
    groups: Sequence[int],
    token_rewards: Sequence[Sequence[float]],
    values: Sequence[Sequence[float]] | None = None,
) -> tuple[list[list[float]], list[list[float]]]:
    """Advantages and value targets of every response token of a step.

    Args:
        rewards: one per response, given for the response as a whole.
        groups: the prompt of each response.
        token_rewards: per response one per token, such as the KL term in the reward; those that compare whole responses sum them up.
        values: the critic's, per response one per token; given for `gae` alone.

    Returns:
        Advantages, and for `gae` what the critic should have said (advantage + value; else empty lists).
    """
    if algorithm.whiten_rewards:
        rewards = whitened(rewards)
    targets: list[list[float]] = [[] for _ in rewards]
    if algorithm.advantage in GROUP_ESTIMATORS:
        totals = [reward + sum(dense) for reward, dense in zip(rewards, token_rewards, strict=True)]
        compared = _compared(GROUP_ESTIMATORS[algorithm.advantage], totals, groups)
        advantages = [[advantage] * len(dense) for advantage, dense in zip(compared, token_rewards, strict=True)]
    else:
        at_end = [[*dense[:-1], dense[-1] + reward] for reward, dense in zip(rewards, token_rewards, strict=True)]
        # Rewards to go are the generalized advantages without a critic.
        trace = algorithm.trace if values else 1.0
        expected = values or [[0.0] * len(dense) for dense in token_rewards]
        discount = algorithm.discount
        advantages = [
            generalized_advantages(row, value, discount=discount, trace=trace) for row, value in zip(at_end, expected, strict=True)
        ]
        if values:
            targets = [[a + v for a, v in zip(row, value, strict=True)] for row, value in zip(advantages, values, strict=True)]
    if algorithm.whiten_advantages:
        flat = iter(whitened(list(chain.from_iterable(advantages))))
        advantages = [list(islice(flat, len(row))) for row in advantages]
    return advantages, targets


def rediscounted(rewards_T: Sequence[float], discount: float, instead: float) -> list[float]:
    """Token rewards that come to the same rewards to go under the discount `instead` as `rewards_T` under `discount`.

    So rewards with discounts of their own add up (demystify-long-cot: `--gamma 1,0.99`).
    """
    to_go = generalized_advantages(rewards_T, [0.0] * len(rewards_T), discount=discount, trace=1.0)
    return [now - instead * later for now, later in zip(to_go, [*to_go[1:], 0.0], strict=True)] if discount != instead else list(rewards_T)


def _compared(estimator: Callable[[Sequence[float]], list[float]], rewards: Sequence[float], groups: Sequence[int]) -> list[float]:
    members: dict[int, list[int]] = {}
    for row, group in enumerate(groups):
        members.setdefault(group, []).append(row)
    found = [0.0] * len(rewards)
    for rows in members.values():
        for row, advantage in zip(rows, estimator([rewards[row] for row in rows]), strict=True):
            found[row] = advantage
    return found
