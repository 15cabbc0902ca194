from typing import Any

import pytest

from evals.scores import ScoredCell, compare, comparison_table, measures, score_table


def rows(benchmark: str, correct: list[list[bool]], difficulties: list[str | None], mode: str) -> list[dict[str, Any]]:
    return [
        {
            "benchmark": benchmark,
            "mode": mode,
            "sample": sample,
            "prompt_id": str(number),
            "difficulty": difficulty,
            "correct": value,
            "extracted": str(value),
        }
        for number, (problem, difficulty) in enumerate(zip(correct, difficulties, strict=True))
        for sample, value in enumerate(problem)
    ]


PEOPLE = ["3", "3", "5", "5"]
BEFORE = [[True, False], [False, False], [False, False], [True, True]]
AFTER = [[True, True], [True, True], [False, True], [True, True]]


def cell(name: str, sampled: list[list[bool]], greedy: list[bool]) -> ScoredCell:
    made = rows("knights_knaves", [[value] for value in greedy], PEOPLE, "greedy") + rows("knights_knaves", sampled, PEOPLE, "sampled")
    return ScoredCell(name, "knights_knaves", made)


def test_values_by_subset_mode_and_metric() -> None:
    table = score_table([cell("sft", BEFORE, [True, False, False, True])])
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
    made = ScoredCell("sft", "math500", rows("math500", [[True], [False]], ["1", "5"], "greedy"))
    assert [row["subset"] for row in score_table([made])] == [None]


def test_each_checkpoint_against_the_first_and_its_predecessor() -> None:
    def often(name: str, sampled: list[list[bool]], times: int) -> ScoredCell:
        return ScoredCell(name, "math500", rows("math500", sampled * times, [None] * 4 * times, "sampled"))

    cells = [often("sft", BEFORE, 5), often("five", AFTER, 5), often("anneal", AFTER, 5)]
    table = [row for row in comparison_table(cells) if row["metric"] == "avg@2"]
    assert [(row["first"], row["second"], row["difference"], row["noise"]) for row in table] == [
        ("sft", "five", 0.5, False),
        ("sft", "anneal", 0.5, False),
        ("five", "anneal", 0.0, True),
    ]
    # The same shares of four problems show nothing.
    assert compare(often("sft", BEFORE, 1), often("five", AFTER, 1))[0]["noise"]


def test_one_sample_per_problem_is_compared_by_mcnemar() -> None:
    def greedy(correct: list[bool]) -> ScoredCell:
        return ScoredCell("x", "aime24", rows("aime24", [[value] for value in correct], [None] * 30, "greedy"))

    [change] = compare(greedy([True] * 7 + [False] * 23), greedy([True] * 12 + [False] * 18))  # AIME 2024: 23.3 -> 40.0
    assert change["p_value"] == 0.0625  # 5 gained, none lost: 2 / 2**5
    assert change["noise"]
    [change] = compare(greedy([True] * 7 + [False] * 23), greedy([True] * 13 + [False] * 17))
    assert change["p_value"] == 0.03125
    assert not change["noise"]


def test_other_problems_are_not_compared() -> None:
    one = ScoredCell("x", "aime24", rows("aime24", [[True], [False]], [None, None], "greedy"))
    other = ScoredCell("x", "aime24", [row | {"prompt_id": "z"} for row in one.rows])
    with pytest.raises(ValueError, match="not the same"):
        compare(one, other)


def test_metrics_follow_the_settings() -> None:
    assert [measure.metric for measure in measures("greedy", 1)] == ["accuracy"]
    assert [measure.metric for measure in measures("sampled", 1)] == ["avg@1"]
    assert [measure.metric for measure in measures("sampled", 4)] == ["avg@4", "pass@4", "maj@4"]
