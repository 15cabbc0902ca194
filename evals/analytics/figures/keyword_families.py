"""Figures of the keyword families: over the steps, by outcome and by difficulty, in training and on held-out problems."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from evals.analytics.figures.plotting import (
    BLUE,
    COLOURS,
    LINES,
    MARKERS,
    MUTED,
    VERMILLION,
    Figure,
    finish,
    head,
    new_canvas,
    one_curve,
    rows,
)
from evals.statistics import wilson

if TYPE_CHECKING:
    import duckdb
    from matplotlib.axes import Axes

SMALL = 9  # panels at most
PARTS = {"train": "in training", "test": "on held-out problems"}
INTERVALS = "The intervals hold 95% if responses were independent; those to the same prompt are not quite."


def _over_steps(connection: duckdb.DuckDBPyConnection) -> Figure | None:
    sql = "SELECT * FROM families_by_step WHERE step IS NOT NULL ORDER BY position, step"
    data = rows(connection, sql)
    shown = _occurring(data)
    if not shown:
        return None
    with new_canvas() as canvas:
        across = min(3, len(shown))
        for index, family in enumerate(shown, start=1):
            points = [row for row in data if row["family"] == family]
            axes = canvas.add_subplot(math.ceil(len(shown) / across), across, index)
            one_curve(axes, points, "responses_with", 100)
            _small(axes, family)
            axes.locator_params(axis="both", nbins=3)
        head(canvas, "Keyword families: % of rollouts with any")
        return finish(
            canvas,
            "families",
            "thinking",
            "Keyword families",
            "Share of rollouts whose thinking has at least one word of a family, by step. What the families stand for is listed below.",
            sql,
        )


def _by_outcome(connection: duckdb.DuckDBPyConnection) -> Figure | None:
    sql = (
        "SELECT part, family, outcome = 'correct' AS correct, sum(responses)::BIGINT AS responses, "
        "sum(responses_with * responses) / sum(responses) AS responses_with "
        "FROM families_by_outcome WHERE outcome IS NOT NULL GROUP BY ALL ORDER BY part DESC, family"
    )
    data = rows(connection, sql)
    shown = _occurring(data)[::-1]
    parts = [part for part in PARTS if any(row["part"] == part for row in data)]
    if not shown:
        return None
    with new_canvas() as canvas:
        for index, part in enumerate(parts, start=1):
            axes = canvas.add_subplot(1, len(parts), index)
            for correct, label, colour, marker, nudge in (
                (True, "right ones", BLUE, "o", 0.14),
                (False, "the others", VERMILLION, "s", -0.14),
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
        canvas.supxlabel("% of responses with any word of the family", fontsize=9.5, color=MUTED)
        head(canvas, "Keyword families by outcome")
        return finish(
            canvas,
            "families-by-outcome",
            "thinking",
            "Keyword families by outcome",
            "Share of responses with at least one word of a family, among those that end right and among the others. Where the marks lie "
            f"on each other the family says nothing about success. {INTERVALS}",
            sql,
        )


def _by_difficulty(connection: duckdb.DuckDBPyConnection) -> Figure | None:
    sql = (
        "SELECT part, source, difficulty, family, sum(responses)::BIGINT AS responses, "
        "sum(responses_with * responses) / sum(responses) AS responses_with FROM families_by_difficulty "
        "WHERE difficulty IS NOT NULL GROUP BY ALL ORDER BY part DESC, source, family"
    )
    data = rows(connection, sql)
    shown = _occurring(data)
    levels = sorted({row["difficulty"] for row in data}, key=_in_order)
    if not shown or len(levels) < 2:
        return None
    sources = list(dict.fromkeys((row["part"], row["source"]) for row in data))[: len(COLOURS)]
    with new_canvas() as canvas:
        across = min(3, len(shown))
        for index, family in enumerate(shown, start=1):
            axes = canvas.add_subplot(math.ceil(len(shown) / across), across, index)
            for number, (part, source) in enumerate(sources):
                points = {row["difficulty"]: row for row in data if (row["family"], row["part"], row["source"]) == (family, part, source)}
                places = [(at + 0.06 * number, points[level]) for at, level in enumerate(levels) if level in points]
                values, spread = _with_intervals([row for _, row in places])
                look: Any = {"color": COLOURS[number], "marker": MARKERS[number], "linestyle": LINES[number]}
                label = f"{source.replace('_', ' ')}, {part}"
                at = [place for place, _ in places]
                axes.errorbar(at, values, yerr=spread, label=label, markersize=4, linewidth=1.2, capsize=2, **look)
            few = levels if len(levels) <= 6 else ["" if at % math.ceil(len(levels) / 6) else level for at, level in enumerate(levels)]
            axes.set_xticks(range(len(levels)), few)
            axes.set_xlim(-0.4, len(levels) - 0.6 + 0.06 * len(sources))
            _small(axes, family)
            axes.locator_params(axis="y", nbins=3)
        canvas.supxlabel("difficulty, as the data names it", fontsize=9.5, color=MUTED)
        head(canvas, "Keyword families by difficulty: % of responses with any")
        return finish(
            canvas,
            "families-by-difficulty",
            "thinking",
            "Keyword families by difficulty",
            "Share of responses with at least one word of a family by the difficulty that the data names (number of people, level, …), for "
            f"each task in training and each benchmark. {INTERVALS}",
            sql,
        )


def _occurring(data: list[dict[str, Any]]) -> list[str]:
    """Families of which some word occurs, as many as there is room for."""
    return sorted({row["family"] for row in data if row["responses_with"]})[:SMALL]


def _with_intervals(data: list[dict[str, Any]]) -> tuple[list[float], list[list[float]]]:
    """Percent, and how far the intervals reach below and above."""
    shares = [wilson(row["responses_with"] * row["responses"], row["responses"]) for row in data]
    values = [100 * share.value for share in shares]
    return values, [[100 * (share.value - share.low) for share in shares], [100 * (share.high - share.value) for share in shares]]


def _small(axes: Axes, family: str) -> None:
    axes.set_ylim(0, 1.1 * max(axes.dataLim.y1, 1))
    axes.set_title(family.replace("_", " "), fontsize=8.5)
    axes.tick_params(labelsize=7.5)


def _in_order(difficulty: str) -> tuple[bool, float, str]:
    """Numbers by size, then words by letter."""
    try:
        return False, float(difficulty), ""
    except ValueError:
        return True, 0.0, difficulty


FIGURES = {130: _over_steps, 140: _by_outcome, 150: _by_difficulty}
