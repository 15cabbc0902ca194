import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rl_core.algorithms.advantages import (
    generalized_advantages,
    group_centered,
    group_normalized,
    leave_one_out,
    rewards_to_go,
    whitened,
)


def float64(values: list[float]) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def whitened_list(values: list[float]) -> list[float]:
    return whitened(float64(values)).tolist()


def test_group_normalized_by_hand() -> None:
    # mean 1, deviations -1 0 1, sample variance 1
    assert group_normalized([0.0, 1.0, 2.0], epsilon=0.0) == [-1.0, 0.0, 1.0]
    # mean 0.25, sample variance 0.25, so 0.75 / 0.5 and -0.25 / 0.5
    assert group_normalized([1.0, 0.0, 0.0, 0.0], epsilon=0.0) == [1.5, -0.5, -0.5, -0.5]


def test_group_centered_and_leave_one_out_by_hand() -> None:
    assert group_centered([3.0, 1.0, 2.0]) == [1.0, -1.0, 0.0]
    # each against the mean of the other two: 3 - 1.5, 1 - 2.5, 2 - 2
    assert leave_one_out([3.0, 1.0, 2.0]) == [1.5, -1.5, 0.0]
    with pytest.raises(ValueError, match="two responses"):
        leave_one_out([1.0])


@pytest.mark.parametrize("estimator", [group_normalized, group_centered, whitened_list])
@given(reward=st.floats(-10, 10), size=st.integers(1, 64))
def test_equal_rewards_give_exactly_zero(estimator, reward: float, size: int) -> None:
    assert estimator([reward] * size) == [0.0] * size


@pytest.mark.parametrize("estimator", [group_normalized, group_centered, leave_one_out, whitened_list])
@given(rewards=st.lists(st.sampled_from([-3.0, -1.0, -0.5, 3.0]), min_size=2, max_size=32))
def test_zero_mean_and_order_kept(estimator, rewards: list[float]) -> None:
    advantages = estimator(rewards)
    assert sum(advantages) == pytest.approx(0, abs=1e-9)
    assert [r for _, r in sorted(zip(advantages, rewards, strict=True))] == sorted(rewards)


def test_whitened_by_hand() -> None:
    assert whitened(float64([1.0, 3.0]), epsilon=0.0).tolist() == [-1.0, 1.0]  # mean 2, deviation of the population 1


def test_generalized_advantages_by_hand() -> None:
    # errors: 0 + 0.5 * 2 - 1 = 0; 0 + 0.5 * 4 - 2 = 0; 1 + 0 - 4 = -3. Backwards with 0.5 * 0.5: -3, 0 - 0.75, 0 - 0.1875.
    # The response of one token after it knows nothing of it: 2 - 1.
    rewards, values = float64([0.0, 0.0, 1.0, 2.0]), float64([1.0, 2.0, 4.0, 1.0])
    assert generalized_advantages(rewards, values, [3, 1], discount=0.5, trace=0.5).tolist() == [-0.1875, -0.75, -3.0, 1.0]


def test_rewards_to_go_by_hand() -> None:
    assert rewards_to_go(float64([1.0, 0.0, 4.0, 8.0, 2.0]), [3, 2], 0.5).tolist() == [2.0, 2.0, 4.0, 9.0, 2.0]


@given(st.lists(st.tuples(st.floats(-5, 5), st.floats(-5, 5)), min_size=1, max_size=20))
def test_with_a_trace_of_1_advantage_plus_value_is_the_reward_to_go(tokens: list[tuple[float, float]]) -> None:
    rewards, values = float64([reward for reward, _ in tokens]), float64([value for _, value in tokens])
    advantages = generalized_advantages(rewards, values, [len(tokens)], discount=1.0, trace=1.0)
    for position, total in enumerate((advantages + values).tolist()):
        assert total == pytest.approx(float(rewards[position:].sum()), abs=1e-9)
