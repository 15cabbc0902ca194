import itertools
import math
from collections.abc import Callable
from statistics import fmean

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from evals.statistics import (
    _expanded_tail,
    avg_at_k,
    detectable_difference,
    is_noise,
    maj_at_k,
    mcnemar,
    mean_over_problems,
    paired_difference,
    pass_at_k,
    samples_for,
    wilson,
)


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        (5, 10, 0.236593, 0.763407),
        (0, 10, 0.0, 0.277533),  # z^2 / (n + z^2)
        (10, 10, 0.722467, 1.0),
        (81, 263, 0.2553, 0.3662),  # R. G. Newcombe 1998, table I
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
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


@given(st.integers(1, 2000).flatmap(lambda trials: st.tuples(st.integers(0, trials), st.just(trials))))
def test_wilson_is_scipys_and_its_own_mirror(pair: tuple[int, int]) -> None:
    successes, trials = pair
    estimate, mirrored = wilson(successes, trials), wilson(trials - successes, trials)
    expected = stats.binomtest(successes, trials).proportion_ci(method="wilson")
    assert (estimate.low, estimate.high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert (1 - mirrored.high, 1 - mirrored.low) == pytest.approx((estimate.low, estimate.high), abs=1e-12)


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


@pytest.mark.parametrize(
    ("degrees", "quantile"), [(2, 4.303), (3, 3.182), (4, 2.776), (9, 2.262), (29, 2.045)]
)  # 97.5%, from any printed table of Student's t
def test_percentiles_lie_further_out_where_problems_are_few(degrees: int, quantile: float) -> None:
    n = degrees + 1
    assert _expanded_tail(n) == pytest.approx(stats.norm.cdf(-quantile * math.sqrt(n / degrees)), rel=0.005)
    assert _expanded_tail(n) < 0.025


def test_percentiles_are_the_plain_ones_where_problems_are_many() -> None:
    assert _expanded_tail(100_000) == pytest.approx(0.025, rel=1e-3)


def test_equal_values_are_not_certain() -> None:
    assert mean_over_problems([0.0] * 30) == pytest.approx(wilson(0, 30))
    assert mean_over_problems([1.0] * 30) == pytest.approx(wilson(30, 30))
    # Up to z^2 / (10 + z^2) of all problems may be of another kind, at worst all wrong or all right.
    share = 3.841459 / 13.841459
    assert mean_over_problems([0.5] * 10) == pytest.approx((0.5, 0.5 - 0.5 * share, 0.5 + 0.5 * share))
    assert paired_difference([0.25] * 10, [0.5] * 10) == pytest.approx((0.25, 0.25 - 1.25 * share, 0.25 + 0.75 * share))


shares = st.lists(st.integers(0, 4).map(lambda right: right / 4), min_size=1, max_size=20)


@given(shares)
def test_an_interval_holds_its_mean_and_stays_within_0_and_1(values: list[float]) -> None:
    estimate = mean_over_problems(values)
    assert estimate.value == pytest.approx(fmean(values))
    assert -1e-12 <= estimate.low <= estimate.value + 1e-12
    assert estimate.value - 1e-12 <= estimate.high <= 1 + 1e-12
    assert estimate.high - estimate.low > 1e-3


@given(shares)
def test_right_and_wrong_are_mirrors_of_each_other(values: list[float]) -> None:
    estimate, mirrored = mean_over_problems(values), mean_over_problems([1 - value for value in values])
    assert (1 - mirrored.high, 1 - mirrored.low) == pytest.approx((estimate.low, estimate.high), abs=1e-9)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=20))
def test_the_difference_back_is_the_negative(pairs: list[tuple[int, int]]) -> None:
    first, second = [before / 4 for before, _ in pairs], [after / 4 for _, after in pairs]
    there, back = paired_difference(first, second), paired_difference(second, first)
    assert (-back.high, -back.low) == pytest.approx((there.low, there.high), abs=1e-9)
    assert is_noise(there) is is_noise(back)
    assert -1 - 1e-12 <= there.low <= there.high <= 1 + 1e-12


