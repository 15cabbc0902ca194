import json
import re
import struct
from pathlib import Path
from xml.etree import ElementTree

import duckdb
import pytest

from evals.analytics import figures, query
from evals.analytics.figures import draw, plotting
from evals.analytics.warehouse import publish as publishing
from evals.analytics.warehouse.publish import Part
from evals.config import StageRun


@pytest.fixture(scope="module")
def drawn(database: Path) -> list[plotting.Figure]:
    with query.connect(database) as connection:
        return draw(connection)


@pytest.mark.slow
def test_draws_every_figure(drawn: list[plotting.Figure]) -> None:
    assert [figure.name for figure in drawn] == [
        "reward",
        "scores-knights_knaves",
        "score-by-step",
        "errors",
        "length",
        "health",
        "sft",
        "keywords",
        "degeneration",
        "diversity",
        "solve-history",
        "length-by-checkpoint",
        "keywords-by-checkpoint",
        "reflection-effects",
        "families",
        "families-by-outcome",
        "families-by-difficulty",
    ]


@pytest.mark.slow
def test_pictures_are_whole(drawn: list[plotting.Figure], tmp_path: Path) -> None:
    for figure in drawn:
        png, svg = figure.write(tmp_path)
        content = png.read_bytes()
        width, height = struct.unpack(">II", content[16:24])
        assert content.startswith(b"\x89PNG")
        assert (width, height) == (928, 592)
        assert ElementTree.parse(svg).getroot().tag.endswith("svg")
        assert figure.caption


@pytest.mark.slow
def test_every_colour_of_a_drawing_has_a_dark_one(drawn: list[plotting.Figure]) -> None:
    for figure in drawn:
        drawing_itself = figure.svg.partition("</style>")[2]
        colours = set(re.findall(r"(?:fill|stroke): (#[0-9a-f]{6})", drawing_itself))
        assert colours <= {colour.lower() for colour in plotting.DARK}, figure.name
        assert "prefers-color-scheme: dark" in figure.svg


def contrast(first: str, second: str) -> float:
    """Of two colours, as WCAG 2.2 defines it."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    brighter, darker = sorted((luminance(first), luminance(second)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


def test_dark_figures_can_be_read() -> None:
    page = plotting.DARK["#ffffff"]
    assert min(contrast(plotting.DARK[colour], page) for colour in plotting.COLOURS) >= 4.5
    assert contrast(plotting.DARK[plotting.MUTED], page) >= 4.5
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)  # a value that is often quoted


def panels(figure: plotting.Figure) -> int:
    return len(re.findall(r'<g id="axes_\d+">', figure.svg))


@pytest.mark.slow
def test_health_shows_clipping_and_learning_rate_and_sft_its_curves(tmp_path: Path) -> None:
    """Panels of what was logged; a metric that is 0 throughout, as KL without a reference, has none."""
    stages = []
    logged = {
        "rl": {
            "entropy": 0.5,
            "kl": 0.0,
            "grad_norm": 0.1,
            "clip_fraction": 0.01,
            "learning_rate": 1e-6,
            "rollout_logprob_difference": 0.01,
        },
        "sft": {"loss": 2.0, "accuracy": 0.5, "grad_norm": 1.0, "learning_rate": 1e-3, "tokens_per_second": 900.0},
    }
    for position, (kind, metrics) in enumerate(logged.items()):
        directory = tmp_path / kind
        directory.mkdir()
        lines = [json.dumps({"step": step, **metrics}) for step in range(1, 6)]
        (directory / "metrics.jsonl").write_text("\n".join(lines) + "\n")
        stages.append(StageRun(experiment="e", stage=kind, kind=kind, fingerprint="f" * 64, directory=directory, position=position))
    publishing.build(Part(stages), tmp_path / "a.duckdb")
    with query.connect(tmp_path / "a.duckdb") as connection:
        drawn = {figure.name: figure for figure in draw(connection)}
    assert {name: panels(figure) for name, figure in drawn.items()} == {"health": 5, "sft": 4}
    assert "'clip_fraction', 'learning_rate'" in drawn["health"].sql


@pytest.mark.slow
def test_captions_name_queries_that_run(drawn: list[plotting.Figure], database: Path) -> None:
    for figure in drawn:
        assert query.run(database, figure.sql).num_rows > 0, figure.name


@pytest.mark.slow
def test_equal_data_equal_pictures(drawn: list[plotting.Figure], database: Path) -> None:
    with query.connect(database) as connection:
        again = draw(connection)
    assert [(figure.svg, figure.png) for figure in again] == [(figure.svg, figure.png) for figure in drawn]


def test_nothing_to_draw(tmp_path: Path) -> None:
    stage = StageRun(experiment="e", stage="s", kind="data", fingerprint="f" * 64, directory=tmp_path, position=0)
    publishing.build(Part([stage]), tmp_path / "a.duckdb")
    with query.connect(tmp_path / "a.duckdb") as connection:
        assert draw(connection) == []


MINE = """
from evals.analytics.figures.plotting import Figure

def figure(name):
    return lambda connection: Figure(name, "training", name, "", "SELECT 1", "<svg/>", b"")

FIGURES = {55: figure("middle"), 5: lambda connection: [figure("first")(connection), None], 999: figure("last")}
"""


def test_a_new_figure_is_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.py").write_text(MINE)
    monkeypatch.setattr(figures, "__path__", [*figures.__path__, str(tmp_path)])
    publishing.build(Part([]), tmp_path / "a.duckdb")
    with query.connect(tmp_path / "a.duckdb") as connection:
        assert [figure.name for figure in draw(connection)] == ["first", "middle", "last"]


@pytest.mark.slow
def test_whole_benchmarks_share_a_figure(experiment: list[StageRun], tmp_path: Path) -> None:
    directory = tmp_path / "scores"
    directory.mkdir()
    scores = [
        {
            "checkpoint": checkpoint,
            "benchmark": benchmark,
            "mode": "greedy",
            "metric": "accuracy",
            "value": 0.5,
            "problems": 30,
            "samples": 1,
        }
        for checkpoint in ("model", "five")
        for benchmark in ("gsm8k", "math500")
    ]
    (directory / "scores.json").write_text(json.dumps({"scores": scores, "comparisons": []}))
    stage = experiment[-1].model_copy(update={"directory": directory})
    publishing.build(Part([stage]), tmp_path / "a.duckdb")
    with query.connect(tmp_path / "a.duckdb") as connection:
        (figure,) = draw(connection)
    assert (figure.name, figure.title) == ("scores", "Benchmarks: accuracy on held-out problems")


@pytest.mark.parametrize(("window", "expected"), [(1, [0, 3, 6, 3, 0]), (3, [1.5, 3, 4, 3, 1.5]), (5, [3, 3, 2.4, 3, 3])])
def test_running_mean(window: int, expected: list[float]) -> None:
    assert plotting.smooth([0, 3, 6, 3, 0], window) == expected


def test_rows_are_dictionaries() -> None:
    with duckdb.connect() as connection:
        assert plotting.rows(connection, "SELECT 1 AS a, ? AS b", ["x"]) == [{"a": 1, "b": "x"}]
