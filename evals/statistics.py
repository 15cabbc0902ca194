"""Scores with their uncertainty. All values are shares from 0 to 1, all intervals hold 95%.

A problem is the unit of resampling: samples of one problem are not independent, so they are averaged first.
"""

import math
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import special  # its functions of distributions: scipy.stats has the same and takes three times as long to import

from evals.config import MOST_SAMPLES

Z = float(special.ndtri(0.975))  # quantiles of the normal distribution
Z80 = float(special.ndtri(0.8))
RESAMPLES = 10_000
FEW = 6  # problems: of fewer no test of paired differences reaches 5%, for 2 / 2^5 is 6%
_CELLS = 4_000_000  # indices drawn at once; bounds memory


class Estimate(NamedTuple):
    """A value and its 95% interval."""

    value: float
    low: float
    high: float


def wilson(successes: float, trials: int) -> Estimate:
    """Share of successes with the Wilson score interval (E. B. Wilson 1927), which holds at 0 and 1 and for few trials.

    Raises:
        ValueError: no trials, or successes outside 0 .. trials.
    """
    if trials < 1 or not 0 <= successes <= trials:
        raise ValueError(f"{successes} successes in {trials} trials are no share")
    share = successes / trials
    spread = Z * math.sqrt(share * (1 - share) / trials + (Z / (2 * trials)) ** 2)
    centre = share + Z * Z / (2 * trials)
    scale = 1 + Z * Z / trials
    # At the ends the formula gives the share itself up to rounding.
    return Estimate(share, min(max((centre - spread) / scale, 0.0), share), max(min((centre + spread) / scale, 1.0), share))


def mean_over_problems(values: Sequence[float], seed: int = 0) -> Estimate:
    """Mean of one value from 0 to 1 per problem with the percentile bootstrap interval, widened by what no resample can see.

    The percentiles lie further out than 2.5 and 97.5 where problems are few, as Student's t does: plain ones hold too little (the expanded
    percentile interval of T. C. Hesterberg, 1411.5279). Problems of another kind than those that were drawn may be missing: see `_unseen`.
    """
    array = _one_per_problem(values)
    low, high = _percentiles(array, seed)
    outer_low, outer_high = _unseen(array, 0.0, 1.0)
    return Estimate(float(array.mean()), min(low, outer_low), max(high, outer_high))


def paired_difference(first: Sequence[float], second: Sequence[float], seed: int = 0) -> Estimate:
    """Mean of `second - first` over the same problems in the same order, with the paired percentile bootstrap interval.

    Where problems are few, or differ all by the same, the interval is widened by what no resample can see.

    Raises ValueError if the numbers of problems differ.
    """
    if len(first) != len(second):
        raise ValueError(f"{len(first)} and {len(second)} problems cannot be paired")
    differences = _one_per_problem(second) - _one_per_problem(first)
    low, high = _percentiles(differences, seed)
    if len(differences) < FEW or np.ptp(differences) == 0:
        outer_low, outer_high = _unseen(differences, -1.0, 1.0)
        low, high = min(low, outer_low), max(high, outer_high)
    return Estimate(float(differences.mean()), low, high)


def is_noise(difference: Estimate) -> bool:
    """Whether the interval of a difference holds zero."""
    return difference.low <= 0 <= difference.high


def mcnemar(first: Sequence[bool], second: Sequence[bool]) -> float:
    """Exact two-sided p-value of equal accuracy, from the problems that only one of two checkpoints solves (Q. McNemar 1947).

    Raises ValueError if the numbers of problems differ.
    """
    if len(first) != len(second):
        raise ValueError(f"{len(first)} and {len(second)} problems cannot be paired")
    lost = sum(before and not after for before, after in zip(first, second, strict=True))
    gained = sum(after and not before for before, after in zip(first, second, strict=True))
    return min(1.0, 2 * float(special.bdtr(min(lost, gained), lost + gained, 0.5)))


def detectable_difference(values: Sequence[float], others: Sequence[float] | None = None) -> float:
    """The smallest difference of means that a comparison finds in four of five cases, at a level of 5%.

    Args:
        values: one per problem.
        others: of the same problems by another checkpoint: the comparison is paired. Without them it is one with another checkpoint of the
            same spread that solves other problems: the most that pairing can leave.
    """
    array = _one_per_problem(values)
    # With two more right and two more wrong ones, or one gained and one lost (after Agresti and Coull 1998): what never differs in 30
    # problems is not without spread.
    if others is None:
        spread = math.sqrt(2 * float(np.concatenate([array, (0.0, 0.0, 1.0, 1.0)]).var(ddof=1)))
    else:
        spread = float(np.concatenate([_one_per_problem(others) - array, (-1.0, 1.0)]).std(ddof=1))
    return min(1.0, (Z + Z80) * spread / math.sqrt(len(array)))


