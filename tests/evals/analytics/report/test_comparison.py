from pathlib import Path

import duckdb
import pytest

from evals.analytics import query
from evals.analytics.report import comparison
from evals.analytics.warehouse.publish import Part, build_several
from evals.config import RunInfo, StageRun


@pytest.fixture(scope="module")
def page(experiment: list[StageRun], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs that share everything but the last training stage, which one of them does not have."""
    output = tmp_path_factory.mktemp("comparison")
    parts = [
        Part(stages, run=RunInfo(experiment="quickstart", run=name, state="done", recipe={}))
        for name, stages in (("one", experiment), ("two", [*experiment[:3], experiment[4]]))
    ]
    build_several(parts, output / "a.duckdb")
    recipes = {"quickstart/one": {"a": 1, "b": 2}, "quickstart/two": {"a": 1, "b": "<b>3</b>", "c": 4}}
    runs = {label: [] for label in recipes}
    return comparison.write(output / "a.duckdb", output, runs=runs, recipes=recipes, links=[{"title": "SQL", "where": "r1flow sql"}])


@pytest.mark.slow
def test_page_tells_settings_scores_and_partings(page: Path) -> None:
    text = page.read_text()
    assert "<code>b</code>" in text
    assert "<code>a</code>" not in text
    assert "&lt;b&gt;3&lt;/b&gt;" in text
    assert "does not part from quickstart/one" in text
    assert "≈ within noise" in text  # the same answers in both
    assert "Knights and Knaves, 3 people" in text
    assert text.count('<img src="data:image/svg+xml;base64,') == len(list((page.parent / "figures").glob("*.svg"))) == 6


@pytest.mark.slow
def test_scores_by_part_of_the_benchmark(page: Path) -> None:
    with query.connect(page.parent / "a.duckdb") as connection:
        found = comparison.score_differences(connection, "quickstart/one", "quickstart/two")
        (own,) = connection.execute(
            "SELECT avg(correct::INTEGER) FROM eval_samples WHERE checkpoint = 'anneal' AND mode = 'greedy' AND difficulty = '5'"
        ).fetchall()
    assert [(row.mode, row.subset, row.problems) for row in found] == [
        ("sampled", None, 40),
        ("sampled", "3 people", 20),
        ("sampled", "5 people", 20),
        ("greedy", None, 40),
        ("greedy", "3 people", 20),
        ("greedy", "5 people", 20),
    ]
    assert found[5].before == pytest.approx(own[0])
    for whole, three, five in (found[:3], found[3:]):
        assert whole.before == pytest.approx((three.before + five.before) / 2)


def test_settings_that_differ() -> None:
    assert comparison.differing({"x": {"a": 1, "b": 1}, "y": {"a": 1, "b": 2}, "z": {"a": 1}}) == [("b", [1, 2, None])]


@pytest.mark.slow
@pytest.mark.parametrize(("late", "step"), [([0.9, 0.8] * 4, 11), ([0.1, 0.2] * 4, None)])
def test_where_runs_part(late: list[float], step: int | None, page: Path) -> None:
    """Ten steps alike, then five that differ or not; eight groups a step."""
    with query.connect(page.parent / "a.duckdb") as source, duckdb.connect() as connection:
        for table in ("runs", "stages", "groups"):
            connection.register("empty", source.sql(f"SELECT * FROM {table} LIMIT 0").to_arrow_table())
            connection.execute(f"CREATE TABLE {table} AS FROM empty")
        for run in ("a", "b"):
            connection.execute("INSERT INTO runs BY NAME SELECT ? AS run, [?] AS stage_runs", [run, run])
            connection.execute("INSERT INTO stages BY NAME SELECT ? AS stage_run, 0 AS steps_before", [run])
            for at in range(1, 16):
                for solved in late if run == "b" and at > 10 else [0.1, 0.2] * 4:
                    connection.execute("INSERT INTO groups BY NAME SELECT ? AS stage_run, ? AS step, ? AS solved", [run, at, solved])
        found = comparison.parting(connection, "a", "b")
    assert found.step == step
    assert found.difference == (pytest.approx(0.7) if step else None)
