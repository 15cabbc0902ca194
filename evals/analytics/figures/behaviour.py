"""Figures of what is read in responses: what reflection does, repetition, diversity, solve history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evals.analytics.figures import plotting as plot
from evals.benchmarks.registry import label_of

if TYPE_CHECKING:
    import duckdb
    from matplotlib.figure import Figure as Canvas

# name in the table: label, colour, hatch
EFFECTS = {
    "helps": ("helps: wrong before, right after", plot.BLUE, ""),
    "harms": ("harms: right before, wrong after", plot.VERMILLION, "///"),
    "nothing": ("changes nothing", plot.MUTED, "..."),
}
STORIES = {
    "always solved": (plot.GREEN, ""),
    "learned": (plot.BLUE, "///"),
    "sometimes solved": (plot.ORANGE, "..."),
    "forgotten": (plot.VERMILLION, "xxx"),
    "never solved": (plot.INK, ""),
}


def _degeneration(connection: duckdb.DuckDBPyConnection) -> plot.Figure | None:
    sql = "SELECT * FROM degeneration_by_step ORDER BY position, step"
    data = plot.rows(connection, sql)
    series = [
        plot.Series("repeated 4-grams of words", plot.by_stage(data, "repetition", 100), plot.BLUE, plot.LINES[0]),
        plot.Series("repeated 16-grams of characters", plot.by_stage(data, "character_repetition", 100), plot.ORANGE, plot.LINES[4]),
        plot.Series("no end token", plot.by_stage(data, "no_end", 100), plot.VERMILLION, plot.LINES[1]),
        plot.Series("copied from the prompt", plot.by_stage(data, "prompt_copied", 100), plot.GREEN, plot.LINES[2]),
        plot.Series("a block of 32 words twice", plot.by_stage(data, "long_repeats", 100), plot.PURPLE, plot.LINES[3]),
    ]
    caption = (
        "Signs of degeneration: share of 4-grams of words and of 16-grams of characters that repeat, of rollouts without an end token, of "
        "4-grams copied from the prompt, and of rollouts in which a block of 32 words or more stands twice. All rising together is a "
        "collapse."
    )
    if data and all(row["no_end"] is None for row in data):
        caption += " How the rollouts ended is unknown."
    return plot.over_steps(data, series, "%", "degeneration", "Repetition and endings", caption, sql)


def _diversity(connection: duckdb.DuckDBPyConnection) -> plot.Figure | None:
    sql = "SELECT * FROM groups_by_step ORDER BY position, step"
    data = plot.rows(connection, sql)
    series = [
        plot.Series("groups that carry a gradient", plot.by_stage(data, "informative", 100), plot.BLUE, plot.LINES[0]),
        plot.Series("distinct 4-grams", plot.by_stage(data, "distinct_4grams", 100), plot.VERMILLION, plot.LINES[1]),
        plot.Series("all right", plot.by_stage(data, "all_correct", 100), plot.GREEN, plot.LINES[2]),
        plot.Series("none right", plot.by_stage(data, "none_correct", 100), plot.INK, plot.LINES[3]),
    ]
    caption = (
        "Within a group (the responses to one prompt): share of groups whose rewards differ, share of different 4-grams of words among all "
        "that were written, and groups that are solved wholly or not at all. Few different 4-grams mean that the responses are alike."
    )
    return plot.over_steps(data, series, "%", "diversity", "Diversity within a group", caption, sql)


def _history(connection: duckdb.DuckDBPyConnection) -> plot.Figure | None:
    sql = "SELECT stage, story, count(*) AS prompts FROM solve_history GROUP BY stage_run, stage, story"
    data = plot.rows(
        connection, f"SELECT * FROM ({sql}) JOIN (SELECT stage, min(position) AS nth FROM stages GROUP BY stage) USING (stage) ORDER BY nth"
    )
    if not data:
        return None
    stages = list(dict.fromkeys(row["stage"] for row in data))
    parts = {
        story: [sum(row["prompts"] for row in data if row["stage"] == stage and row["story"] == story) for stage in stages]
        for story in STORIES
    }
    canvas = _shares(parts, {story: (story, *look) for story, look in STORIES.items()}, stages, "% of prompts")
    caption = (
        "Training prompts of each stage by the share of their rollouts that were right from visit to visit: learned means none at first "
        "and some at the last visit, forgotten the reverse. A prompt that is visited once can only be solved always, sometimes or never."
    )
    return plot.finish(canvas, "solve-history", "training", "Training prompts: how solving went", caption, sql)


def _effects(connection: duckdb.DuckDBPyConnection) -> plot.Figure | None:
    sql = (
        "SELECT part, checkpoint, helps, harms, nothing, no_candidate FROM reflection_effects "
        "LEFT JOIN evaluated_checkpoints USING (stage_run, experiment, stage, checkpoint) ORDER BY part DESC, position, checkpoint_position"
    )
    data = [row for row in plot.rows(connection, sql) if any(row[effect] for effect in EFFECTS)]
    if not data:
        return None
    names = [f"{row['checkpoint']}{' (test)' if row['part'] == 'test' else ''}" for row in data]
    canvas = _shares({effect: [row[effect] for row in data] for effect in EFFECTS}, EFFECTS, names, "% of these responses")
    caption = (
        "Responses that stated an answer, turned round (reflection, backtracking, “wait”), and ended: was the answer before the first turn "
        "right, and the outcome? Responses that turn before they state any answer are left out."
    )
    return plot.finish(canvas, "reflection-effects", "checkpoints", "What turning round does", caption, sql)


def _shares(parts: dict[str, list[int]], looks: dict[str, tuple[str, str, str]], names: list[str], unit: str) -> Canvas:
    """Stacked bars that add up to 100%, with the number of cases above."""
    totals = [sum(part[at] for part in parts.values()) for at in range(len(names))]
    canvas = plot.new_canvas()
    axes = canvas.add_subplot()
    bottom = [0.0] * len(names)
    for part, counts in parts.items():
        label, colour, hatch = looks[part]
        heights = [100 * count / total for count, total in zip(counts, totals, strict=True)]
        if any(heights):
            axes.bar(range(len(names)), heights, 0.62, bottom=bottom, label=label, color=colour, hatch=hatch, edgecolor="white")
        bottom = [low + height for low, height in zip(bottom, heights, strict=True)]
    for at, total in enumerate(totals):
        axes.annotate(f"{total:,}", (at, 100), (0, 3), textcoords="offset points", ha="center", fontsize=9, color=plot.MUTED)
    plot.checkpoint_axis(axes, names)
    axes.set_ylim(0, 108)
    axes.set_ylabel(unit)
    return canvas


def score_by_step(connection: duckdb.DuckDBPyConnection) -> plot.Figure | None:
    """Main scores of the checkpoints at the steps after which they were made; None where no benchmark has two such checkpoints."""
    sql = (
        "SELECT benchmark, subset, metric, value, low, high, trained.steps_before + trained.steps AS step "
        "FROM scores JOIN stages AS trained ON trained.experiment = scores.experiment AND trained.stage = scores.checkpoint "
        "WHERE trained.kind IN ('rl', 'command') AND metric NOT LIKE 'pass@%' AND metric NOT LIKE 'maj@%' "
        "QUALIFY mode = max(mode) OVER (PARTITION BY benchmark) ORDER BY scores.benchmark, subset, step"
    )
    lines: dict[str, list[dict[str, Any]]] = {}
    for row in plot.rows(connection, sql):
        label = label_of(row["benchmark"]) + (f", {row['subset']}" if row["subset"] else "")
        lines.setdefault(label, []).append(row)
    lines = {label: points for label, points in lines.items() if len({point["step"] for point in points}) > 1}
    if not lines:
        return None
    canvas = plot.new_canvas()
    axes = canvas.add_subplot()
    for at, (label, points) in enumerate(list(lines.items())[: len(plot.COLOURS)]):
        values, spread = plot.in_percent(points)
        steps = [point["step"] for point in points]
        axes.errorbar(steps, values, yerr=spread, label=label, color=plot.COLOURS[at], linestyle=plot.LINES[at], marker="o", capsize=3)
    axes.set_ylim(bottom=0)
    plot.whole_steps(axes)
    axes.set_ylabel("% correct")
    axes.set_xlabel("RL step after which the checkpoint was made")
    caption = "Scores of the evaluated checkpoints on held-out problems, at the steps after which they were made, with 95% intervals."
    return plot.finish(canvas, "score-by-step", "training", "Test score by step", caption, sql)


FIGURES = {30: score_by_step, 90: _degeneration, 92: _diversity, 94: _history, 120: _effects}
