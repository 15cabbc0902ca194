"""From stored samples to score tables: values with intervals, and checkpoint against checkpoint on the same problems."""

import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from evals import statistics
from evals.benchmarks import registry

Row = dict[str, Any]  # a row of SAMPLE_SCHEMA
Problem = list[Row]  # all samples of one problem in one mode


class Measure(NamedTuple):
    """One metric of one mode: a value per problem."""

    mode: str
    metric: str
    of: Callable[[Problem], float]


class ScoredCell(NamedTuple):
    """A checkpoint's samples on a benchmark, in the order of the problems."""

    checkpoint: str
    benchmark: str
    rows: list[Row]


def measures(mode: str, samples: int) -> list[Measure]:
    """What is reported of a mode with so many samples per problem."""
    if mode == "greedy":
        return [Measure(mode, "accuracy", _avg)]
    found = [Measure(mode, f"avg@{samples}", _avg)]
    if samples > 1:
        found.append(Measure(mode, f"pass@{samples}", lambda problem: statistics.pass_at_k(_correct(problem), samples)))
        found.append(Measure(mode, f"maj@{samples}", _maj))
    return found


def is_binary(measure: Measure) -> bool:
    """Whether each problem counts 0 or 1."""
    return measure.metric in ("accuracy", "avg@1")


def _correct(problem: Problem) -> list[bool]:
    return [row["correct"] for row in problem]


def _avg(problem: Problem) -> float:
    return statistics.avg_at_k(_correct(problem))


def _maj(problem: Problem) -> float:
    return statistics.maj_at_k([row["extracted"] for row in problem], _correct(problem))


def score_table(cells: Sequence[ScoredCell]) -> list[dict[str, Any]]:
    """One entry per cell, subset and measure.

    One sample per problem has Wilson's interval, the others the bootstrap over problems. `detectable` is the smallest difference that a
    comparison with such a score can show.
    """
    table = []
    for cell in cells:
        for subset, mode, problems in parts(cell):
            for measure in measures(mode, len(problems[0])):
                values = [measure.of(problem) for problem in problems]
                if is_binary(measure):
                    estimate = statistics.wilson(sum(values), len(values))
                else:
                    estimate = statistics.mean_over_problems(values, _seed(cell.benchmark, subset, measure.metric))
                table.append(
                    {"checkpoint": cell.checkpoint, "benchmark": cell.benchmark, "subset": subset, "mode": mode, "metric": measure.metric}
                    | estimate._asdict()
                    | {"detectable": statistics.detectable_difference(values), "problems": len(problems), "samples": len(problems[0])}
                )
    return table


def comparison_table(cells: Sequence[ScoredCell]) -> list[dict[str, Any]]:
    """Each checkpoint against the first one and against the one before it, paired by problem."""
    table = []
    for benchmark in dict.fromkeys(cell.benchmark for cell in cells):
        column = [cell for cell in cells if cell.benchmark == benchmark]
        for second in range(1, len(column)):
            for first in sorted({0, second - 1}):
                table += compare(column[first], column[second])
    return table


def compare(first: ScoredCell, second: ScoredCell) -> list[dict[str, Any]]:
    """Two checkpoints on the same problems of one benchmark: each measure that both have.

    `noise`: no difference is shown. Of one sample per problem McNemar's test decides, of more the paired bootstrap.

    Raises ValueError if the problems are not the same.
    """
    table = []
    before = {(subset, mode): problems for subset, mode, problems in parts(first)}
    for subset, mode, after in parts(second):
        problems = before.get((subset, mode), [])
        both = {measure.metric for measure in measures(mode, len(problems[0]))} if problems else set()
        for measure in measures(mode, len(after[0])):
            if measure.metric not in both:
                continue
            if [problem[0]["prompt_id"] for problem in problems] != [problem[0]["prompt_id"] for problem in after]:
                raise ValueError(f"{second.benchmark}: the problems are not the same")
            old, new = [measure.of(problem) for problem in problems], [measure.of(problem) for problem in after]
            change = statistics.paired_difference(old, new, _seed(second.benchmark, subset, measure.metric))
            p_value = statistics.mcnemar([value == 1 for value in old], [value == 1 for value in new]) if is_binary(measure) else None
            table.append(
                {
                    "benchmark": second.benchmark,
                    "subset": subset,
                    "mode": mode,
                    "metric": measure.metric,
                    "first": first.checkpoint,
                    "second": second.checkpoint,
                    "difference": change.value,
                    "low": change.low,
                    "high": change.high,
                    "p_value": p_value,
                    "detectable": statistics.detectable_difference(old, new),
                    "noise": statistics.is_noise(change) if p_value is None else p_value >= 0.05,
                }
            )
    return table


def parts(cell: ScoredCell) -> Iterator[tuple[str | None, str, list[Problem]]]:
    """Subset, mode and problems: all of a benchmark, and puzzles also by their number of people."""
    for mode in dict.fromkeys(row["mode"] for row in cell.rows):
        problems: list[Problem] = []
        for row in cell.rows:
            if row["mode"] == mode:
                if row["sample"] == 0:
                    problems.append([])
                problems[-1].append(row)
        yield None, mode, problems
        by_subset: dict[str, list[Problem]] = {}
        for problem in problems:
            if subset := registry.subset_of(cell.benchmark, problem[0]["difficulty"]):
                by_subset.setdefault(subset, []).append(problem)
        for subset, part in by_subset.items():
            yield subset, mode, part


def _seed(*parts: str | None) -> int:
    """The same resamples for the same table entry, whatever else is evaluated."""
    return zlib.crc32("/".join(part or "all" for part in parts).encode())
