from __future__ import annotations

from itertools import accumulate
from statistics import fmean, pstdev

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from rl_core.algorithms.credit import GROUP_ESTIMATORS, StepRewards, rediscounted, token_advantages
from rl_core.config.algorithm import Algorithm

LENGTHS = [2, 1, 1, 3]


def tokens(*rows: list[float]) -> torch.Tensor:
    return torch.tensor([value for row in rows for value in row], dtype=torch.float64)


def earned(penalties: torch.Tensor | None = None, **changes) -> StepRewards:
    """Two groups of two responses."""
    return StepRewards([1.0, 0.0, 3.0, 3.0], [0, 0, 1, 1], LENGTHS, penalties, **changes)


def advantages(rewards: StepRewards | None = None, values: torch.Tensor | None = None, **settings) -> list[list[float]]:
    found, _ = token_advantages(Algorithm.model_validate(settings), rewards or earned(), values)
    return [row.tolist() for row in found.split(list((rewards or earned()).lengths))]


def test_a_group_shares_its_baseline_and_a_response_its_advantage() -> None:
    assert advantages(name="dr_grpo") == [[0.5, 0.5], [-0.5], [0.0], [0.0, 0.0, 0.0]]
    assert advantages(name="rloo") == [[1.0, 1.0], [-1.0], [0.0], [0.0, 0.0, 0.0]]


def test_token_rewards_count_as_a_whole_where_responses_are_compared() -> None:
    # 1 - 0.5 - 0.5 = 0 equals the other response of the group
    penalties = tokens([-0.5, -0.5], [0.0], [0.0], [-1.0, 0.0, 0.0])
    wanted = [[0.0, 0.0], [0.0], [0.5], [-0.5] * 3]
    assert advantages(earned(penalties), name="dr_grpo") == wanted
    # ... whether they are penalties or the KL term
    assert advantages(earned(kl_N=penalties), name="dr_grpo", kl_in="reward") == wanted
    # normalized after the sum: rewards 2 and 3 of the second group have the deviation of 1 and 0, sqrt(1 / 2)
    assert advantages(earned(penalties), name="grpo")[3] == pytest.approx([-0.5 / (0.5**0.5 + 1e-6)] * 3)


def test_rewards_to_go_then_whitened_over_all_tokens() -> None:
    penalties = tokens([-1.0, 0.0], [0.0], [0.0], [0.0, 0.0, 0.0])
    found = advantages(earned(penalties), name="reinforce_plus_plus", whiten_advantages=False)
    assert found == [[0.0, 1.0], [0.0], [3.0], [3.0, 3.0, 3.0]]
    flat = [value for row in advantages(name="reinforce_plus_plus") for value in row]
    # rewards at the tokens 1 1 0 3 3 3 3: mean 2, population variance 10 / 7
    assert flat == pytest.approx([value / (10 / 7) ** 0.5 for value in (-1, -1, -2, 1, 1, 1, 1)])


def test_gae_gives_the_critic_its_targets() -> None:
    values = tokens([0.5, 0.5], [0.25], [3.0], [1.0, 2.0, 2.0])
    found, targets = token_advantages(Algorithm(name="ppo", whiten_advantages=False), earned(), values)
    assert found.tolist() == [0.5, 0.5, -0.25, 0.0, 2.0, 1.0, 1.0]
    assert targets is not None
    assert targets.tolist() == [1.0, 1.0, 0.0, 3.0, 3.0, 3.0, 3.0]


def test_whitened_rewards() -> None:
    # mean 1.75, deviation 1.299: group means 0.5 and 3 move alike
    assert advantages(name="dr_grpo", whiten_rewards=True)[0] == pytest.approx([0.5 / 1.299038] * 2, rel=1e-5)


def test_whitened_rewards_are_those_of_everything_that_a_response_earned() -> None:
    # Totals 0, 0, 3, 1: mean 1, population variance 6 / 4. The penalty keeps its token and its share.
    penalties = tokens([-1.0, 0.0], [0.0], [0.0], [0.0, -2.0, 0.0])
    found = advantages(earned(penalties), name="reinforce_plus_plus", whiten_advantages=False, whiten_rewards=True)
    deviation = 1.5**0.5
    assert found[0] == pytest.approx([-1 / deviation, 0.0])
    assert found[2] == pytest.approx([2 / deviation])
    assert found[3] == pytest.approx([0.0, 0.0, 2 / deviation])
    # The KL term is no reward of the task: it is not scaled.
    kl = tokens([0.0, -1.0], [0.0], [0.0], [0.0] * 3)
    both = advantages(earned(penalties, kl_N=kl), name="reinforce_plus_plus", whiten_advantages=False, whiten_rewards=True)
    assert both[0] == pytest.approx([-1 / deviation - 1, -1.0])


