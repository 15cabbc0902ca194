"""Figures of a warehouse: curves over a whole curriculum with its stage boundaries, and scores, lengths and keywords by checkpoint.

Colours are Okabe and Ito's, which stay apart under the common colour-blindnesses, and every series also differs in line style or marker.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

INK, MUTED, GRID = "#1f2933", "#5b6770", "#e3e7eb"
BLUE, VERMILLION, GREEN, ORANGE, PURPLE, SKY = "#0072B2", "#D55E00", "#009E73", "#E69F00", "#CC79A7", "#56B4E9"
COLOURS = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, INK)
LINES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)))
WIDTH, HEIGHT = 5.8, 3.7  # inches: half a page wide, so that its type stays readable on a phone
MARKERS = ("o", "s", "^", "D", "v", "P", "X")

STYLE: Any = {
    "font.family": "DejaVu Sans",  # shipped with matplotlib: the same picture on every machine
    "font.size": 10.5,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": MUTED,
    "axes.titlesize": 9.5,
    "axes.titlecolor": MUTED,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.grid.axis": "y",
    "grid.color": GRID,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "legend.frameon": False,
    "legend.fontsize": 9.5,
    "lines.linewidth": 2,
    "svg.hashsalt": "r1flow",  # equal input, equal bytes
}

OUTCOMES = {
    "wrong": ("wrong answer", VERMILLION),
    "format_error": ("format error", BLUE),
    "unparseable": ("unreadable answer", PURPLE),
    "truncated": ("cut at the token limit", ORANGE),
    "timeout": ("verifier timeout", INK),
}
HEALTH = {
    "entropy": "entropy (nats per token)",
    "kl": "KL to the reference",
    "grad_norm": "gradient norm",
    "rollout_logprob_difference": "train/rollout log-prob gap",
}


@dataclass(frozen=True)
class Figure:
    """One picture: `svg` for the page, `png` for tools that show images; `caption` says what to see, `sql` where the numbers are."""

    name: str
    section: str  # training | checkpoints
    title: str
    caption: str
    sql: str
    svg: str
    png: bytes

    def write(self, directory: Path) -> Path:
        """Save as `<name>.png`."""
        path = directory / f"{self.name}.png"
        path.write_bytes(self.png)
        return path


@dataclass(frozen=True)
class Series:
    """One line: `points` are (total step, value) lists, one per stage, so that a line breaks between stages."""

    label: str
    points: list[list[tuple[float, float]]]
    colour: str
    line: Any = "-"


def draw(connection: duckdb.DuckDBPyConnection) -> list[Figure]:
    """Every figure that the warehouse has data for, in the order of the report."""
    import matplotlib as mpl

    with mpl.rc_context(STYLE):
        figures = [
            _reward(connection),
            _lengths(connection),
            _errors(connection),
            _keywords(connection),
            _health(connection),
            _supervised(connection),
            *_scores(connection),
            _lengths_by_checkpoint(connection),
            _keywords_by_checkpoint(connection),
        ]
    return [figure for figure in figures if figure is not None]


def rows(connection: duckdb.DuckDBPyConnection, sql: str, parameters: list[Any] | None = None) -> list[dict[str, Any]]:
    """Result rows as dictionaries."""
    cursor = connection.execute(sql, parameters)
    names = [column[0] for column in cursor.description or []]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def smooth(values: Sequence[float], window: int) -> list[float]:
    """Centred running mean over `window` values; at both ends over the part of the window that exists."""
    half = window // 2
    parts = [values[max(0, index - half) : index + half + 1] for index in range(len(values))]
    return [sum(part) / len(part) for part in parts]


def _reward(connection: duckdb.DuckDBPyConnection) -> Figure | None:
    data = rows(connection, "SELECT * FROM reward_by_step ORDER BY position, step")
    if not data:
        return None
    with _canvas() as canvas:
        axes = canvas.add_subplot()
        _curves(axes, [Series("reward", _by_stage(data, "reward"), BLUE)])
        axes.set_ylabel("mean reward")
        _stage_axis(axes, data)
        _head(canvas, "Training reward")
        return _figure(
            canvas,
            "reward",
            "training",
            "Training reward",
            "Mean reward of the rollouts of each step (thin) and its running mean (thick). Dotted lines are stage boundaries: "
            "a new stage changes the puzzles or the temperature, so its level is not comparable with the one before.",
            "SELECT * FROM reward_by_step ORDER BY position, step",
        )


def _lengths(connection: duckdb.DuckDBPyConnection) -> Figure | None:
    sql = "SELECT * FROM length_by_step ORDER BY position, step"
    data = rows(connection, sql)
    series = [
        Series("whole response", _by_stage(data, "response_tokens"), BLUE, LINES[0]),
        Series("thinking", _by_stage(data, "think_tokens"), VERMILLION, LINES[1]),
        Series("answer", _by_stage(data, "answer_tokens"), GREEN, LINES[2]),
    ]
    caption = "Mean tokens of the whole response, of the thinking and of the answer part."
    return _over_steps(data, series, "tokens", "length", "Response length", caption, sql)


def _errors(connection: duckdb.DuckDBPyConnection) -> Figure | None:
    sql = "SELECT * FROM errors_by_step ORDER BY position, step"
    data = rows(connection, sql)
    seen = [outcome for outcome in OUTCOMES if any(row[outcome] for row in data)]
    series = [
        Series(OUTCOMES[outcome][0], _by_stage(data, outcome, 100), OUTCOMES[outcome][1], line)
        for outcome, line in zip(seen, LINES, strict=False)
    ]
    caption = "Share of rollouts by what went wrong; what is missing to 100% was correct."
    return _over_steps(data, series, "% of rollouts", "errors", "How rollouts fail", caption, sql)


def _keywords(connection: duckdb.DuckDBPyConnection) -> Figure | None:
    sql = "SELECT * FROM keywords_by_step ORDER BY position, step"
    data = rows(connection, sql)
    series = [
        Series("step-wise", _by_stage(data, "step_wise"), BLUE, LINES[0]),
        Series("reflection", _by_stage(data, "reflection"), VERMILLION, LINES[1]),
    ]
    caption = "Step-wise words (step 1, first, next, …) and reflection words (try again, recheck, …) per rollout."
    return _over_steps(data, series, "per response", "keywords", "Keywords in the thinking", caption, sql)


def _over_steps(
    data: list[dict[str, Any]], series: list[Series], unit: str, name: str, title: str, caption: str, sql: str
) -> Figure | None:
    """Curves from zero up over the steps of the curriculum; None without data."""
    if not data:
        return None
    with _canvas() as canvas:
        axes = canvas.add_subplot()
        _curves(axes, series)
        axes.set_ylim(bottom=0)
        axes.set_ylabel(unit)
        _stage_axis(axes, data)
        _head(canvas, title)
        return _figure(canvas, name, "training", title, caption, sql)


def _health(connection: duckdb.DuckDBPyConnection) -> Figure | None:
    data = rows(
        connection,
        "SELECT name, stage, position, step, steps_before + step AS total_step, value FROM metrics "
        "JOIN stages USING (stage_run, experiment, stage) WHERE kind = 'rl' AND isfinite(value) ORDER BY position, step",
    )
    panels = {
        name: [row for row in data if row["name"] == name] for name in HEALTH if any(row["name"] == name and row["value"] for row in data)
    }
    if not panels:
        return None
    with _canvas() as canvas:
        for index, (name, points) in enumerate(panels.items(), start=1):
            axes = canvas.add_subplot(math.ceil(len(panels) / 2), min(2, len(panels)), index)
            _curves(axes, [Series("", _by_stage(points, "value"), BLUE)])
            for left, _, _ in _segments(points)[1:]:
                axes.axvline(left, color=MUTED, linewidth=0.8, linestyle=":")
            axes.set_title(HEALTH[name])
            axes.tick_params(labelsize=8.5)
            axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
            axes.locator_params(axis="both", nbins=4)
        _head(canvas, "Health of the training")
        return _figure(
            canvas,
            "health",
            "training",
            "Health of the training",
            "Signs of collapse: entropy that runs to zero or jumps, a growing KL or gradient, a gap between the trainer's and the "
            "sampler's log-probs.",
            "SELECT * FROM metrics WHERE name IN ('entropy', 'kl', 'grad_norm') ORDER BY stage, step",
        )


def _supervised(connection: duckdb.DuckDBPyConnection) -> Figure | None:
    data = rows(
        connection,
        "SELECT name, stage, position, step, steps_before + step AS total_step, value FROM metrics "
        "JOIN stages USING (stage_run, experiment, stage) WHERE kind = 'sft' AND isfinite(value) ORDER BY position, step",
    )
    loss = [row for row in data if row["name"] == "loss"]
    if not loss:
        return None
    accuracy = [row for row in data if row["name"] == "accuracy"]
    with _canvas() as canvas:
        axes = canvas.add_subplot(1, 2 if accuracy else 1, 1)
        _curves(axes, [Series("", _by_stage(loss, "value"), BLUE)])
        axes.set_ylim(bottom=0)
        axes.set_title("loss (nats per token)")
        axes.set_xlabel("optimizer step")
        if accuracy:
            axes = canvas.add_subplot(1, 2, 2)
            _curves(axes, [Series("", _by_stage(accuracy, "value", 100), GREEN)])
            axes.set_title("next-token accuracy (%)")
            axes.set_xlabel("optimizer step")
        _head(canvas, "Cold start (SFT)")
        return _figure(
            canvas,
            "sft",
            "training",
            "Cold start (SFT)",
            "Supervised fine-tuning on worked solutions, before any reinforcement.",
            "SELECT * FROM metrics WHERE name IN ('loss', 'accuracy') ORDER BY stage, step",
        )


def _scores(connection: duckdb.DuckDBPyConnection) -> list[Figure]:
    """One figure per benchmark with parts (people), one for all the benchmarks that are whole; per evaluation stage."""
    figures = []
    stages = [row["stage_run"] for row in rows(connection, "SELECT stage_run FROM stages WHERE kind = 'eval' ORDER BY position, stage_run")]
    for stage in stages:
        scores = rows(
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
                figures.append(_score_figure(f"scores-{benchmark}{suffix}", spoken(benchmark), checkpoints, chosen))
        if whole:
            chosen = {spoken(benchmark): _primary(parts[benchmark]) for benchmark in whole}
            figures.append(_score_figure(f"scores{suffix}", "Benchmarks" if len(whole) > 1 else spoken(whole[0]), checkpoints, chosen))
    return figures


def _score_figure(name: str, title: str, checkpoints: list[str], lines: dict[str, list[dict[str, Any]]]) -> Figure:
    metrics = {row["metric"] for chosen in lines.values() for row in chosen}
    title = f"{title}: {' / '.join(sorted(metrics))} on held-out problems"
    with _canvas() as canvas:
        axes = canvas.add_subplot()
        for index, (label, chosen) in enumerate(lines.items()):
            nudge = (index - (len(lines) - 1) / 2) * 0.07  # intervals side by side instead of on top of each other
            chosen = sorted(
                (row for row in chosen if row["checkpoint"] in checkpoints), key=lambda row: checkpoints.index(row["checkpoint"])
            )
            at = [checkpoints.index(row["checkpoint"]) + nudge for row in chosen]
            values = [100 * row["value"] for row in chosen]
            below = [100 * (row["value"] - row["low"]) if row["low"] is not None else 0 for row in chosen]
            above = [100 * (row["high"] - row["value"]) if row["high"] is not None else 0 for row in chosen]
            axes.errorbar(
                at,
                values,
                yerr=[below, above],
                label=label,
                color=COLOURS[index % len(COLOURS)],
                marker=MARKERS[index % len(MARKERS)],
                linestyle=LINES[index % len(LINES)],
                markersize=6,
                linewidth=1.8,
                elinewidth=1.3,
                capsize=3,
            )
        _checkpoint_axis(axes, checkpoints)
        axes.set_ylim(bottom=0)
        axes.set_ylabel("% correct")
        _head(canvas, title)
        return _figure(
            canvas,
            name,
            "checkpoints",
            title,
            "Share of held-out problems answered correctly, with 95% intervals. Overlapping intervals are no proof of equality: the table "
            "compares checkpoints on the same problems.",
            "SELECT * FROM scores",
        )


def _lengths_by_checkpoint(connection: duckdb.DuckDBPyConnection) -> Figure | None:
    test = rows(
        connection,
        "SELECT checkpoint, checkpoint_position, sum(think_tokens * responses) / sum(responses) AS thinking, "
        "sum(answer_tokens * responses) / sum(responses) AS answer FROM length_by_checkpoint "
        "WHERE mode = (SELECT max(mode) FROM samples) GROUP BY ALL ORDER BY checkpoint_position, checkpoint",
    )
    # The checkpoint of a stage is what its last tenth of steps has made.
    train = rows(
        connection,
        "SELECT stage AS checkpoint, avg(think_tokens) AS thinking, avg(answer_tokens) AS answer FROM rollouts "
        "JOIN stages USING (stage_run, experiment, stage) WHERE step > 0.9 * steps GROUP BY ALL",
    )
    checkpoints = list(dict.fromkeys(row["checkpoint"] for row in test))
    if not any(row["thinking"] for row in test):
        return None
    with _canvas() as canvas:
        for index, part in enumerate(("thinking", "answer"), start=1):
            axes = canvas.add_subplot(1, 2, index)
            for label, data, colour, marker, line in (("test", test, BLUE, "o", "-"), ("train, last steps", train, VERMILLION, "s", "--")):
                points = sorted(
                    (checkpoints.index(row["checkpoint"]), row[part])
                    for row in data
                    if row["checkpoint"] in checkpoints and row[part] is not None
                )
                axes.plot(*zip(*points, strict=True), label=label, color=colour, marker=marker, linestyle=line) if points else None
            axes.set_ylim(bottom=0)
            axes.set_title(f"{part} (tokens)")
            _checkpoint_axis(axes, checkpoints, narrow=True)
        _head(canvas, "Where the length goes")
        return _figure(
            canvas,
            "length-by-checkpoint",
            "checkpoints",
            "Where the length goes",
            "Thinking and answer length by checkpoint, on held-out problems and on the rollouts that made the checkpoint.",
            "SELECT * FROM length_by_checkpoint",
        )


def _keywords_by_checkpoint(connection: duckdb.DuckDBPyConnection) -> Figure | None:
    data = rows(
        connection,
        "SELECT checkpoint, checkpoint_position, sum(step_wise * responses) / sum(responses) AS step_wise, "
        "sum(reflection * responses) / sum(responses) AS reflection FROM keywords_by_checkpoint "
        "WHERE mode = (SELECT max(mode) FROM samples) GROUP BY ALL ORDER BY checkpoint_position, checkpoint",
    )
    if not data:
        return None
    with _canvas() as canvas:
        axes = canvas.add_subplot()
        for index, (family, label, colour, hatch) in enumerate(
            (("step_wise", "step-wise", BLUE, ""), ("reflection", "reflection", VERMILLION, "///"))
        ):
            bars = axes.bar(
                [at + (index - 0.5) * 0.36 for at in range(len(data))],
                [row[family] for row in data],
                0.34,
                label=label,
                color=colour,
                hatch=hatch,
                edgecolor="white",
            )
            axes.bar_label(bars, fmt="%.1f", fontsize=9, color=INK, padding=2)
        _checkpoint_axis(axes, [row["checkpoint"] for row in data])
        axes.set_ylabel("per response")
        _head(canvas, "Keywords by checkpoint")
        return _figure(
            canvas,
            "keywords-by-checkpoint",
            "checkpoints",
            "Keywords by checkpoint",
            "Step-wise and reflection words per response to the held-out problems.",
            "SELECT * FROM keywords_by_checkpoint",
        )


def checkpoint_order(connection: duckdb.DuckDBPyConnection, stage_run: str) -> list[str]:
    """Checkpoints of an evaluation stage as it lists them: each is compared with the first and with the one before it."""
    found = rows(connection, "SELECT checkpoint FROM scores WHERE stage_run = ? GROUP BY checkpoint ORDER BY min(rowid)", [stage_run])
    return [row["checkpoint"] for row in found]


def _primary(scores: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The sampled average where there is one (less noisy than one greedy answer), else greedy accuracy."""
    sampled = [row for row in scores if row["mode"] == "sampled"]
    return sampled or scores


