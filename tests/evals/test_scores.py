from typing import Any

import pytest

from evals.scores import Cell, comparison_table, measures, score_table


def rows(benchmark: str, correct: list[list[bool]], difficulties: list[str | None], mode: str) -> list[dict[str, Any]]:
    return [
        {"benchmark": benchmark, "mode": mode, "sample": sample, "difficulty": difficulty, "correct": value, "extracted": str(value)}
        for problem, difficulty in zip(correct, difficulties, strict=True)
        for sample, value in enumerate(problem)
    ]


PEOPLE = ["3", "3", "5", "5"]
BEFORE = [[True, False], [False, False], [False, False], [True, True]]
AFTER = [[True, True], [True, True], [False, True], [True, True]]


def cell(name: str, sampled: list[list[bool]], greedy: list[bool]) -> Cell:
    made = rows("knights_knaves", [[value] for value in greedy], PEOPLE, "greedy") + rows("knights_knaves", sampled, PEOPLE, "sampled")
    return Cell(name, "knights_knaves", made)


def test_values_by_subset_mode_and_metric() -> None:
    table = score_table([cell("sft", BEFORE, [True, False, False, True])], measures(greedy=True, samples=2))
    found = {(row["subset"], row["metric"]): row for row in table}
    assert {key: row["value"] for key, row in found.items()} == {
        (None, "accuracy"): 0.5,
        ("3 people", "accuracy"): 0.5,
        ("5 people", "accuracy"): 0.5,
        (None, "avg@2"): 0.375,
        ("3 people", "avg@2"): 0.25,
        ("5 people", "avg@2"): 0.5,
        (None, "pass@2"): 0.5,
        ("3 people", "pass@2"): 0.5,
        ("5 people", "pass@2"): 0.5,
        (None, "maj@2"): 0.375,
        ("3 people", "maj@2"): 0.25,
        ("5 people", "maj@2"): 0.5,
    }
    whole = found[None, "avg@2"]
    assert (whole["problems"], whole["samples"], whole["mode"]) == (4, 2, "sampled")
    assert whole["low"] <= whole["value"] <= whole["high"]
    assert found["3 people", "accuracy"]["low"] == pytest.approx(0.0945, abs=1e-3)  # Wilson of 1 in 2


def test_math_levels_are_no_subsets() -> None:
    made = Cell("sft", "math500", rows("math500", [[True], [False]], ["1", "5"], "greedy"))
    assert [row["subset"] for row in score_table([made], measures(greedy=True, samples=0))] == [None]


def test_each_checkpoint_against_the_first_and_its_predecessor() -> None:
    greedy = [True, True, False, True]
    cells = [cell("sft", BEFORE, greedy), cell("five", AFTER, greedy), cell("anneal", AFTER, greedy)]
    table = [row for row in comparison_table(cells, measures(greedy=False, samples=2)) if row["metric"] == "avg@2" and not row["subset"]]
    assert [(row["first"], row["second"], row["difference"], row["noise"]) for row in table] == [
        ("sft", "five", 0.5, False),
        ("sft", "anneal", 0.5, False),
        ("five", "anneal", 0.0, True),
    ]


def test_metrics_follow_the_settings() -> None:
    assert [measure.metric for measure in measures(greedy=True, samples=1)] == ["accuracy", "avg@1"]
    assert [measure.metric for measure in measures(greedy=False, samples=4)] == ["avg@4", "pass@4", "maj@4"]
