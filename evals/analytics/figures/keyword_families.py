"""Figures of the keyword families: over the steps, by outcome and by difficulty, in training and on held-out problems."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from evals.analytics.figures import plotting as plot
from evals.statistics import wilson

if TYPE_CHECKING:
    import duckdb
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

SMALL = 9  # panels at most
PARTS = {"train": "in training", "test": "on held-out problems"}
INTERVALS = "The intervals hold 95% if responses were independent; those to the same prompt are not quite."


def _over_steps(connection: duckdb.DuckDBPyConnection) -> plot.Figure | None:
    sql = "SELECT * FROM families_by_step WHERE step IS NOT NULL ORDER BY position, step"
    data = plot.rows(connection, sql)
    shown = _occurring(data)
    if not shown:
        return None
    canvas = plot.new_canvas()
    for family, axes in _panels(canvas, shown):
        plot.one_curve(axes, [row for row in data if row["family"] == family], "responses_with", 100)
        axes.locator_params(axis="both", nbins=3)
    caption = "Share of rollouts whose thinking has at least one word of a family, by step. What the families stand for is listed below."
    heading = "Keyword families: % of rollouts with any"
    return plot.finish(canvas, "families", "thinking", "Keyword families", caption, sql, heading)


def _by_outcome(connection: duckdb.DuckDBPyConnection) -> plot.Figure | None:
    sql = (
        "SELECT part, family, outcome = 'correct' AS correct, sum(responses)::BIGINT AS responses, "
        "sum(responses_with * responses) / sum(responses) AS responses_with "
        "FROM families_by_outcome WHERE outcome IS NOT NULL GROUP BY ALL ORDER BY part DESC, family"
    )
    data = plot.rows(connection, sql)
    shown = _occurring(data)[::-1]
    parts = [part for part in PARTS if any(row["part"] == part for row in data)]
    if not shown:
        return None
    canvas = plot.new_canvas()
    for index, part in enumerate(parts, start=1):
        axes = canvas.add_subplot(1, len(parts), index)
        for correct, label, colour, marker, nudge in (
            (True, "right ones", plot.BLUE, "o", 0.14),
            (False, "the others", plot.VERMILLION, "s", -0.14),
        ):
            points = {row["family"]: row for row in data if row["part"] == part and row["correct"] is correct}
            places = [(at + nudge, points[family]) for at, family in enumerate(shown) if family in points]
            values, spread = _with_intervals([row for _, row in places])
            axes.errorbar(values, [at for at, _ in places], xerr=spread, label=label, color=colour, fmt=marker, markersize=5, capsize=2)
        axes.set_yticks(range(len(shown)), [family.replace("_", " ") for family in shown] if index == 1 else [])
        axes.set_ylim(-0.6, len(shown) - 0.4)
        axes.margins(x=0.12)
        axes.set_xlim(left=0)
        axes.grid(visible=True, axis="x")
        axes.set_title(PARTS[part])
    canvas.supxlabel("% of responses with any word of the family", fontsize=9.5, color=plot.MUTED)
    caption = (
        "Share of responses with at least one word of a family, among those that end right and among the others. Where the marks lie "
        f"on each other the family says nothing about success. {INTERVALS}"
    )
    return plot.finish(canvas, "families-by-outcome", "thinking", "Keyword families by outcome", caption, sql)


def _by_difficulty(connection: duckdb.DuckDBPyConnection) -> plot.Figure | None:
    sql = (
        "SELECT part, source, difficulty, family, sum(responses)::BIGINT AS responses, "
        "sum(responses_with * responses) / sum(responses) AS responses_with FROM families_by_difficulty "
        "WHERE difficulty IS NOT NULL GROUP BY ALL ORDER BY part DESC, source, family"
    )
    data = plot.rows(connection, sql)
    shown = _occurring(data)
    levels = sorted({row["difficulty"] for row in data}, key=_in_order)
    if not shown or len(levels) < 2:
        return None
    sources = list(dict.fromkeys((row["part"], row["source"]) for row in data))[: len(plot.COLOURS)]
    canvas = plot.new_canvas()
    for family, axes in _panels(canvas, shown):
        for number, (part, source) in enumerate(sources):
            points = {row["difficulty"]: row for row in data if (row["family"], row["part"], row["source"]) == (family, part, source)}
            places = [(at + 0.06 * number, points[level]) for at, level in enumerate(levels) if level in points]
            values, spread = _with_intervals([row for _, row in places])
            look: Any = {"color": plot.COLOURS[number], "marker": plot.MARKERS[number], "linestyle": plot.LINES[number]}
            label = f"{source.replace('_', ' ')}, {part}"
            axes.errorbar([at for at, _ in places], values, yerr=spread, label=label, markersize=4, linewidth=1.2, capsize=2, **look)
        few = levels if len(levels) <= 6 else ["" if at % math.ceil(len(levels) / 6) else level for at, level in enumerate(levels)]
        axes.set_xticks(range(len(levels)), few)
        axes.set_xlim(-0.4, len(levels) - 0.6 + 0.06 * len(sources))
        axes.locator_params(axis="y", nbins=3)
    canvas.supxlabel("difficulty, as the data names it", fontsize=9.5, color=plot.MUTED)
    caption = (
        "Share of responses with at least one word of a family by the difficulty that the data names (number of people, level, …), for "
        f"each task in training and each benchmark. {INTERVALS}"
    )
    heading = "Keyword families by difficulty: % of responses with any"
    return plot.finish(canvas, "families-by-difficulty", "thinking", "Keyword families by difficulty", caption, sql, heading)


def _occurring(data: list[dict[str, Any]]) -> list[str]:
    """Families of which some word occurs, as many as there is room for."""
    return sorted({row["family"] for row in data if row["responses_with"]})[:SMALL]


def _with_intervals(data: list[dict[str, Any]]) -> tuple[list[float], list[list[float]]]:
    return plot.in_percent([wilson(row["responses_with"] * row["responses"], row["responses"])._asdict() for row in data])


def _panels(canvas: Canvas, shown: list[str]) -> Iterator[tuple[str, Axes]]:
    """A panel for each family, from zero up."""
    for family, axes in plot.small_panels(canvas, {family: family.replace("_", " ") for family in shown}, min(3, len(shown))):
        yield family, axes
        axes.set_ylim(0, 1.1 * max(axes.dataLim.y1, 1))


def _in_order(difficulty: str) -> tuple[bool, float, str]:
    """Numbers by size, then words by letter."""
    try:
        return False, float(difficulty), ""
    except ValueError:
        return True, 0.0, difficulty


FIGURES = {130: _over_steps, 140: _by_outcome, 150: _by_difficulty}
