"""Figures of a warehouse: curves over a whole curriculum with its stage boundaries, and scores, lengths and keywords by checkpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evals.analytics.figures import plotting as plot
from evals.benchmarks.registry import label_of

if TYPE_CHECKING:
    import duckdb

OUTCOMES = {
    "wrong": ("wrong answer", plot.VERMILLION),
    "format_error": ("format error", plot.BLUE),
    "unparseable": ("unreadable answer", plot.PURPLE),
    "truncated": ("cut at the token limit", plot.ORANGE),
    "timeout": ("verifier timeout", plot.INK),
}
UNIT_NOTES = {"tokens": "", "characters": " Tokens are unknown."}
HEALTH = {
    "entropy": "entropy (nats per token)",
    "kl": "KL to the reference",
    "grad_norm": "gradient norm",
    "clip_fraction": "clipped tokens (%)",
    "learning_rate": "learning rate",
    "rollout_logprob_difference": "train/rollout gap (nats)",
}
SUPERVISED = {
    "loss": "loss (nats per token)",
    "accuracy": "next-token accuracy (%)",
    "learning_rate": "learning rate",
    "tokens_per_second": "tokens per second",
}
PERCENT = {"accuracy", "clip_fraction"}  # shares from 0 to 1
COLLAPSE = (
    "Signs of collapse: entropy that runs to zero or jumps, a growing KL or gradient, many clipped tokens, a gap between the trainer's "
    "and the sampler's log-probs. The learning rate shows what was meant to change."
)
COLD_START = "Supervised fine-tuning on worked solutions, before any reinforcement, by optimizer step."


def _reward(connection: duckdb.DuckDBPyConnection) -> plot.Figure | None:
    sql = "SELECT * FROM reward_by_step ORDER BY position, step"
    data = plot.rows(connection, sql)
    series = plot.Series("reward", plot.by_stage(data, "reward"), plot.BLUE)
    if not series.points:
        return None
    canvas = plot.new_canvas()
    axes = canvas.add_subplot()
    plot.curves(axes, [series])
    axes.set_ylabel("mean reward")
    plot.stage_axis(axes, data)
    caption = (
        "Mean reward of the rollouts of each step (thin) and its running mean (thick). Dotted lines are stage boundaries: "
        "a new stage changes the puzzles or the temperature, so its level is not comparable with the one before."
    )
    return plot.finish(canvas, "reward", "training", "Training reward", caption, sql)


def _lengths(connection: duckdb.DuckDBPyConnection) -> plot.Figure | None:
    sql = "SELECT * FROM length_by_step ORDER BY position, step"
    data = plot.rows(connection, sql)
    unit = length_unit(connection)
    whole = "characters" if unit == "characters" else "response_tokens"
    series = [
        plot.Series("whole response", plot.by_stage(data, whole), plot.BLUE, plot.LINES[0]),
        plot.Series("thinking", plot.by_stage(data, f"think_{unit}"), plot.VERMILLION, plot.LINES[1]),
        plot.Series("answer", plot.by_stage(data, f"answer_{unit}"), plot.GREEN, plot.LINES[2]),
    ]
    caption = f"Mean {unit} of the whole response, of the thinking and of the answer part."
    return plot.over_steps(data, series, unit, "length", "Response length", caption + UNIT_NOTES[unit], sql)


def _errors(connection: duckdb.DuckDBPyConnection) -> plot.Figure | None:
    sql = "SELECT * FROM errors_by_step ORDER BY position, step"
    data = plot.rows(connection, sql)
    seen = [outcome for outcome in OUTCOMES if any(row[outcome] for row in data)]
    series = [
        plot.Series(OUTCOMES[outcome][0], plot.by_stage(data, outcome, 100), OUTCOMES[outcome][1], line)
        for outcome, line in zip(seen, plot.LINES, strict=False)
    ]
    caption = "Share of rollouts by what went wrong; what is missing to 100% was correct."
    if seen and any(row["truncated"] is None for row in data):
        caption += " Which of the wrong ones were cut off is unknown."
    return plot.over_steps(data, series, "% of rollouts", "errors", "How rollouts fail", caption, sql)


def _keywords(connection: duckdb.DuckDBPyConnection) -> plot.Figure | None:
    sql = "SELECT * FROM keywords_by_step ORDER BY position, step"
    data = plot.rows(connection, sql)
    series = [
        plot.Series("step-wise", plot.by_stage(data, "step_wise"), plot.BLUE, plot.LINES[0]),
        plot.Series("reflection", plot.by_stage(data, "reflection"), plot.VERMILLION, plot.LINES[1]),
    ]
    caption = "Step-wise words (step 1, first, next, …) and reflection words (try again, recheck, …) per rollout."
    return plot.over_steps(data, series, "per response", "keywords", "Keywords in the thinking", caption, sql)


def _panels(
    connection: duckdb.DuckDBPyConnection, kinds: list[str], shown: dict[str, str], name: str, title: str, caption: str
) -> plot.Figure | None:
    """Small curves of logged metrics side by side, without those that are 0 throughout; None without any."""
    names, among = (", ".join(f"'{word}'" for word in words) for words in (shown, kinds))
    sql = (
        "SELECT name, stage, position, step, steps_before + step AS total_step, value FROM metrics "
        f"JOIN stages USING (stage_run, experiment, stage) WHERE kind IN ({among}) AND name IN ({names}) AND isfinite(value) "
        "ORDER BY position, step"
    )
    data = plot.rows(connection, sql)
    logged = {row["name"] for row in data if row["value"]}
    panels = {metric: [row for row in data if row["name"] == metric] for metric in shown if metric in logged}
    if not panels:
        return None
    across = 3 if len(panels) > 4 else min(2, len(panels))
    canvas = plot.new_canvas()
    for metric, axes in plot.small_panels(canvas, {metric: shown[metric] for metric in panels}, across):
        plot.one_curve(axes, panels[metric], "value", 100 if metric in PERCENT else 1)
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.locator_params(axis="both", nbins=4)
    return plot.finish(canvas, name, "training", title, caption, sql)


def _scores(connection: duckdb.DuckDBPyConnection) -> list[plot.Figure]:
    """One figure per benchmark with parts (people), one for all the benchmarks that are whole; per evaluation stage."""
    figures = []
    stages = [
        row["stage_run"] for row in plot.rows(connection, "SELECT stage_run FROM stages WHERE kind = 'eval' ORDER BY position, stage_run")
    ]
    for stage in stages:
        scores = plot.rows(
            connection, "SELECT * FROM scores WHERE stage_run = ? AND metric NOT LIKE 'pass@%' AND metric NOT LIKE 'maj@%'", [stage]
        )
        checkpoints = checkpoint_order(connection, stage)
        parts: dict[str, list[dict[str, Any]]] = {}
        for row in scores:
            parts.setdefault(row["benchmark"], []).append(row)
        whole = [name for name, part in parts.items() if all(row["subset"] is None for row in part)]
        suffix = f"-{stages.index(stage) + 1}" if len(stages) > 1 else ""
        for benchmark, part in parts.items():
            if benchmark not in whole:
                subsets = sorted({row["subset"] for row in part} - {None})
                chosen = {subset: [row for row in _primary(part) if row["subset"] == subset] for subset in subsets}
                figures.append(_score_figure(f"scores-{benchmark}{suffix}", label_of(benchmark), checkpoints, chosen))
        if whole:
            chosen = {label_of(benchmark): _primary(parts[benchmark]) for benchmark in whole}
            figures.append(_score_figure(f"scores{suffix}", "Benchmarks" if len(whole) > 1 else label_of(whole[0]), checkpoints, chosen))
    return figures


def _score_figure(name: str, title: str, checkpoints: list[str], lines: dict[str, list[dict[str, Any]]]) -> plot.Figure:
    metrics = {row["metric"] for chosen in lines.values() for row in chosen}
    title = f"{title}: {' / '.join(sorted(metrics))} on held-out problems"
    canvas = plot.new_canvas()
    axes = canvas.add_subplot()
    for index, (label, scores) in enumerate(lines.items()):
        nudge = (index - (len(lines) - 1) / 2) * 0.07  # intervals side by side instead of on top of each other
        chosen = sorted((row for row in scores if row["checkpoint"] in checkpoints), key=lambda row: checkpoints.index(row["checkpoint"]))
        at = [checkpoints.index(row["checkpoint"]) + nudge for row in chosen]
        values, spread = plot.in_percent(chosen)
        look: Any = {
            name: kinds[index % len(kinds)]
            for name, kinds in (("color", plot.COLOURS), ("marker", plot.MARKERS), ("linestyle", plot.LINES))
        }
        axes.errorbar(at, values, yerr=spread, label=label, markersize=6, linewidth=1.8, elinewidth=1.3, capsize=3, **look)
    plot.checkpoint_axis(axes, checkpoints)
    axes.set_ylim(bottom=0)
    axes.set_ylabel("% correct")
    caption = (
        "Share of held-out problems answered correctly, with 95% intervals. Overlapping intervals are no proof of equality: the table "
        "compares checkpoints on the same problems."
    )
    return plot.finish(canvas, name, "checkpoints", title, caption, "SELECT * FROM scores")


def _lengths_by_checkpoint(connection: duckdb.DuckDBPyConnection) -> plot.Figure | None:
    unit = length_unit(connection)
    thinking, answer = ("think_tokens", "answer_tokens") if unit == "tokens" else ("think_end - think_start", "answer_end - answer_start")
    test = plot.rows(
        connection,
        f"SELECT checkpoint, checkpoint_position, sum(think_{unit} * responses) / sum(responses) AS thinking, "
        f"sum(answer_{unit} * responses) / sum(responses) AS answer FROM length_by_checkpoint "
        "WHERE mode = (SELECT max(mode) FROM eval_samples) GROUP BY ALL ORDER BY checkpoint_position, checkpoint",
    )
    # The checkpoint of a stage is what its last tenth of steps has made.
    train = plot.rows(
        connection,
        f"SELECT stage AS checkpoint, avg({thinking}) AS thinking, avg({answer}) AS answer FROM rollouts "
        "JOIN stages USING (stage_run, experiment, stage) WHERE step > 0.9 * steps GROUP BY ALL",
    )
    checkpoints = list(dict.fromkeys(row["checkpoint"] for row in test))
    if not any(row["thinking"] for row in test):
        return None
    canvas = plot.new_canvas()
    for index, part in enumerate(("thinking", "answer"), start=1):
        axes = canvas.add_subplot(1, 2, index)
        for label, data, colour, marker, line in (
            ("test", test, plot.BLUE, "o", "-"),
            ("train, last steps", train, plot.VERMILLION, "s", "--"),
        ):
            known = [row for row in data if row["checkpoint"] in checkpoints and row[part] is not None]
            points = sorted((checkpoints.index(row["checkpoint"]), row[part]) for row in known)
            axes.plot(*zip(*points, strict=True), label=label, color=colour, marker=marker, linestyle=line) if points else None
        axes.set_ylim(bottom=0)
        axes.set_title(f"{part} ({unit})")
        plot.checkpoint_axis(axes, checkpoints, narrow=True)
    caption = "Thinking and answer length by checkpoint, on held-out problems and on the rollouts that made the checkpoint."
    sql = "SELECT * FROM length_by_checkpoint"
    return plot.finish(canvas, "length-by-checkpoint", "checkpoints", "Where the length goes", caption + UNIT_NOTES[unit], sql)


def _keywords_by_checkpoint(connection: duckdb.DuckDBPyConnection) -> plot.Figure | None:
    data = plot.rows(
        connection,
        "SELECT checkpoint, checkpoint_position, sum(step_wise * responses) / sum(responses) AS step_wise, "
        "sum(reflection * responses) / sum(responses) AS reflection FROM keywords_by_checkpoint "
        "WHERE mode = (SELECT max(mode) FROM eval_samples) GROUP BY ALL ORDER BY checkpoint_position, checkpoint",
    )
    if not data:
        return None
    canvas = plot.new_canvas()
    axes = canvas.add_subplot()
    for nudge, family, colour, hatch in ((-0.18, "step_wise", plot.BLUE, ""), (0.18, "reflection", plot.VERMILLION, "///")):
        label = family.replace("_", "-")
        at, heights = [place + nudge for place in range(len(data))], [row[family] for row in data]
        bars = axes.bar(at, heights, 0.34, label=label, color=colour, hatch=hatch, edgecolor="white")
        axes.bar_label(bars, fmt="%.1f", fontsize=9, color=plot.INK, padding=2)
    plot.checkpoint_axis(axes, [row["checkpoint"] for row in data])
    axes.set_ylabel("per response")
    caption = "Step-wise and reflection words per response to the held-out problems."
    sql = "SELECT * FROM keywords_by_checkpoint"
    return plot.finish(canvas, "keywords-by-checkpoint", "checkpoints", "Keywords by checkpoint", caption, sql)


def length_unit(connection: duckdb.DuckDBPyConnection) -> str:
    """What lengths are shown in: tokens, or characters where the tokens of any response are not known."""
    tokens = "SELECT response_tokens FROM rollouts UNION ALL SELECT response_tokens FROM eval_samples"
    unknown = plot.rows(connection, f"SELECT 1 FROM ({tokens}) WHERE response_tokens IS NULL LIMIT 1")
    return "characters" if unknown else "tokens"


def checkpoint_order(connection: duckdb.DuckDBPyConnection, stage_run: str) -> list[str]:
    """Checkpoints of an evaluation stage as it lists them: each is compared with the first and with the one before it."""
    found = plot.rows(connection, "SELECT checkpoint FROM scores WHERE stage_run = ? GROUP BY checkpoint ORDER BY min(rowid)", [stage_run])
    if not found:  # no response has a verdict
        found = plot.rows(
            connection,
            "SELECT checkpoint FROM evaluated_checkpoints WHERE stage_run = ? ORDER BY checkpoint_position, checkpoint",
            [stage_run],
        )
    return [row["checkpoint"] for row in found]


def _primary(scores: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The sampled average where there is one (less noisy than one greedy answer), else greedy accuracy."""
    sampled = [row for row in scores if row["mode"] == "sampled"]
    return sampled or scores


# What is asked first comes first.
FIGURES = {
    10: _reward,
    20: _scores,
    40: _errors,
    50: _lengths,
    60: lambda connection: _panels(connection, ["rl", "command"], HEALTH, "health", "Health of the training", COLLAPSE),
    70: lambda connection: _panels(connection, ["sft"], SUPERVISED, "sft", "Cold start (SFT)", COLD_START),
    80: _keywords,
    100: _lengths_by_checkpoint,
    110: _keywords_by_checkpoint,
}
