import struct
from pathlib import Path
from xml.etree import ElementTree

import duckdb
import pytest

from evals.analytics import drawing, figures, query, warehouse
from evals.analytics.warehouse import Part
from evals.config import StageRun


@pytest.fixture(scope="module")
def drawn(database: Path) -> list[drawing.Figure]:
    with query.connect(database) as connection:
        return figures.draw(connection)


def test_draws_every_figure(drawn: list[drawing.Figure]) -> None:
    assert [figure.name for figure in drawn] == [
        "reward",
        "length",
        "errors",
        "keywords",
        "score-by-step",
        "degeneration",
        "diversity",
        "solve-history",
        "health",
        "sft",
        "scores-knights_knaves",
        "length-by-checkpoint",
        "keywords-by-checkpoint",
        "reflection-effects",
        "families",
        "families-by-outcome",
        "families-by-difficulty",
    ]


def test_pictures_are_whole(drawn: list[drawing.Figure], tmp_path: Path) -> None:
    for figure in drawn:
        png, svg = figure.write(tmp_path)
        content = png.read_bytes()
        width, height = struct.unpack(">II", content[16:24])
        assert content.startswith(b"\x89PNG")
        assert (width, height) == (928, 592)
        assert ElementTree.parse(svg).getroot().tag.endswith("svg")
        assert figure.caption


def test_captions_name_queries_that_run(drawn: list[drawing.Figure], database: Path) -> None:
    for figure in drawn:
        assert query.run(database, figure.sql).num_rows > 0, figure.name


def test_equal_data_equal_pictures(drawn: list[drawing.Figure], database: Path) -> None:
    with query.connect(database) as connection:
        again = figures.draw(connection)
    assert [(figure.svg, figure.png) for figure in again] == [(figure.svg, figure.png) for figure in drawn]


def test_nothing_to_draw(tmp_path: Path) -> None:
    stage = StageRun(experiment="e", stage="s", kind="data", fingerprint="f" * 64, directory=tmp_path, position=0)
    warehouse.build(Part([stage]), tmp_path / "a.duckdb")
    with query.connect(tmp_path / "a.duckdb") as connection:
        assert figures.draw(connection) == []


def test_whole_benchmarks_share_a_figure(experiment: list[StageRun], tmp_path: Path) -> None:
    import json

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
    warehouse.build(Part([stage]), tmp_path / "a.duckdb")
    with query.connect(tmp_path / "a.duckdb") as connection:
        (figure,) = figures.draw(connection)
    assert (figure.name, figure.title) == ("scores", "Benchmarks: accuracy on held-out problems")


@pytest.mark.parametrize(("window", "expected"), [(1, [0, 3, 6, 3, 0]), (3, [1.5, 3, 4, 3, 1.5]), (5, [3, 3, 2.4, 3, 3])])
def test_running_mean(window: int, expected: list[float]) -> None:
    assert drawing.smooth([0, 3, 6, 3, 0], window) == expected


def test_rows_are_dictionaries() -> None:
    with duckdb.connect() as connection:
        assert drawing.rows(connection, "SELECT 1 AS a, ? AS b", ["x"]) == [{"a": 1, "b": "x"}]