def test_one_problem_proves_nothing() -> None:
    """Of fewer than six problems that differ by the same, a sign test reaches 6% at best."""
    assert mean_over_problems([0.5]) == pytest.approx((0.5, 0.103275, 0.896725), abs=1e-6)
    assert is_noise(paired_difference([0.25], [0.75]))
    assert is_noise(paired_difference([0.25] * 5, [0.5, 0.5, 0.5, 0.5, 0.75]))
    assert not is_noise(paired_difference([0.0] * 12, [0.25, 0.5, 0.75] * 4))


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
    assert change == pytest.approx((0.0, -0.561497, 0.561497), abs=1e-6)  # 3.841 / 6.841: three problems tell little
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


@pytest.mark.parametrize(
    ("lost", "gained", "p_value"),
    [(0, 0, 1.0), (0, 5, 0.0625), (1, 9, 22 / 1024), (5, 5, 1.0), (0, 6, 0.03125)],  # 2 (1 + 10) / 2^10
)
def test_mcnemar(lost: int, gained: int, p_value: float) -> None:
    first = [True] * lost + [False] * gained + [True, False]
    second = [False] * lost + [True] * gained + [True, False]
    assert mcnemar(first, second) == pytest.approx(p_value)
    assert mcnemar(second, first) == pytest.approx(p_value)


@given(st.integers(0, 400), st.integers(0, 400))
def test_mcnemar_is_the_exact_binomial_test(lost: int, gained: int) -> None:
    expected = stats.binomtest(lost, lost + gained).pvalue if lost + gained else 1.0
    assert mcnemar([True] * lost + [False] * gained, [False] * lost + [True] * gained) == pytest.approx(expected, rel=1e-9)


def test_detectable_difference_by_hand() -> None:
    z = 2.801585  # 1.959964 + 0.841621
    spread = math.sqrt(2 * 0.25 * 34 / 33)  # half of 34 right: 30 problems, two more right and two more wrong ones
    assert detectable_difference([0.0, 1.0] * 15) == pytest.approx(z * spread / math.sqrt(30), rel=1e-5)
    # Paired, with one gained and one lost: squares of 2 in 32 differences.
    assert detectable_difference([0.0, 1.0] * 15, [0.0, 1.0] * 15) == pytest.approx(z * math.sqrt(2 / 31) / math.sqrt(30), rel=1e-5)
    # Differences 1, 0 (19 times), and -1, 1: mean 1/22, squares of 3.
    gained = [1.0] + [0.0] * 19
    assert detectable_difference([0.0] * 20, gained) == pytest.approx(z * math.sqrt((3 - 1 / 22) / 21) / math.sqrt(20), rel=1e-5)


def test_samples_for_a_width() -> None:
    random = np.random.default_rng(0)
    shares = np.full(200, 0.5)  # all of the variance is within problems: (0.25 / k) / 200
    pilot = [[bool(value) for value in random.random(8) < share] for share in shares]
    wanted, attainable = samples_for(pilot, 0.05)
    assert attainable
    assert wanted == pytest.approx((2 * 1.96 / 0.05) ** 2 * 0.25 / 200, abs=2)
    hard = [[bool(value) for value in random.random(8) < share] for share in np.repeat([0.05, 0.95], 15)]  # of 30 problems, none of 0.5
    assert samples_for(hard, 0.05)[1] is False
    assert 1 <= samples_for(hard, 0.05)[0] <= 64
    assert samples_for([[True, True], [False, False]] * 50, 0.5) == (2, True)
    assert samples_for([[True, False]] * 10, 0.25)[1] is False  # what ten problems left out is up to 28% of all


