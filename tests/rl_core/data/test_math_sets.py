from __future__ import annotations

import json
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rl_core.data import math_sets
from rl_core.data.prepare import prepare
from rl_core.data.prompts import DataError, read_prompts
from rl_core.environments.math import ENVIRONMENT as MATH
from rl_core.environments.math import MathData
from rl_core.outcome import Outcome
from rl_core.rewards.verify import verify

FIXTURES = Path(__file__).parents[2] / "fixtures" / "data"
ROWS = [
    {"problem": "What is 1+1?", "level": "Level 1", "solution": "Count: \\boxed{2}."},
    {"problem": "What is 1+1?", "level": "Level 1", "solution": "Again \\boxed{2}."},  # repeats a problem
    {"problem": "Half of 7?", "level": "Level 3", "answer": 3.5},
    {"problem": "Prove it.", "level": "Level 5", "answer": "proof"},  # nothing to compare with
    {"problem": "A third?", "difficulty": 3.0, "answer": "\\frac13", "solution": "It is a third."},
]


def directory(tmp_path: Path, rows: list[dict[str, object]]) -> Path:
    (tmp_path / "math_train").mkdir()
    (tmp_path / "math_train" / "train.json").write_text(json.dumps(rows))
    return tmp_path


def test_golds_traces_levels_and_what_is_left_out(tmp_path: Path) -> None:
    prompts, left_out, _ = math_sets.load("math", None, directory(tmp_path, ROWS))
    assert [(p.question, p.gold, p.difficulty) for p in prompts] == [
        ("What is 1+1?", "2", "1"),
        ("Half of 7?", "3.5", "3"),
        ("A third?", "\\frac13", "3"),
    ]
    assert [p.trace for p in prompts] == ["Count: \\boxed{2}.", None, "It is a third.\n\\boxed{\\frac13}"]
    assert left_out == 2
    assert [p.question for p in math_sets.load("math", [3], tmp_path)[0]] == ["Half of 7?", "A third?"]


@pytest.mark.parametrize("name", [name for name in math_sets.MATH_SETS if name != "aime"])
def test_every_set_reads_the_form_of_its_source(name: str) -> None:
    prompts, left_out, _ = math_sets.load(name, None, FIXTURES)
    assert (len(prompts), left_out) == (12, int(name == "open_r1"))  # OpenR1's proof has no answer
    assert (prompts[0].question, prompts[0].gold) == ("Compute $\\sin 225^\\circ$.", "-\\frac{\\sqrt{2}}{2}")
    for prompt in prompts:
        assert verify(prompt.task, f"\\boxed{{{prompt.gold}}}", prompt.gold).outcome is Outcome.CORRECT


def test_a_bare_answer_may_stand_in_for_a_solution(tmp_path: Path) -> None:
    prompts, *_ = math_sets.load("math", [3], directory(tmp_path, ROWS), bare_answers=True)
    assert [p.trace for p in prompts] == ["\\boxed{3.5}", "It is a third.\n\\boxed{\\frac13}"]


def test_a_bare_answer_stands_in_the_form_that_is_asked_for(tmp_path: Path) -> None:
    prompts, *_ = math_sets.load("math", [3], directory(tmp_path, ROWS), bare_answers=True, answer_form="Answer: {answer}")
    assert [p.trace for p in prompts] == ["Answer: 3.5", "It is a third.\nAnswer: \\frac13"]


def test_a_parquet_file_is_as_good(tmp_path: Path) -> None:
    (tmp_path / "math_train").mkdir()
    pq.write_table(pa.Table.from_pylist(ROWS[2:3]), tmp_path / "math_train" / "train.parquet")
    assert [p.gold for p in math_sets.load("math", None, tmp_path)[0]] == ["3.5"]