def spoken(benchmark: str) -> str:
    """A benchmark's name as its authors write it."""
    known = {
        "knights_knaves": "Knights and Knaves",
        "gsm8k": "GSM8K",
        "math500": "MATH-500",
        "aime24": "AIME 2024",
        "amc23": "AMC 2023",
    }
    return known.get(benchmark, benchmark.replace("_", " "))


def _by_stage(data: list[dict[str, Any]], column: str, scale: float = 1.0) -> list[list[tuple[float, float]]]:
    stages: dict[tuple[int, str], list[tuple[float, float]]] = {}
    for row in data:
        if row[column] is not None:
            stages.setdefault((row["position"], row["stage"]), []).append((row["total_step"], scale * row[column]))
    return list(stages.values())


def _segments(data: list[dict[str, Any]]) -> list[tuple[float, float, str]]:
    """(left edge, right edge, names) of the stretches between stage boundaries; stages that run in parallel share one."""
    stages: dict[str, list[float]] = {}
    for row in data:
        stages.setdefault(row["stage"], []).append(row["total_step"])
    edges: dict[float, tuple[float, list[str]]] = {}
    for stage, steps in stages.items():
        right, names = edges.get(min(steps) - 0.5, (0.0, []))
        edges[min(steps) - 0.5] = (max(right, max(steps) + 0.5), [*names, stage])
    return [(left, right, " / ".join(names)) for left, (right, names) in sorted(edges.items())]