def test_equal_totals_are_no_signal_however_they_came_about() -> None:
    rewards = StepRewards([1.0, 0.0], [0, 0], [2, 1], tokens([-0.5, -0.5], [0.0]))
    settings = {"name": "reinforce_plus_plus", "whiten_advantages": False, "whiten_rewards": True}
    assert advantages(rewards, **settings) == [[0.0, 0.0], [0.0]]


def test_a_discount_of_its_own_by_hand() -> None:
    # To go under 0.5: [0 + 0.5 * 3, 2 + 0.5 * 2, 2]; each less the next, under 1. The second response begins anew.
    found = rediscounted(tokens([0.0, 2.0, 2.0], [4.0]), [3, 1], 0.5, 1.0)
    assert found.tolist() == [-1.5, 1.0, 2.0, 4.0]
    assert rediscounted(tokens([1.0, 2.0]), [2], 0.9, 0.9).tolist() == [1.0, 2.0]


def test_penalty_and_correctness_each_under_its_discount() -> None:
    rewards = StepRewards([5.0], [0], [4], tokens([0.0, -1.0, 0.0, -1.0]), penalty_discount=0.9)
    found = advantages(rewards, advantage="returns")
    assert found[0] == pytest.approx([5 - 0.9 - 0.9**3, 5 - 1 - 0.9**2, 5 - 0.9, 5 - 1])


def test_kl_in_the_reward_is_shared_by_its_discounts() -> None:
    rewards = StepRewards([5.0], [0], [3], kl_N=tokens([-2.0, -4.0, -6.0]))
    settings = {"advantage": "returns", "kl_in": "reward"}
    assert advantages(rewards, **settings)[0] == [-7.0, -5.0, -1.0]
    # Half of it under 1, half under 0.5: -6 - (1 + 0.5 (2 + 0.5 * 3)), -5 - (2 + 0.5 * 3), -3 - 3
    assert advantages(rewards, **settings, kl_discounts=[1.0, 0.5])[0] == pytest.approx([5 - 6 - 2.75, 5 - 5 - 3.5, 5 - 3 - 3])
    assert advantages(rewards, **settings, kl_discounts=[0.5])[0] == pytest.approx([5 - 5.5, 5 - 7, 5 - 6])


def slow(algorithm: Algorithm, rewards: StepRewards, values: list[list[float]] | None) -> tuple[list[float], list[float]]:
    """The same token by token, in plain Python."""

    def rows(flat: torch.Tensor | None) -> list[list[float]]:
        flat = torch.zeros(sum(rewards.lengths), dtype=torch.float64) if flat is None else flat
        return [row.tolist() for row in flat.split(list(rewards.lengths))]

    def to_go(row: list[float], discount: float) -> list[float]:
        return list(accumulate(reversed(row), lambda later, reward: reward + discount * later))[::-1]

    penalties, kl = rows(rewards.penalties_N), rows(rewards.kl_N)
    found: list[list[float]] = []
    targets: list[float] = []
    if algorithm.advantage in GROUP_ESTIMATORS:
        totals = [a + sum(b) + sum(c) for a, b, c in zip(rewards.responses, penalties, kl, strict=True)]
        for row, group in enumerate(rewards.groups):
            members = [other for other, its in enumerate(rewards.groups) if its == group]
            compared = GROUP_ESTIMATORS[algorithm.advantage]([totals[other] for other in members])
            found.append([compared[members.index(row)]] * rewards.lengths[row])
    else:
        for row, reward in enumerate(rewards.responses):
            length, discount = rewards.lengths[row], algorithm.discount
            shares = algorithm.kl_discounts or [discount]
            parts = [to_go([0.0] * (length - 1) + [reward], discount), to_go(penalties[row], rewards.penalty_discount or discount)]
            parts += [to_go([value / len(shares) for value in kl[row]], share) for share in shares]
            returns = [sum(values) for values in zip(*parts, strict=True)]
            if values is None:
                found.append(returns)
                continue
            # Under the algorithm's discount these returns are those of the rewards returns[t] - discount * returns[t + 1].
            later, after = [*returns[1:], 0.0], [*values[row][1:], 0.0]
            errors = [returns[t] - discount * later[t] + discount * after[t] - values[row][t] for t in range(length)]
            found.append(to_go(errors, discount * algorithm.trace))
            targets += [a + v for a, v in zip(found[-1], values[row], strict=True)]
    flat = [value for row in found for value in row]
    if algorithm.whiten_advantages:
        mean, deviation = fmean(flat), pstdev(flat)
        flat = [(value - mean) / (deviation + 1e-8) if deviation else 0.0 for value in flat]
    return flat, targets


