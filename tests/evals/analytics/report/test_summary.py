from pathlib import Path

import pytest

from evals.analytics import query
from evals.analytics.report import summary
from evals.analytics.report.summary import Result
from evals.analytics.warehouse import publish as publishing
from evals.analytics.warehouse.publish import Part
from evals.config import StageRun


def result(label: str, before: float, after: float, low: float, high: float, tone: summary.Tone) -> Result:
    return Result(label, "avg@4", 200, "sft", "anneal", before, after, low, high, tone)


def test_verdicts_group_by_direction() -> None:
    found = summary.verdicts(
        [
            result("3 people", 0.35, 0.7, 0.29, 0.41, "better"),
            result("5 people", 0.1, 0.25, 0.1, 0.2, "better"),
            result("7 people", 0.05, 0.04, -0.03, 0.01, "noise"),
        ]
    )
    assert [(remark.tone, remark.topic, remark.text) for remark in found] == [
        (
            "better",
            "avg@4",
            "rose from sft to anneal. 3 people: 35.0% → 70.0% (+35.0 points, 95% interval +29.0 to +41.0; 200 problems); "
            "5 people: 10.0% → 25.0% (+15.0 points, 95% interval +10.0 to +20.0; 200 problems).",
        ),
        (
            "noise",
            "avg@4",
            "moved within noise from sft to anneal. 7 people: 5.0% → 4.0% "
            "(\N{MINUS SIGN}1.0 points, 95% interval \N{MINUS SIGN}3.0 to +1.0; 200 problems).",
        ),
    ]


def test_results_compare_first_and_last_checkpoint(database: Path) -> None:
    with query.connect(database) as connection:
        found = summary.results(connection)
        expected = connection.execute(
            "SELECT difference, low, high FROM comparisons WHERE first = 'sft' AND second = 'anneal' AND subset = '3 people' "
            "AND metric = 'avg@4'"
        ).fetchone()
    assert [(item.label, item.metric) for item in found] == [
        ("Knights and Knaves, 3 people", "avg@4"),
        ("Knights and Knaves, 5 people", "avg@4"),
        ("Knights and Knaves, 3 people", "Greedy accuracy"),
        ("Knights and Knaves, 5 people", "Greedy accuracy"),
    ]
    assert (found[0].first, found[0].last) == ("sft", "anneal")
    assert (found[0].after - found[0].before, found[0].low, found[0].high) == pytest.approx(expected)


def test_edges_are_the_means_of_the_first_and_last_tenth(tmp_path: Path) -> None:
    directory = tmp_path / "stage"
    directory.mkdir()
    stage = StageRun(experiment="e", stage="s", kind="rl", fingerprint="f" * 64, directory=directory, position=1)
    publishing.build(Part([stage]), tmp_path / "a.duckdb")
    with query.connect(tmp_path / "a.duckdb") as connection:
        for steps, first, last in ((20, 1.5, 19.5), (5, 1.0, 5.0), (1, 1.0, 1.0)):
            view = f"(SELECT 'r' AS stage_run, 's' AS stage, 1 AS position, i AS step, i::DOUBLE AS x FROM range(1, {steps + 1}) AS t(i))"
            assert summary.edges(connection, view, "x") == [("s", first, last, steps)]


def test_remarks_carry_numbers(database: Path) -> None:
    with query.connect(database) as connection:
        found = {remark.topic: remark.text for remark in summary.remarks(connection)}
    assert list(found)[:3] == ["Training reward", "Wrong answers", "Format errors"]
    assert found["Training reward"].startswith("rose in warmup (0.")
    assert "tokens" in found["Thinking length"]


def test_signs() -> None:
    assert [summary.signed(value) for value in (1.25, -0.5, 0.04, -0.04)] == ["+1.2", "\N{MINUS SIGN}0.5", "0.0", "0.0"]
    assert summary.signed(100 * 0.2475) == summary.signed(100 * (0.565 - 0.3175)) == "+24.8"
    assert summary.two_decimals(-1.5) == "\N{MINUS SIGN}1.50"