def _curves(axes: Axes, series: list[Series]) -> None:
    """Raw values thin, running means thick; few points are drawn as they are."""
    total = max((len(points) for line in series for points in line.points), default=0)
    window = max(1, total // 8) | 1
    for line in series:
        label: str | None = line.label
        for points in line.points:
            steps, values = [step for step, _ in points], [value for _, value in points]
            if window > 1:
                axes.plot(steps, values, color=line.colour, linewidth=0.8, alpha=0.35)
            axes.plot(
                steps,
                smooth(values, window),
                color=line.colour,
                linestyle=line.line,
                label=label,
                marker="o" if len(points) == 1 else None,
            )
            label = None  # one legend entry for all stages


def _stage_axis(axes: Axes, data: list[dict[str, Any]]) -> None:
    """Step axis with stage boundaries."""
    from matplotlib.ticker import MaxNLocator

    segments = _segments(data)
    left, right = segments[0][0], max(segment[1] for segment in segments)
    axes.set_xlim(left, right)
    for start, end, name in segments:
        if start > left:
            axes.axvline(start, color=MUTED, linewidth=1, linestyle=":")
        letters = int(62 * (end - start) / (right - left))  # about what fits above the stretch at this size
        text = name if len(name) <= letters else name[: max(0, letters - 1)] + "…" if letters > 2 else ""
        axes.annotate(text, (start, 1), (4, 3), xycoords=("data", "axes fraction"), textcoords="offset points", fontsize=9, color=MUTED)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
    axes.set_xlabel("RL step, counted through the stages" if len(segments) > 1 else "RL step")


def _head(canvas: Canvas, title: str) -> None:
    """Title and, where there is more than one series, the legend, in a band above the plots that is as high as they need."""
    canvas.text(0.012, 1 - 0.06 / HEIGHT, title, va="top", fontsize=12, fontweight="bold")
    series = dict(zip(*reversed(canvas.axes[0].get_legend_handles_labels()), strict=True))
    lines = math.ceil(len(series) / 3) if len(series) > 1 else 0
    if lines:
        columns = math.ceil(len(series) / lines)
        canvas.legend(
            series.values(),
            series.keys(),
            loc="upper left",
            bbox_to_anchor=(0.012, 1 - 0.3 / HEIGHT),
            ncols=columns,
            columnspacing=1.4,
            handlelength=2,
            handletextpad=0.6,
            labelspacing=0.3,
            borderaxespad=0,
        ).set_in_layout(False)
    canvas.get_layout_engine().set(rect=(0, 0, 1, 1 - (0.34 + 0.21 * lines) / HEIGHT), hspace=0.06)  # type: ignore[union-attr, call-arg]


def _checkpoint_axis(axes: Axes, checkpoints: list[str], narrow: bool = False) -> None:
    crowded = sum(len(name) for name in checkpoints) > (22 if narrow else 55)
    axes.set_xticks(range(len(checkpoints)), checkpoints, rotation=35 if crowded else 0, ha="right" if crowded else "center")
    axes.set_xlim(-0.5, len(checkpoints) - 0.5)


@contextmanager
def _canvas() -> Iterator[Canvas]:
    """A figure drawn without a display and without pyplot's global state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Canvas

    canvas = Canvas(figsize=(WIDTH, HEIGHT), layout="constrained")
    FigureCanvasAgg(canvas)
    yield canvas


def _figure(canvas: Canvas, name: str, section: str, title: str, caption: str, sql: str) -> Figure:
    svg, png = io.StringIO(), io.BytesIO()
    canvas.savefig(svg, format="svg", metadata={"Date": None, "Creator": None})
    canvas.savefig(png, format="png", dpi=160, metadata={"Software": None})
    return Figure(name, section, title, caption, sql, svg.getvalue(), png.getvalue())
