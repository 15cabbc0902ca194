"""From the rewards of a step to an advantage for every token."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from rl_core.algorithms.advantages import (
    EPSILON,
    generalized_advantages,
    group_centered,
    group_normalized,
    leave_one_out,
    rewards_to_go,
    whitened,
)
from rl_core.config.algorithm import Algorithm

GROUP_ESTIMATORS: dict[str, Callable[[Sequence[float]], list[float]]] = {
    "group_normalized": group_normalized,
    "group_centered": group_centered,
    "leave_one_out": leave_one_out,
}


@dataclass(frozen=True)
class StepRewards:
    """What the responses of a step earned. N is the number of their tokens, one response after the other; tensors are float64.

    The parts are disjoint, but for `components`: none holds the sum of another. Each is discounted once, by `token_advantages`.
    """

    responses: Sequence[float]  # for each response as a whole; arrives with its last token
    groups: Sequence[int]  # the prompt of each response
    lengths: Sequence[int]  # tokens of each response
    penalties_N: torch.Tensor | None = None  # for single tokens, part of the reward
    penalty_discount: float | None = None  # of later penalties; None: the algorithm's
    kl_N: torch.Tensor | None = None  # the KL term, where it is in the reward: weighted, a cost is negative
    components: Sequence[tuple[float, Sequence[float]]] = ()  # of `responses`, for GDPO: weight, and each response's value before it


def token_advantages(
    algorithm: Algorithm, rewards: StepRewards, values_N: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Advantages and value targets of every response token of a step.

    Where responses of a group are compared, a response counts with the plain sum of all it earned (GRPO's outcome supervision, arXiv
    2402.03300, section 4.1.2) and its tokens share one advantage; discounts have no meaning there. Otherwise each part is discounted by its
    own factor, and the returns add up (demystify-long-cot: `--gamma 1,0.99`).

    Args:
        values_N: the critic's; given for `gae` alone.

    Returns:
        Advantages (N,), and for `gae` what the critic should have said (N,), advantage + value.
    """
    lengths, discount = rewards.lengths, algorithm.discount
    responses = torch.tensor(rewards.responses, dtype=torch.float64)
    penalties_N, kl_N = rewards.penalties_N, rewards.kl_N
    if algorithm.whiten_rewards:
        responses, penalties_N = _whitened_rewards(responses, penalties_N, lengths)
    targets_N = None
    if algorithm.advantage in GROUP_ESTIMATORS:
        of_tokens = [_sums(part_N, lengths) for part_N in (penalties_N, kl_N) if part_N is not None]
        estimator = GROUP_ESTIMATORS[algorithm.advantage]
        if algorithm.compare_rewards == "each":
            components = [*rewards.components, *((1.0, part.tolist()) for part in of_tokens)]
            compared = _compared_each(estimator, components, rewards.groups)
        else:
            compared = _compared(estimator, sum(of_tokens, responses).tolist(), rewards.groups)
        advantages_N = torch.tensor(compared, dtype=torch.float64).repeat_interleave(torch.tensor(lengths))
    else:
        rewards_N = torch.zeros(sum(lengths), dtype=torch.float64)
        rewards_N[torch.tensor(lengths).cumsum(0) - 1] = responses
        if penalties_N is not None:
            rewards_N += rediscounted(penalties_N, lengths, rewards.penalty_discount or discount, discount)
        if kl_N is not None:
            shares = algorithm.kl_discounts or [discount]
            for own in shares:
                rewards_N += rediscounted(kl_N, lengths, own, discount) / len(shares)
        if values_N is None:
            advantages_N = rewards_to_go(rewards_N, lengths, discount)
        else:
            advantages_N = generalized_advantages(rewards_N, values_N, lengths, discount=discount, trace=algorithm.trace)
            targets_N = advantages_N + values_N
    if algorithm.whiten_advantages:
        advantages_N = whitened(advantages_N)
    return advantages_N, targets_N


def rediscounted(rewards_N: torch.Tensor, lengths: Sequence[int], discount: float, instead: float) -> torch.Tensor:
    """Token rewards that come to the same rewards to go under the discount `instead` as `rewards_N` under `discount`."""
    if discount == instead:
        return rewards_N
    to_go_N = rewards_to_go(rewards_N, lengths, discount)
    later_N = torch.cat([to_go_N[1:], to_go_N.new_zeros(1)])
    later_N[torch.tensor(lengths).cumsum(0) - 1] = 0.0
    return to_go_N - instead * later_N


def _whitened_rewards(
    responses: torch.Tensor, penalties_N: torch.Tensor | None, lengths: Sequence[int]
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Both parts on one scale, so that what a response earned in all has mean 0 and deviation 1 over the step."""
    totals = responses if penalties_N is None else responses + _sums(penalties_N, lengths)
    alike = bool((totals == totals[0]).all())  # then nothing is to be learned, and rounding must not be blown up
    scale = 0.0 if alike else 1 / (float(totals.std(correction=0)) + EPSILON)
    return scale * (responses - totals.mean()), None if penalties_N is None else scale * penalties_N


def _sums(values_N: torch.Tensor, lengths: Sequence[int]) -> torch.Tensor:
    """The sum over each response."""
    return torch.stack([values_T.sum() for values_T in values_N.split(list(lengths))])


def _compared_each(
    estimator: Callable[[Sequence[float]], list[float]], components: Sequence[tuple[float, Sequence[float]]], groups: Sequence[int]
) -> list[float]:
    """GDPO (arXiv 2601.05242, eq. 4 to 6): the weighted sum of the advantages by component, normalized over the step."""
    nothing = [0.0] * len(groups)
    by_component = [[weight * value for value in _compared(estimator, values, groups)] for weight, values in components]
    return group_normalized([sum(values) for values in zip(nothing, *by_component, strict=True)])


def _compared(estimator: Callable[[Sequence[float]], list[float]], rewards: Sequence[float], groups: Sequence[int]) -> list[float]:
    members: dict[int, list[int]] = {}
    for row, group in enumerate(groups):
        members.setdefault(group, []).append(row)
    found = [0.0] * len(rewards)
    for rows in members.values():
        for row, advantage in zip(rows, estimator([rewards[row] for row in rows]), strict=True):
            found[row] = advantage
    return found