def samples_for(correct: Sequence[Sequence[bool]], width: float) -> tuple[int, bool]:
    """Samples per problem after which the interval of avg@k is at most `width` wide, and whether any number reaches that.

    The variance of the mean over n problems is (between + within / k) / n: between problems, and within one. Where the first alone is too
    much, k is what makes the second a tenth of it.

    Args:
        correct: two or more samples of each problem.
        width: of the whole interval, as a share.
    """
    n = len(correct)
    shares = np.array([avg_at_k(problem) for problem in correct])
    counts = np.array([len(problem) for problem in correct])
    within = float(np.mean(shares * (1 - shares) * counts / (counts - 1)))
    between = max(0.0, float(shares.var(ddof=1)) - within / float(counts.mean())) if n > 1 else 0.0
    if within == 0:
        return int(counts.min()), max(2 * Z * math.sqrt(between / n), _unseen_share(n)) <= width
    allowed = (width / (2 * Z)) ** 2 * n - between
    attainable = allowed * MOST_SAMPLES >= within and _unseen_share(n) <= width
    wanted = within / allowed if attainable else within / (0.1 * between) if between else MOST_SAMPLES
    return min(MOST_SAMPLES, max(1, math.ceil(wanted))), attainable


def avg_at_k(correct: Sequence[bool]) -> float:
    """Share of correct samples of one problem."""
    return sum(correct) / len(correct)


def pass_at_k(correct: Sequence[bool], k: int) -> float:
    """Unbiased chance that at least one of k samples of a problem is correct: 1 - C(n-c, k) / C(n, k) (Chen et al., 2107.03374).

    Raises ValueError if there are fewer than k samples.
    """
    n, c = len(correct), sum(correct)
    if not 1 <= k <= n:
        raise ValueError(f"pass@{k} needs at least {k} samples and k >= 1; there are {n}")
    return 1 - math.comb(n - c, k) / math.comb(n, k)


def maj_at_k(answers: Sequence[str | None], correct: Sequence[bool]) -> float:
    """Chance that the majority answer of one problem's samples is correct, ties broken at random.

    Samples without an answer do not vote; without any vote the problem counts as wrong.
    """
    votes = Counter(answer for answer in answers if answer is not None)
    if not votes:
        return 0.0
    right = {answer for answer, is_correct in zip(answers, correct, strict=True) if is_correct}
    most = max(votes.values())
    winners = [answer for answer, count in votes.items() if count == most]
    return len(right.intersection(winners)) / len(winners)


def _one_per_problem(values: Sequence[float]) -> np.ndarray:
    if len(values) == 0:
        raise ValueError("a mean needs at least one problem")
    return np.asarray(values, dtype=np.float64)


def _percentiles(values: np.ndarray, seed: int) -> tuple[float, float]:
    """Interval of the mean under resampling with replacement."""
    random = np.random.default_rng(seed)
    rows = max(1, min(RESAMPLES, _CELLS // len(values)))
    means = np.concatenate(
        [
            values[random.integers(0, len(values), size=(min(rows, RESAMPLES - start), len(values)))].mean(axis=1)
            for start in range(0, RESAMPLES, rows)
        ]
    )
    tail = _expanded_tail(len(values))
    low, high = np.quantile(means, (tail, 1 - tail))
    return float(low), float(high)


def _expanded_tail(n: int) -> float:
    """The share of resamples to leave out at each end: 2.5%, less where there are few problems."""
    if n < 3:
        return 0.0
    return float(special.ndtr(special.stdtrit(n - 1, 0.025) * math.sqrt(n / (n - 1))))


def _unseen(values: np.ndarray, least: float, most: float) -> tuple[float, float]:
    """Interval of the mean if a share of all problems had the least or the most value, as many as n draws may well leave out.

    Of equal values the bootstrap makes a point, of values that are nearly all 0 too little. For all 0 or all 1 this is Wilson's interval.
    """
    mean, share = float(values.mean()), _unseen_share(len(values))
    return mean - share * (mean - least), mean + share * (most - mean)


def _unseen_share(n: int) -> float:
    """Upper end of Wilson's interval of a kind of problem that n draws have none of."""
    return Z**2 / (n + Z**2)
