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
        values: the critic's, per response one per token; wanted by `gae` alone.

    Returns:
        Advantages, and for `gae` what the critic should have said (advantage + value; else empty lists).
    """
    if algorithm.whiten_rewards:
        rewards = whitened(rewards)
    targets: list[list[float]] = [[] for _ in rewards]
    if algorithm.advantage in ("returns", "gae"):
        advantages = []
        for index, (reward, dense) in enumerate(zip(rewards, token_rewards, strict=True)):
            at_end = [*dense[:-1], dense[-1] + reward]
            value = values[index] if algorithm.advantage == "gae" and values else [0.0] * len(dense)
            trace = algorithm.trace if algorithm.advantage == "gae" else 1.0
            advantages.append(generalized_advantages(at_end, value, discount=algorithm.discount, trace=trace))
            if algorithm.advantage == "gae":
                targets[index] = [advantage + was for advantage, was in zip(advantages[-1], value, strict=True)]
    else:
        members: dict[int, list[int]] = {}
        for index, group in enumerate(groups):
            members.setdefault(group, []).append(index)
        by_response = [0.0] * len(rewards)
        for rows in members.values():
            totals = [rewards[row] + sum(token_rewards[row]) for row in rows]
            for row, advantage in zip(rows, GROUP_ESTIMATORS[algorithm.advantage](totals), strict=True):
                by_response[row] = advantage
        advantages = [[advantage] * len(dense) for advantage, dense in zip(by_response, token_rewards, strict=True)]
    if algorithm.whiten_advantages:
        flat = iter(whitened(list(chain.from_iterable(advantages))))
        advantages = [list(islice(flat, len(row))) for row in advantages]
    return advantages, targets
