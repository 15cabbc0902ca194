import itertools
import math
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.statistics import (
    avg_at_k,
    is_noise,
    maj_at_k,
    mean_over_problems,
    paired_difference,
    pass_at_k,
    wilson,
)


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        (5, 10, 0.236593, 0.763407),
        (0, 10, 0.0, 0.277533),  # z^2 / (n + z^2)
        (10, 10, 0.722467, 1.0),
        (81, 263, 0.2553, 0.3662),  # R. G. Newcombe 1998, table I
        (7, 30, 0.117923, 0.409284),  # AIME 2024: 23.3% can be 12% or 41%
    ],
)
def test_wilson(successes: int, trials: int, low: float, high: float) -> None:
    estimate = wilson(successes, trials)
    assert estimate.value == successes / trials
    assert estimate.low == pytest.approx(low, abs=5e-5)
    assert estimate.high == pytest.approx(high, abs=5e-5)


@given(st.integers(1, 10_000).flatmap(lambda trials: st.tuples(st.integers(0, trials), st.just(trials))))
def test_wilson_holds_its_value(pair: tuple[int, int]) -> None:
    estimate = wilson(*pair)
    assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1


@pytest.mark.parametrize(("successes", "trials"), [(0, 0), (3, 2), (-1, 2)])
def test_no_share(successes: int, trials: int) -> None:
    with pytest.raises(ValueError, match="no share"):
        wilson(successes, trials)


def test_bootstrap_matches_the_normal_interval_of_many_problems() -> None:
    values = [0.0, 0.25, 0.5, 0.75, 1.0] * 200  # mean 0.5, variance 0.125
    estimate = mean_over_problems(values)
    spread = 1.96 * math.sqrt(0.125 / 1000)
    assert estimate.value == 0.5
    assert estimate.low == pytest.approx(0.5 - spread, abs=0.002)
    assert estimate.high == pytest.approx(0.5 + spread, abs=0.002)


def test_bootstrap_repeats_and_depends_on_its_seed() -> None:
    values = [math.sin(n) ** 2 for n in range(20)]
    assert mean_over_problems(values, 1) == mean_over_problems(values, 1)
    assert mean_over_problems(values, 1) != mean_over_problems(values, 2)


def test_equal_values_are_not_certain() -> None:
    assert mean_over_problems([0.0] * 30) == wilson(0, 30)
    assert mean_over_problems([1.0] * 30) == wilson(30, 30)


def test_paired_difference_is_narrower_than_unpaired() -> None:
    first = [0.0, 1.0] * 100
    second = [0.0, 1.0] * 95 + [1.0, 1.0] * 5  # five problems gained
    change = paired_difference(first, second)
    assert change.value == pytest.approx(0.025)
    assert 0 < change.low < 0.025 < change.high < 0.06
    assert not is_noise(change)
    assert is_noise(paired_difference(first, second[::-1]))


def test_no_change_is_noise() -> None:
    change = paired_difference([0.0, 1.0, 0.5], [0.0, 1.0, 0.5])
    assert change == (0.0, 0.0, 0.0)
    assert is_noise(change)


def test_pairs_need_the_same_problems() -> None:
    with pytest.raises(ValueError, match="cannot be paired"):
        paired_difference([1.0], [1.0, 0.0])


def test_means_need_problems() -> None:
    with pytest.raises(ValueError, match="at least one problem"):
        mean_over_problems([])


def test_large_sets_are_resampled_in_parts() -> None:
    estimate = mean_over_problems([0.0, 1.0] * 1500)
    assert estimate.low == pytest.approx(0.5 - 1.96 * 0.5 / math.sqrt(3000), abs=0.003)


def test_avg_and_pass_at_k_by_hand() -> None:
    correct = [True, False, False, False]
    assert avg_at_k(correct) == 0.25
    assert pass_at_k(correct, 1) == 0.25
    assert pass_at_k(correct, 2) == 0.5  # 1 - C(3,2)/C(4,2)
    assert pass_at_k(correct, 4) == 1.0
    assert pass_at_k([False] * 4, 4) == 0.0


@given(st.lists(st.booleans(), min_size=1, max_size=7), st.integers(1, 7))
def test_pass_at_k_is_the_mean_over_all_draws(correct: list[bool], k: int) -> None:
    if k > len(correct):
        with pytest.raises(ValueError, match=f"pass@{k}"):
            pass_at_k(correct, k)
    else:
        assert pass_at_k(correct, k) == pytest.approx(fmean(any(draw) for draw in itertools.combinations(correct, k)))


@pytest.mark.parametrize(
    ("answers", "correct", "share"),
    [
        (["7", "7", "8"], [True, True, False], 1.0),
        (["7", "8", "8"], [True, False, False], 0.0),
        (["7", "8"], [True, False], 0.5),
        (["7", "8", "9"], [True, False, False], 1 / 3),
        (["7", None, None], [True, False, False], 1.0),
        ([None, None], [False, False], 0.0),
    ],
)
def test_maj_at_k(answers: list[str | None], correct: list[bool], share: float) -> None:
    assert maj_at_k(answers, correct) == pytest.approx(share)
