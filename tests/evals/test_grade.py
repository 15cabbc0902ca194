import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evals.answer_readers import READERS
from evals.grade import golds_of_verifier, grade
from rl_core.data.prompts import DataError
from rl_core.errors import InputError
from rl_core.outcome import Outcome
from rl_core.rewards.pool import ScoreItem, ScoringPool
from rl_core.rewards.rules import Rule

ROWS = [
    {"id": 7, "gold": "#### 1,234", "response": "so it is 1234."},
    {"id": 8, "gold": "18", "response": "The answer is 17."},
    {"id": 9, "gold": 3, "response": "no idea"},
]


def lines(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_jsonl_in_both_forms_out(tmp_path: Path) -> None:
    file = lines(tmp_path / "in.jsonl", ROWS)
    outcomes = grade(file, "gsm8k", tmp_path / "out.jsonl", workers=1)
    assert outcomes == {Outcome.CORRECT: 1, Outcome.WRONG: 1, Outcome.UNPARSEABLE: 1}
    graded = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert graded == [
        ROWS[0] | {"correct": True, "outcome": "correct", "extracted": "1234"},
        ROWS[1] | {"correct": False, "outcome": "wrong", "extracted": "17"},
        ROWS[2] | {"correct": False, "outcome": "unparseable", "extracted": None},
    ]
    grade(file, "gsm8k", tmp_path / "out.parquet", workers=1)
    table = pq.read_table(tmp_path / "out.parquet")
    assert table.column_names == ["id", "gold", "response", "correct", "outcome", "extracted"]
    assert table["correct"].to_pylist() == [True, False, False]
    assert table["gold"].to_pylist() == ['"#### 1,234"', '"18"', "3"]  # of two types


@pytest.mark.slow
def test_parquet_with_other_column_names_and_symbolic_answers(tmp_path: Path) -> None:
    rows = {"answer": [r"\frac{1}{2}", "x+1", "x+1"], "completion": [r"\boxed{0.5}", r"so \boxed{1+x}", r"\boxed{x-1}"], "n": [1, 2, 3]}
    pq.write_table(pa.table(rows), tmp_path / "in.parquet")
    grade(tmp_path / "in.parquet", "math500", tmp_path / "out.jsonl", gold_column="answer", response_column="completion", workers=1)
    graded = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [row["correct"] for row in graded] == [True, True, False]
    assert [row["n"] for row in graded] == [1, 2, 3]


def test_graded_again_the_verdicts_are_replaced(tmp_path: Path) -> None:
    file = lines(tmp_path / "in.jsonl", [ROWS[0] | {"correct": False, "outcome": "x", "extracted": "y"}])
    grade(file, "gsm8k", tmp_path / "out.jsonl", workers=1)
    assert json.loads((tmp_path / "out.jsonl").read_text()) == ROWS[0] | {"correct": True, "outcome": "correct", "extracted": "1234"}


# Golds of public sets that no formula stands for: with dots, sets by a condition, differences of sets, halves of a formula.
UNREADABLE = [
    (r"2, 4, \ldots, 2n", r"\boxed{2, 4, \dots, 2n}", r"\boxed{2, 4, \dots, 2n+2}"),
    (r"3, 6, 9, \dots", r"\boxed{3, 6, 9, ...}", r"\boxed{3, 5, 7, \dots}"),
    (r"1+2+\cdots+n", r"\boxed{1+2+\dots+n}", r"\boxed{1+2+\dots+2n}"),
    (
        r"\{n\in\mathbb{N}\mid n \text{ is even}\}",
        r"\boxed{\{n \in \mathbb{N} : n\text{ is even}\}}",
        r"\boxed{\{n \in \mathbb{N} : n\text{ is odd}\}}",
    ),
    (r"A \setminus B", r"\boxed{A\backslash B}", r"\boxed{B \setminus A}"),
    (r"\frac{1}{2", r"the answer is: \frac{1}{2", r"\boxed{3}"),
]


@pytest.mark.follows("cannot be read; repair or remove it, or leave --strict out to compare texts")
def test_golds_that_cannot_be_read_are_compared_as_texts_marked_and_counted(tmp_path: Path) -> None:
    rows = [{"gold": gold, "response": response} for gold, *responses in UNREADABLE for response in responses]
    file = lines(tmp_path / "in.jsonl", [{"gold": "5", "response": r"\boxed{5}"}, *rows])
    graded = grade(file, "math500", tmp_path / "out.jsonl", workers=1)
    assert graded.by_text == len(rows)
    written = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [row["correct"] for row in written] == [True, *[True, False] * len(UNREADABLE)]
    assert [row["gold_by_text"] for row in written] == [False, *[True] * len(rows)]
    with pytest.raises(DataError, match=r"row 2: the gold .* cannot be read; repair or remove it, or leave --strict out"):
        grade(file, "math500", tmp_path / "strict.jsonl", strict=True, workers=1)
    assert not (tmp_path / "strict.jsonl").exists()
    # Graded again without such rows the mark is not left behind.
    again = lines(tmp_path / "again.jsonl", [written[0], written[0] | {"gold_by_text": True}])
    assert grade(again, "math500", tmp_path / "second.jsonl", strict=True, workers=1).by_text == 0
    assert [json.loads(line).get("gold_by_text") for line in (tmp_path / "second.jsonl").read_text().splitlines()] == [False, False]


def test_rules_judge_otherwise(tmp_path: Path) -> None:
    file = lines(
        tmp_path / "in.jsonl", [{"gold": "120", "response": r"\boxed{\frac{6!}{3!}}"}, {"gold": "120", "response": r"\boxed{120}"}]
    )
    assert grade(file, "math500", tmp_path / "out.jsonl", workers=1) == {Outcome.CORRECT: 2}
    simplified = grade(file, "math500", tmp_path / "out.jsonl", rules=frozenset({Rule.SIMPLIFIED}), workers=1)
    assert simplified == {Outcome.WRONG: 1, Outcome.CORRECT: 1}
    puzzle = {"gold": "(1) Zoey is a knight", "response": "<think>a</think><answer>If Zoey is a knight</answer>"}
    file = lines(tmp_path / "puzzle.jsonl", [puzzle])
    assert grade(file, "knights_knaves", tmp_path / "out.jsonl", workers=1) == {Outcome.UNPARSEABLE: 1}
    logic_rl = grade(file, "knights_knaves", tmp_path / "out.jsonl", rules=frozenset({Rule.LOGIC_RL}), workers=1)
    assert logic_rl == {Outcome.CORRECT: 1}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"gold": "1"}, r"row 2: the column 'response' is missing \(there are gold\); name another by --response"),
        ({"gold": None, "response": ""}, "row 2: the column 'gold' is empty"),
        ({"gold": "one", "response": ""}, "row 2: 'one' is no answer of this benchmark"),
        ({"gold": float("nan"), "response": ""}, "row 2: nan is no answer of this benchmark"),
        ({"gold": "1", "response": ["a"]}, "row 2: 'response' is no text"),
        ("text", "row 2 is no object"),
    ],
)
@pytest.mark.follows(
    "name another by {}, or repair or remove the row",
    "is no object with named columns; repair or remove it",
    "is no text but {}; repair or remove it",
    "is no answer of this benchmark{}; repair or remove it",
)
def test_bad_rows_are_named_and_nothing_is_written(tmp_path: Path, row: Any, message: str) -> None:
    file = lines(tmp_path / "in.jsonl", [ROWS[0], row])
    with pytest.raises(DataError, match=message) as caught:
        grade(file, "gsm8k", tmp_path / "out.jsonl")
    assert str(file) in str(caught.value)
    assert not (tmp_path / "out.jsonl").exists()
    assert grade(lines(file, [ROWS[0]]), "gsm8k", tmp_path / "out.jsonl", workers=1)  # without the row


