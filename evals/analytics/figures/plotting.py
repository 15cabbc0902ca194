"""How figures are drawn: colours, axes with stage boundaries, a canvas that needs no display.

Colours are Okabe and Ito's, which stay apart under the common colour-blindnesses, and every series also differs in line style or marker.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Mapping, Sequence
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
LEGEND_LETTER, LEGEND_MARK = 0.066, 0.53  # inches: of a letter in a legend, on average, and of a mark with the space around it
MARKERS = ("o", "s", "^", "D", "v", "P", "X")

# What stands for each colour where a reader's scheme is dark; the page's own dark background is the same as that of the figures.
DARK = {
    "#ffffff": "#14191f",
    INK: "#e4e9ee",
    MUTED: "#a3afba",
    GRID: "#2e3740",
    BLUE: "#56a9e0",
    VERMILLION: "#f2813b",
    GREEN: "#35c198",
    ORANGE: "#f0b436",
    PURPLE: "#dd9bc0",
    SKY: "#8fd0f5",
}

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


@dataclass(frozen=True)
class Figure:
    """One picture: `svg` for page and print, `png` for other tools; `caption` says what to see, `sql` where the numbers are."""

    name: str
    section: str  # training | checkpoints | thinking
    title: str
    caption: str
    sql: str
    svg: str
    png: bytes

    def write(self, directory: Path) -> list[Path]:
        """Save as `<name>.png` and `<name>.svg`."""
        png, svg = directory / f"{self.name}.png", directory / f"{self.name}.svg"
        png.write_bytes(self.png)
        svg.write_text(self.svg, encoding="utf-8")
        return [png, svg]


@dataclass(frozen=True)
class Series:
    """One line: `points` are (total step, value) lists, one per stage, so that a line breaks between stages."""

    label: str
    points: list[list[tuple[float, float]]]
    colour: str
    line: Any = "-"


def rows(connection: duckdb.DuckDBPyConnection, sql: str, parameters: list[Any] | None = None) -> list[dict[str, Any]]:
    cursor = connection.execute(sql, parameters)
    names = [column[0] for column in cursor.description or []]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def smooth(values: Sequence[float], window: int) -> list[float]:
    """Centred running mean over `window` values; at both ends over the part of the window that exists."""
    half = window // 2
    parts = [values[max(0, index - half) : index + half + 1] for index in range(len(values))]
    return [sum(part) / len(part) for part in parts]


def over_steps(data: list[dict[str, Any]], series: list[Series], unit: str, name: str, title: str, caption: str, sql: str) -> Figure | None:
    """Curves from zero up over the steps of the curriculum, of what is known; None without any."""
    series = [one for one in series if one.points]
    if not series:
        return None
    canvas = new_canvas()
    axes = canvas.add_subplot()
    curves(axes, series)
    axes.set_ylim(bottom=0)
    axes.set_ylabel(unit)
    stage_axis(axes, data)
    return finish(canvas, name, "training", title, caption, sql)


def by_stage(data: list[dict[str, Any]], column: str, scale: float = 1.0) -> list[list[tuple[float, float]]]:
    stages: dict[tuple[int, str], list[tuple[float, float]]] = {}
    for row in data:
        if row[column] is not None and row["total_step"] is not None:
            stages.setdefault((row["position"], row["stage"]), []).append((row["total_step"], scale * row[column]))
    return list(stages.values())


def stretches(data: list[dict[str, Any]]) -> list[tuple[float, float, str]]:
    """(left edge, right edge, names) of the stretches between stage boundaries; stages that run in parallel share one."""
    stages: dict[str, list[float]] = {}
    for row in data:
        if row["total_step"] is not None:
            stages.setdefault(row["stage"], []).append(row["total_step"])
    edges: dict[float, tuple[float, list[str]]] = {}
    for stage, steps in stages.items():
        right, names = edges.get(min(steps) - 0.5, (0.0, []))
        edges[min(steps) - 0.5] = (max(right, max(steps) + 0.5), [*names, stage])
    return [(left, right, " / ".join(names)) for left, (right, names) in sorted(edges.items())]


def curves(axes: Axes, series: list[Series]) -> None:
    """Raw values thin, running means thick; few points are drawn as they are."""
    total = max((len(points) for line in series for points in line.points), default=0)
    window = max(1, total // 8) | 1
    for line in series:
        label: str | None = line.label
        for points in line.points:
            steps, values = [step for step, _ in points], [value for _, value in points]
            if window > 1:
                axes.plot(steps, values, color=line.colour, linewidth=0.8, alpha=0.35)
            marker = "o" if len(points) == 1 else None
            axes.plot(steps, smooth(values, window), color=line.colour, linestyle=line.line, label=label, marker=marker)
            label = None  # one legend entry for all stages


def one_curve(axes: Axes, data: list[dict[str, Any]], column: str, scale: float = 1.0) -> None:
    """The only curve of a small panel, with a dotted line where a stage begins."""
    curves(axes, [Series("", by_stage(data, column, scale), BLUE)])
    for left, _, _ in stretches(data)[1:]:
        axes.axvline(left, color=MUTED, linewidth=0.8, linestyle=":")


def stage_axis(axes: Axes, data: list[dict[str, Any]]) -> None:
    parts = stretches(data)
    left, right = parts[0][0], max(part[1] for part in parts)
    axes.set_xlim(left, right)
    for start, end, name in parts:
        if start > left:
            axes.axvline(start, color=MUTED, linewidth=1, linestyle=":")
        letters = int(62 * (end - start) / (right - left))  # about what fits above the stretch at this size
        text = name if len(name) <= letters else name[: max(0, letters - 1)] + "…" if letters > 2 else ""
        axes.annotate(text, (start, 1), (4, 3), xycoords=("data", "axes fraction"), textcoords="offset points", fontsize=9, color=MUTED)
    whole_steps(axes)
    axes.set_xlabel("RL step, counted through the stages" if len(parts) > 1 else "RL step")


def small_panels(canvas: Canvas, titles: Mapping[str, str], across: int) -> Iterator[tuple[str, Axes]]:
    """The keys of `titles` with an empty panel each, in rows of `across`; the type is set when a panel has been drawn."""
    for index, (name, title) in enumerate(titles.items(), start=1):
        axes = canvas.add_subplot(math.ceil(len(titles) / across), across, index)
        yield name, axes
        axes.set_title(title, fontsize=8.5)
        axes.tick_params(labelsize=7.5)


def in_percent(scores: Sequence[Mapping[str, Any]]) -> tuple[list[float], list[list[float]]]:
    """Values of scores in percent, and how far their intervals reach below and above; 0 where there is none."""
    below = [0 if score["low"] is None else 100 * (score["value"] - score["low"]) for score in scores]
    above = [0 if score["high"] is None else 100 * (score["high"] - score["value"]) for score in scores]
    return [100 * score["value"] for score in scores], [below, above]


def whole_steps(axes: Axes) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))


def head(canvas: Canvas, title: str) -> None:
    """Title and, where there is more than one series, the legend, in a band above the plots that is as high as they need."""
    canvas.text(0.012, 1 - 0.06 / HEIGHT, title, va="top", fontsize=12, fontweight="bold")
    series = dict(zip(*reversed(canvas.axes[0].get_legend_handles_labels()), strict=True))
    columns = _legend_columns(list(series)) if len(series) > 1 else 0
    lines = math.ceil(len(series) / columns) if columns else 0
    if columns:
        gaps: Any = {"columnspacing": 1.4, "handlelength": 2, "handletextpad": 0.6, "labelspacing": 0.3, "borderaxespad": 0}
        place = (0.012, 1 - 0.3 / HEIGHT)
        legend = canvas.legend(series.values(), series.keys(), loc="upper left", bbox_to_anchor=place, ncols=columns, **gaps)
        legend.set_in_layout(False)
    canvas.get_layout_engine().set(rect=(0, 0, 1, 1 - (0.34 + 0.21 * lines) / HEIGHT), hspace=0.06)  # type: ignore[union-attr, call-arg]


def _legend_columns(labels: list[str]) -> int:
    """Columns of a legend that is no wider than the figure, with as few lines as that takes; three at most."""
    for lines in range(math.ceil(len(labels) / 3), len(labels)):
        columns = math.ceil(len(labels) / lines)
        longest = [max(map(len, labels[at : at + lines])) for at in range(0, len(labels), lines)]
        if LEGEND_LETTER * sum(longest) + LEGEND_MARK * columns <= WIDTH:
            return columns
    return 1


def checkpoint_axis(axes: Axes, checkpoints: list[str], narrow: bool = False) -> None:
    crowded = sum(len(name) for name in checkpoints) > (22 if narrow else 55)
    axes.set_xticks(range(len(checkpoints)), checkpoints, rotation=35 if crowded else 0, ha="right" if crowded else "center")
    axes.set_xlim(-0.5, len(checkpoints) - 0.5)


def new_canvas() -> Canvas:
    """A figure drawn without a display and without pyplot's global state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Canvas

    canvas = Canvas(figsize=(WIDTH, HEIGHT), layout="constrained")
    FigureCanvasAgg(canvas)
    return canvas


def finish(canvas: Canvas, name: str, section: str, title: str, caption: str, sql: str, heading: str | None = None) -> Figure:
    """A drawing in both forms; above it stands `heading`, or the title."""
    head(canvas, heading or title)
    svg, png = io.StringIO(), io.BytesIO()
    canvas.savefig(svg, format="svg", metadata={"Date": None, "Creator": None})
    canvas.savefig(png, format="png", dpi=160, metadata={"Software": None})
    # The drawing follows the reader's colour scheme; programs that know no such schemes show the light one.
    rules = "".join(
        f'[style*="{what}: {light.lower()}"]{{{what}: {dark} !important}}' for light, dark in DARK.items() for what in ("fill", "stroke")
    )
    text = svg.getvalue().replace("</style>", f"@media (prefers-color-scheme: dark) {{{rules}}}</style>", 1)
    return Figure(name, section, title, caption, sql, text, png.getvalue())
