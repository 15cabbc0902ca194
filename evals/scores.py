"""From stored samples to score tables: values with intervals, and checkpoint against checkpoint on the same problems."""

from __future__ import annotations

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


class Cell(NamedTuple):
    """A checkpoint's samples on a benchmark, in the order of the problems."""

    checkpoint: str
    benchmark: str
    rows: list[Row]


def measures(greedy: bool, samples: int) -> list[Measure]:
    """What an evaluation reports."""
    found = [Measure("greedy", "accuracy", _avg)] if greedy else []
    if samples:
        found.append(Measure("sampled", f"avg@{samples}", _avg))
    if samples > 1:
        found.append(Measure("sampled", f"pass@{samples}", lambda problem: statistics.pass_at_k(_correct(problem), samples)))
        found.append(Measure("sampled", f"maj@{samples}", _maj))
    return found


def _correct(problem: Problem) -> list[bool]:
    return [row["correct"] for row in problem]


def _avg(problem: Problem) -> float:
    return statistics.avg_at_k(_correct(problem))


def _maj(problem: Problem) -> float:
    return statistics.maj_at_k([row["extracted"] for row in problem], _correct(problem))


def score_table(cells: Sequence[Cell], wanted: Sequence[Measure]) -> list[dict[str, Any]]:
    """One entry per cell, subset and measure. A greedy accuracy has Wilson's interval, the others the bootstrap over problems."""
    table = []
    for cell in cells:
        for subset, mode, problems in _parts(cell):
            for measure in wanted:
                if measure.mode != mode:
                    continue
                values = [measure.of(problem) for problem in problems]
                if measure.metric == "accuracy":
                    estimate = statistics.wilson(sum(values), len(values))
                else:
                    estimate = statistics.mean_over_problems(values, _seed(cell.benchmark, subset, measure.metric))
                table.append(
                    {"checkpoint": cell.checkpoint, "benchmark": cell.benchmark, "subset": subset, "mode": mode, "metric": measure.metric}
                    | estimate._asdict()
                    | {"problems": len(problems), "samples": len(problems[0])}
                )
    return table


def comparison_table(cells: Sequence[Cell], wanted: Sequence[Measure]) -> list[dict[str, Any]]:
    """Each checkpoint against the first one and against the one before it, paired by problem."""
    table = []
    for benchmark in dict.fromkeys(cell.benchmark for cell in cells):
        parts = [
            (cell.checkpoint, {(subset, mode): problems for subset, mode, problems in _parts(cell)})
            for cell in cells
            if cell.benchmark == benchmark
        ]
        for second in range(1, len(parts)):
            for first in sorted({0, second - 1}):
                for (subset, mode), problems in parts[second][1].items():
                    for measure in wanted:
                        if measure.mode == mode:
                            before = [measure.of(problem) for problem in parts[first][1][subset, mode]]
                            after = [measure.of(problem) for problem in problems]
                            change = statistics.paired_difference(before, after, _seed(benchmark, subset, measure.metric))
                            table.append(
                                {
                                    "benchmark": benchmark,
                                    "subset": subset,
                                    "mode": mode,
                                    "metric": measure.metric,
                                    "first": parts[first][0],
                                    "second": parts[second][0],
                                    "difference": change.value,
                                    "low": change.low,
                                    "high": change.high,
                                    "noise": statistics.is_noise(change),
                                }
                            )
    return table


def _parts(cell: Cell) -> Iterator[tuple[str | None, str, list[Problem]]]:
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