@pytest.mark.parametrize(
    ("file", "benchmark", "output", "message"),
    [
        ("in.jsonl", "gsm9k", "out.jsonl", "did you mean 'gsm8k'"),
        ("in.csv", "gsm8k", "out.jsonl", "must end in .jsonl or .parquet"),
        ("in.jsonl", "gsm8k", "out.csv", "must end in .jsonl or .parquet"),
        ("in.jsonl", "gsm8k", "in.jsonl", "is the input"),
        ("in.jsonl", "gsm8k", "nowhere/out.jsonl", "make it first"),
        ("none.jsonl", "gsm8k", "out.jsonl", "no such file"),
    ],
)
def test_bad_calls(tmp_path: Path, file: str, benchmark: str, output: str, message: str) -> None:
    lines(tmp_path / "in.jsonl", ROWS)
    with pytest.raises(DataError, match=message):
        grade(tmp_path / file, benchmark, tmp_path / output)


@pytest.mark.follows("no directory {}; make it first", "is the input; give another name")
def test_the_output_has_its_directory_and_another_name(tmp_path: Path) -> None:
    (tmp_path / "nowhere").mkdir()
    file = lines(tmp_path / "in.jsonl", ROWS[:1])
    assert grade(file, "gsm8k", tmp_path / "nowhere" / "out.jsonl", workers=1)


