import pytest
from hypothesis import given
from hypothesis import strategies as st

from rl_core.algorithms.advantages import group_normalized


def test_by_hand() -> None:
    # mean 1, deviations -1 0 1, sample variance 1
    assert group_normalized([0.0, 1.0, 2.0], epsilon=0.0) == [-1.0, 0.0, 1.0]
    # mean 0.25, sample variance 0.25, so 0.75 / 0.5 and -0.25 / 0.5
    assert group_normalized([1.0, 0.0, 0.0, 0.0], epsilon=0.0) == [1.5, -0.5, -0.5, -0.5]


@given(reward=st.floats(-10, 10), size=st.integers(1, 64))
def test_equal_rewards_give_exactly_zero(reward: float, size: int) -> None:
    assert group_normalized([reward] * size) == [0.0] * size


@given(st.lists(st.sampled_from([-3.0, -1.0, -0.5, 3.0]), min_size=2, max_size=32))
def test_zero_mean_and_order_kept(rewards: list[float]) -> None:
    advantages = group_normalized(rewards)
    assert sum(advantages) == pytest.approx(0, abs=1e-9)
    assert [r for _, r in sorted(zip(advantages, rewards, strict=True))] == sorted(rewards)