@pytest.mark.parametrize("draw", ["averaged", "hard"])
def test_as_many_samples_as_were_said_make_the_interval_as_wide(draw: str) -> None:
    random = np.random.default_rng(4)
    n, width = 120, 0.1
    rates = random.beta(6, 6, n) if draw == "averaged" else random.beta(0.3, 6, n)
    wanted, attainable = samples_for([[bool(value) for value in random.random(8) < rate] for rate in rates], width)
    assert attainable
    estimate = mean_over_problems((random.binomial(wanted, rates) / wanted).tolist())
    assert estimate.high - estimate.low < 1.15 * width


def binary(random: np.random.Generator, n: int) -> tuple[list[float], float]:
    return (random.random(n) < 0.4).astype(float).tolist(), 0.4


def averaged(random: np.random.Generator, n: int) -> tuple[list[float], float]:
    """avg@4 of problems whose difficulty varies: Beta(1, 1.5), mean 0.4."""
    return (random.binomial(4, random.beta(1, 1.5, n)) / 4).tolist(), 0.4


@pytest.mark.slow
@pytest.mark.parametrize(("draw", "n"), [(binary, 100), (averaged, 30), (averaged, 200)])
def test_intervals_hold_the_truth_in_95_of_100_cases(
    draw: Callable[[np.random.Generator, int], tuple[list[float], float]], n: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evals.statistics.RESAMPLES", 1000)
    random = np.random.default_rng(7)
    runs = 4000
    held = 0
    for run in range(runs):
        values, truth = draw(random, n)
        estimate = wilson(sum(values), n) if draw is binary else mean_over_problems(values, run)
        held += estimate.low <= truth <= estimate.high
    assert abs(held / runs - 0.95) < 0.01


@pytest.mark.slow
def test_paired_intervals_hold_the_truth_in_95_of_100_cases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evals.statistics.RESAMPLES", 1000)
    random = np.random.default_rng(8)
    runs, n, held = 4000, 100, 0
    for run in range(runs):
        shares = random.beta(1, 1.5, n)
        before, after = random.binomial(4, shares) / 4, random.binomial(4, 0.8 * shares + 0.2) / 4  # mean 0.4 -> 0.52
        change = paired_difference(before.tolist(), after.tolist(), run)
        held += change.low <= 0.12 <= change.high
    assert abs(held / runs - 0.95) < 0.01


def hard(random: np.random.Generator, n: int) -> tuple[list[float], float]:
    """avg@4 where five of six problems are out of reach, as of a weak model on AIME: mean 1/18."""
    return (random.binomial(4, np.where(random.random(n) < 5 / 6, 0, random.beta(1, 2, n))) / 4).tolist(), 1 / 18


@pytest.mark.slow
@pytest.mark.parametrize("draw", [averaged, hard])
@pytest.mark.parametrize("n", [2, 3, 5, 8, 15, 30])
def test_intervals_of_few_problems_hold_the_truth(
    draw: Callable[[np.random.Generator, int], tuple[list[float], float]], n: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without what resamples cannot see, three problems of `averaged` hold 77 in 100, eight of `hard` 62."""
    monkeypatch.setattr("evals.statistics.RESAMPLES", 500)
    random = np.random.default_rng(9)
    runs = 1500
    held = 0
    for run in range(runs):
        values, truth = draw(random, n)
        estimate = mean_over_problems(values, run)
        held += estimate.low <= truth <= estimate.high
    assert held / runs > 0.94


@pytest.mark.slow
@pytest.mark.parametrize("n", [2, 3, 5, 8, 15, 30])
def test_few_problems_seldom_show_a_difference_that_is_not_there(n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evals.statistics.RESAMPLES", 500)
    random = np.random.default_rng(10)
    runs = 1500
    found = 0
    for run in range(runs):
        rates = random.beta(1, 1.5, n)
        before, after = random.binomial(4, rates) / 4, random.binomial(4, rates) / 4
        found += not is_noise(paired_difference(before.tolist(), after.tolist(), run))
    assert found / runs < 0.065