def test_a_strict_reader_takes_only_its_place() -> None:
    texts = [r"so \boxed{x+1}", r"</think> \boxed{1+x}", r"</think> \boxed{x+2}", "</think> the answer is 7"]
    items = [ScoreItem("math", text, "x+1") for text in texts]
    items.append(ScoreItem("math", r"cut off", "x+1", "length"))
    with ScoringPool(1, 5.0) as pool:
        strict = pool.judge(items, READERS["box_after_thinking"])
        lenient = pool.judge(items, READERS["anywhere"])
    assert [verdict.outcome.value for verdict in strict] == ["format_error", "correct", "wrong", "format_error", "truncated"]
    assert [verdict.outcome.value for verdict in lenient] == ["correct", "correct", "wrong", "wrong", "truncated"]
    assert strict[1].extracted == lenient[1].extracted


@pytest.mark.parametrize("gold", [float("nan"), float("inf"), "NaN", [float("nan")]])
@pytest.mark.parametrize("benchmark", ["math500", "olympiadbench", "theoremqa", "minerva_math", "aime24"])
def test_a_gold_that_is_no_number_is_no_answer(benchmark: str, gold: Any, tmp_path: Path) -> None:
    file = lines(tmp_path / "in.jsonl", [{"gold": gold, "response": "nan"}])
    with pytest.raises(DataError, match=r"row 1: .* is no answer of this benchmark"):
        grade(file, benchmark, tmp_path / "out.jsonl")


@pytest.mark.parametrize("output", ["out.jsonl", "out.parquet"])
def test_half_of_a_character_in_a_completion_is_written_as_a_whole_one(output: str, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text(r'{"gold": "1", "response": "cut \ud83d #### 1"}')
    assert grade(tmp_path / "in.jsonl", "gsm8k", tmp_path / output, workers=1) == {Outcome.CORRECT: 1}
    assert "cut \ufffd #### 1".encode() in (tmp_path / output).read_bytes() or output.endswith("parquet")


def test_answers_of_ones_own_are_judged_by_a_verifier(tmp_path: Path) -> None:
    rows = [{"gold": 3.14, "response": "so about 3.1"}, {"gold": "1,000", "response": r"\boxed{1000}"}, {"gold": 2, "response": "three"}]
    file = lines(tmp_path / "in.jsonl", rows)
    graded = grade(file, golds_of_verifier({"number": {"tolerance": 0.1}}), tmp_path / "out.jsonl", workers=1)
    assert graded == {Outcome.CORRECT: 2, Outcome.UNPARSEABLE: 1}
    with pytest.raises(InputError, match="there is no verifier 'numbr'; did you mean 'number'"):
        golds_of_verifier("numbr")
    with pytest.raises(InputError, match=r"in.jsonl: row 1: "):
        grade(lines(file, [{"gold": "many", "response": "3"}]), golds_of_verifier("number"), tmp_path / "none.jsonl", workers=1)
    assert not (tmp_path / "none.jsonl").exists()
