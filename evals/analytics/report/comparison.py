"""Several runs against each other: settings, curves, where they part, and which differences of their last checkpoints are real."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evals.analytics import query
from evals.analytics.figures.plotting import COLOURS, LINES, STYLE, Figure, finish, new_canvas, rows, smooth
from evals.analytics.report import ask
from evals.analytics.report.page import embedded, environment
from evals.benchmarks.registry import label_of, subset_of
from evals.statistics import is_noise, paired_difference

if TYPE_CHECKING:
    import duckdb

CURVES = {
    "reward": ("reward_by_step", "reward", "Training reward", "mean reward"),
    "length": ("length_by_step", "response_tokens", "Response length", "tokens"),
    "errors": ("errors_by_step", "1 - correct", "Rollouts that are not correct", "share"),
    "format": ("errors_by_step", "format_error", "Format errors", "share"),
    "reflection": ("keywords_by_step", "reflection", "Reflection keywords", "per response"),
    "repetition": ("degeneration_by_step", "repetition", "Repeated 4-grams", "share"),
}
MOST_PARTS = 12  # of a benchmark: more are too small to show anything
IN_A_ROW = 3  # steps that a difference must last to count as a parting
# The stage runs of a run: a stage that two runs share belongs to both.
MEMBERS = "(SELECT run, unnest(stage_runs) AS stage_run FROM runs)"


@dataclass(frozen=True)
class Parting:
    """The first total step from which two runs' shares of correct rollouts differ, three steps in a row; None: they do not."""

    first: str
    second: str
    step: int | None
    difference: float | None  # second less first there


@dataclass(frozen=True)
class ScoreDifference:
    """Last checkpoints of two runs on the problems that both answered; shares from 0 to 1."""

    benchmark: str
    subset: str | None  # part of the benchmark, such as `3 people`; None: all of it
    mode: str
    first: str
    second: str
    problems: int
    before: float
    after: float
    difference: float
    low: float
    high: float
    noise: bool


def write(
    database: Path, output: Path, *, runs: dict[str, list[str]], recipes: dict[str, dict[str, Any]], links: list[dict[str, Any]]
) -> Path:
    """Write `comparison.html` and `figures/*` (PNG and SVG); returns the page.

    Args:
        database: a warehouse that holds exactly these runs.
        runs: stages by run, the run that is compared with first.
        recipes: settings by run, as `stages.five.temperature` and value.
    """
    import matplotlib as mpl

    labels = list(runs)
    with query.connect(database) as connection, mpl.rc_context(STYLE):
        figures = [figure for name in CURVES if (figure := _curve(connection, name, labels))]
        content = {
            "labels": labels,
            "settings": differing(recipes),
            "partings": [parting(connection, labels[0], other) for other in labels[1:]],
            "scores": [row for other in labels[1:] for row in score_differences(connection, labels[0], other)],
            "figures": figures,
            "costs": rows(
                connection,
                f"SELECT run, sum(response_tokens)::BIGINT AS tokens, sum(device_hours) AS device_hours FROM cost JOIN {MEMBERS} "
                "USING (stage_run) GROUP BY run ORDER BY run",
            ),
        }
    (output / "figures").mkdir(parents=True, exist_ok=True)
    for figure in figures:
        figure.write(output / "figures")
    page = output / "comparison.html"
    page.write_text(environment().get_template("comparison.html").render(content, links=links, **embedded("zoom.js")), encoding="utf-8")
    return page


def differing(recipes: dict[str, dict[str, Any]]) -> list[tuple[str, list[Any]]]:
    """Settings that are not the same in all runs, with each run's value (None: it has no such setting)."""
    names = dict.fromkeys(name for recipe in recipes.values() for name in recipe)
    values = {name: [recipe.get(name) for recipe in recipes.values()] for name in names}
    return [(name, found) for name, found in values.items() if any(value != found[0] for value in found)]


def parting(connection: duckdb.DuckDBPyConnection, first: str, second: str) -> Parting:
    data = ask(connection, "differences_by_step", [first, second])
    real = [row["error"] is not None and abs(row["difference"]) > 1.96 * row["error"] for row in data]
    for start in range(len(data) - IN_A_ROW + 1):
        signs = {math.copysign(1, row["difference"]) for row in data[start : start + IN_A_ROW]}
        if all(real[start : start + IN_A_ROW]) and len(signs) == 1:
            return Parting(first, second, data[start]["total_step"], data[start]["difference"])
    return Parting(first, second, None, None)


def score_differences(connection: duckdb.DuckDBPyConnection, first: str, second: str) -> list[ScoreDifference]:
    """The last checkpoint of one run against that of another, paired by problem: each benchmark, then its parts where it has several."""
    data = ask(connection, "last_answers", [first, second])
    whole: dict[tuple[str, str], list[dict[str, Any]]] = {}
    parts: dict[tuple[str, str], dict[str, list[dict[str, Any]]]] = {}
    for row in data:
        cell = (row["benchmark"], row["mode"])
        whole.setdefault(cell, []).append(row)
        if row["difficulty"]:
            subset = subset_of(row["benchmark"], row["difficulty"]) or f"difficulty {row['difficulty']}"
            parts.setdefault(cell, {}).setdefault(subset, []).append(row)
    found = []
    for (benchmark, mode), problems in whole.items():
        found.append(_difference(benchmark, None, mode, first, second, problems))
        subsets = parts.get((benchmark, mode), {})
        if 1 < len(subsets) <= MOST_PARTS:
            found += [_difference(benchmark, subset, mode, first, second, part) for subset, part in subsets.items()]
    return found


def _difference(benchmark: str, subset: str | None, mode: str, first: str, second: str, problems: list[dict[str, Any]]) -> ScoreDifference:
    before, after = [row["before"] for row in problems], [row["after"] for row in problems]
    change = paired_difference(before, after)
    count = len(problems)
    means = (sum(before) / count, sum(after) / count)
    ends = (change.value if change.low is None else change.low, change.value if change.high is None else change.high)
    return ScoreDifference(label_of(benchmark), subset, mode, first, second, count, *means, change.value, *ends, is_noise(change))


def _curve(connection: duckdb.DuckDBPyConnection, name: str, labels: list[str]) -> Figure | None:
    view, column, title, unit = CURVES[name]
    sql = (
        f"SELECT run, total_step, avg({column}) AS value FROM {view} JOIN {MEMBERS} USING (stage_run) GROUP BY ALL ORDER BY run, total_step"
    )
    data = rows(connection, sql)
    if not data:
        return None
    experiments = [label.partition("/")[0] for label in labels]
    # As short as tells them apart: a legend has little room.
    shown = experiments if len(set(experiments)) == len(labels) else [label.rpartition("/")[2] for label in labels]
    canvas = new_canvas()
    axes = canvas.add_subplot()
    for index, label in enumerate(labels):
        points = [(row["total_step"], row["value"]) for row in data if row["run"] == label and row["value"] is not None]
        if points:
            steps, values = zip(*points, strict=True)
            colour, window = COLOURS[index % len(COLOURS)], max(1, len(points) // 8) | 1
            axes.plot(steps, values, color=colour, linewidth=0.8, alpha=0.35)
            axes.plot(steps, smooth(values, window), color=colour, linestyle=LINES[index % len(LINES)], label=shown[index])
    axes.set_ylabel(unit)
    axes.set_xlabel("RL step, counted through the stages")
    return finish(canvas, f"compare-{name}", "training", title, f"{title}: every step (thin) and running mean.", sql)