def test_the_stage_holds_out_the_same_problems_whatever_the_seed(tmp_path: Path) -> None:
    data = directory(tmp_path, [{"problem": f"{n}+1?", "level": 3, "answer": n + 1} for n in range(20)])
    config = MathData(dataset="math", train=8, test=5)
    held_out = []
    for seed in (0, 1):
        output = tmp_path / str(seed)
        output.mkdir()
        found = prepare(config, output, data_dir=data, seed=seed)
        assert (found["train"], found["test"], found["source"]) == (8, 5, "files")
        held_out.append({p.question for p in read_prompts(output / "test.parquet")})
        assert not held_out[-1] & {p.question for p in read_prompts(output / "train.parquet")}
    assert held_out[0] == held_out[1]
    assert pq.read_table(tmp_path / "0" / "train.parquet") != pq.read_table(tmp_path / "1" / "train.parquet")


@pytest.mark.follows("repair them, or set unreadable_golds: drop, or keep")
def test_answers_that_cannot_be_read_are_kept_and_counted_or_dropped_or_refused(tmp_path: Path) -> None:
    rows = [{"problem": f"{n}?", "answer": r"1, 2, \dots, n" if n == 1 else str(n)} for n in range(4)]
    data, output = directory(tmp_path, rows), tmp_path / "out"
    output.mkdir()
    found = prepare(MathData(dataset="math"), output, data_dir=data, seed=0)
    assert (found["train"], found["golds_by_text"], found["dropped_rows"]) == (4, 1, 0)
    found = prepare(MathData(dataset="math", unreadable_golds="drop"), output, data_dir=data, seed=0)
    assert (found["train"], found["dropped_rows"]) == (3, 1)
    assert "golds_by_text" not in found
    with pytest.raises(
        DataError, match=r"1 answers cannot be read, such as '1, 2, .* of '1\?'; repair them, or set unreadable_golds: drop"
    ):
        prepare(MathData(dataset="math", unreadable_golds="refuse"), output, data_dir=data, seed=0)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"answer": "1"}], r"train.json: row 1 lacks the text `problem`; repair or remove it"),
        ([ROWS[0], {"problem": "x"}], r"train.json: row 2 lacks `answer`; repair or remove it"),
        ([{"problem": "x", "answer": [1]}], r"train.json: row 1: the answer \[1\] is neither a text nor a number"),
    ],
)
@pytest.mark.follows(
    "{} lacks the text `{}`; repair or remove it",
    "{} lacks `{}`; repair or remove it",
    "is neither a text nor a number; repair or remove it",
)
def test_a_broken_row_is_named(tmp_path: Path, rows: list[dict[str, object]], message: str) -> None:
    with pytest.raises(DataError, match=message):
        math_sets.load("math", None, directory(tmp_path, rows))
    (tmp_path / "math_train" / "train.json").write_text(json.dumps(ROWS[:1]))
    assert len(math_sets.load("math", None, tmp_path)[0]) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [(b"[1,\n", "line 2 is not JSON"), (b'{"problem": 1}', "a list of objects is wanted"), (b"\xff", "not UTF-8 text")],
)
@pytest.mark.follows("put it there again", "not UTF-8 text ({} at byte {}); repair it", "line {} is not JSON ({}); repair it")
def test_a_broken_file_is_named(tmp_path: Path, text: bytes, message: str) -> None:
    directory(tmp_path, [])
    (tmp_path / "math_train" / "train.json").write_bytes(text)
    with pytest.raises(DataError, match=rf"math_train/train.json: {message}"):
        math_sets.load("math", None, tmp_path)
    (tmp_path / "math_train" / "train.json").write_text(json.dumps(ROWS[:1]))
    assert len(math_sets.load("math", None, tmp_path)[0]) == 1
    (tmp_path / "math_train" / "train.json").unlink()
    table = tmp_path / "math_train" / "train.parquet"
    table.write_bytes(text)
    with pytest.raises(DataError, match=r"train.parquet: not a readable Parquet file \(.*\); put it there again"):
        math_sets.load("math", None, tmp_path)
    pq.write_table(pa.Table.from_pylist(ROWS[:1]), table)
    assert len(math_sets.load("math", None, tmp_path)[0]) == 1