@st.composite
def steps(draw) -> tuple[Algorithm, StepRewards, list[list[float]] | None]:
    number = st.floats(-4, 4).map(lambda value: round(value, 2))
    factor = st.sampled_from([1.0, 0.99, 0.9, 0.5])
    lengths = [draw(st.integers(1, 12)) for _ in range(2 * draw(st.integers(1, 4)))]

    def flat() -> torch.Tensor:
        return torch.tensor(draw(st.lists(number, min_size=sum(lengths), max_size=sum(lengths))), dtype=torch.float64)

    advantage = draw(st.sampled_from([*GROUP_ESTIMATORS, "returns", "gae"]))
    settings = {"advantage": advantage, "kl_in": "reward", "whiten_advantages": draw(st.booleans())}
    rewards = StepRewards(
        [draw(number) for _ in lengths],
        [row // 2 for row in range(len(lengths))],
        lengths,
        flat() if draw(st.booleans()) else None,
        draw(st.none() | factor) if advantage in ("returns", "gae") else None,
        flat() if draw(st.booleans()) else None,
    )
    if advantage in ("returns", "gae"):
        settings |= {"discount": draw(factor), "kl_discounts": draw(st.none() | st.lists(factor, min_size=1, max_size=3))}
    if advantage == "gae":
        settings["trace"] = draw(st.sampled_from([1.0, 0.95, 0.0]))
    values = [row.tolist() for row in flat().split(lengths)] if advantage == "gae" else None
    return Algorithm.model_validate(settings), rewards, values


@given(steps())
def test_whole_steps_are_those_of_a_slow_reference(step: tuple[Algorithm, StepRewards, list[list[float]] | None]) -> None:
    algorithm, rewards, values = step
    found, targets = token_advantages(algorithm, rewards, tokens(*values) if values else None)
    wanted, wanted_targets = slow(algorithm, rewards, values)
    assert found.tolist() == pytest.approx(wanted, abs=1e-6 if algorithm.whiten_advantages else 1e-9)
    assert ([] if targets is None else targets.tolist()) == pytest.approx(wanted_targets, abs=1e-9)


def test_rewards_that_are_compared_each_by_itself_count_by_their_weights_not_their_sizes() -> None:
    # Right or wrong, and a length in tokens. By component (1 - 0.5) / 0.7071 = 0.7071 and (10 - 15) / 7.071 = -0.7071 in both groups, but
    # nothing for the two right answers. Weighted sums 0.3536, -0.3536, -0.3536, 0.3536 with a deviation of 0.4082 over the step.
    right, length = (1.0, [1.0, 0.0, 1.0, 1.0]), (0.5, [10.0, 20.0, 10.0, 20.0])
    rewards = earned(components=[right, length])
    found = advantages(rewards, name="grpo", compare_rewards="each")
    half = 0.8660254
    assert [row[0] for row in found] == pytest.approx([half, -half, -half, half], rel=1e-4)
    assert found[3] == [found[3][0]] * 3
    # Summed, the length decides the first group, too: 1 + 5 is less than 0 + 10.
    summed = StepRewards([6.0, 10.0, 6.0, 11.0], [0, 0, 1, 1], LENGTHS)
    assert advantages(summed, name="grpo")[0][0] < 0
    larger = earned(components=[right, (0.5, [1000.0, 2000.0, 1000.0, 2000.0])])
    for row, same in zip(advantages(larger, name="grpo", compare_rewards="each"), found, strict=True):
        assert row == pytest.approx(same, rel=1e-4)


def test_rewards_of_tokens_are_compared_as_one_more_component() -> None:
    penalties = tokens([-0.5, -0.5], [0.0], [0.0], [-1.0, 0.0, 0.0])
    alone = earned(components=[(1.0, [-1.0, 0.0, 0.0, -1.0])])
    added = earned(penalties, components=[(1.0, [0.0] * 4)])
    settings = {"name": "dr_grpo", "compare_rewards": "each"}
    assert advantages(added, **settings) == advantages(alone, **settings)
    assert advantages(earned(components=[]), **settings) == [[0.0] * length for length in LENGTHS]


@pytest.mark.follows("`compare_rewards: each` has no effect with `advantage: {}`, which compares nothing; remove it")
@pytest.mark.follows("`whiten_rewards` has no effect with `compare_rewards: each`, which normalizes each of them; remove it")
def test_settings_that_compare_nothing_are_refused() -> None:
    with pytest.raises(ValidationError, match="`compare_rewards: each` has no effect with `advantage: gae`"):
        Algorithm.model_validate({"name": "ppo", "compare_rewards": "each"})
    with pytest.raises(ValidationError, match="`whiten_rewards` has no effect with `compare_rewards: each`"):
        Algorithm.model_validate({"compare_rewards": "each", "whiten_rewards": True})
    assert Algorithm.model_validate({"name": "ppo"}).compare_rewards == "summed"
    assert Algorithm.model_validate({"compare_rewards": "each"}).whiten_rewards is False