@pytest.mark.follows(
    "no such file; put the set {} there",
    "is not on the hub: give a directory with {} by --data-dir",
    "has no levels (there are some in {}); remove `levels`",
)
def test_what_is_missing_is_said_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"unknown set 'deepscale'; did you mean 'deepscaler'\?"):
        MATH.inputs(MathData(dataset="deepscale"), None)
    with pytest.raises(
        DataError, match=r"deepscaler/train.{parquet,json,jsonl}: no such file; put the set 'deepscaler' there or leave out"
    ):
        MATH.inputs(MathData(dataset="deepscaler"), tmp_path)
    with pytest.raises(DataError, match=r"set 'aime' is not on the hub: give a directory with aime_train/"):
        MATH.inputs(MathData(dataset="aime"), None)
    with pytest.raises(DataError, match=r"set 'dapo' has no levels \(there are some in math\); remove `levels`"):
        MATH.inputs(MathData(dataset="dapo", levels=[3]), None)
    assert MATH.inputs(MathData(dataset="dapo"), None) == []
    directory(tmp_path, ROWS)
    assert MATH.inputs(MathData(dataset="math"), tmp_path) == [tmp_path / "math_train" / "train.json"]


def test_the_public_sets_read_whole(data_dir: Path) -> None:
    prompts, left_out, _ = math_sets.load("math", None, data_dir)
    assert len(prompts) + left_out == 7474
    assert left_out < 30
    hard, *_ = math_sets.load("math", [3, 4, 5], data_dir)
    assert 5400 < len(hard) < math_sets.size_of_set("math", [3, 4, 5]) + 1
    assert all(prompt.gold for prompt in prompts)
    assert len(math_sets.load("aime", None, data_dir)[0]) > 960


@pytest.mark.follows("put the whole set there, or name another one", "set a smaller `test`, or add problems")
@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "it holds no problem that the settings take; put the whole set there"),
        ([{"problem": "1?", "answer": "proof"}], "none of its 1 rows has an answer to compare with"),
        ([{"problem": "1?", "answer": float("nan")}, {"problem": "2?", "answer": "NaN"}], "none of its 2 rows has an answer"),
        ([{"problem": "1?", "answer": 1}, {"problem": "2?", "answer": 2}], "all are among the 2 held-out ones; set a smaller `test`"),
    ],
)
def test_a_set_without_a_training_problem_is_refused_with_the_reason(rows: list[dict[str, object]], message: str, tmp_path: Path) -> None:
    data, output = directory(tmp_path, rows), tmp_path / "out"
    output.mkdir()
    with pytest.raises(DataError, match=re.escape(message)) as error:
        prepare(MathData(dataset="math", test=5), output, data_dir=data, seed=0)
    assert f"{data}/math_train/train.json: " in str(error.value)
    if "smaller" in message:
        assert prepare(MathData(dataset="math", test=1), output, data_dir=data, seed=0)["train"] == 1
    (data / "math_train" / "train.json").write_text(json.dumps([{"problem": f"{n}?", "answer": n} for n in range(7)]))
    assert prepare(MathData(dataset="math", test=5), output, data_dir=data, seed=0)["train"] == 2


def test_rows_that_contradict_an_earlier_one_are_counted(tmp_path: Path) -> None:
    answers = ["1/2", "\\frac12", "0.5", "1/3", None, float("inf")]
    found = math_sets.load("math", None, directory(tmp_path, [{"problem": "Half?", "answer": answer} for answer in answers]))
    assert [prompt.gold for prompt in found.prompts] == ["1/2"]
    assert (found.left_out, found.contradicting) == (5, 1)
    output = tmp_path / "out"
    output.mkdir()
    assert prepare(MathData(dataset="math", test=0), output, data_dir=tmp_path, seed=0)["contradicting_rows"] == 1


def test_half_of_a_character_becomes_one_that_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "math_train").mkdir()
    (tmp_path / "math_train" / "train.jsonl").write_text(r'{"problem": "\ud83d and \ud83d\ude00?", "answer": "1"}')
    [prompt] = math_sets.load("math", None, tmp_path).prompts
    assert prompt.question == "\ufffd and \U0001f600?"
