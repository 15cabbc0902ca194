from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rl_core.config import MathData
from rl_core.data.math_sets import MATH_SETS, load, local_file
from rl_core.data.prepare import inputs, prepare
from rl_core.data.prompts import DataError, read_prompts
from rl_core.outcome import Outcome
from rl_core.rewards.verify import verify

FIXTURES = Path(__file__).parents[2] / "fixtures" / "data"


def directory(tmp_path: Path, folder: str, rows: list[Any]) -> Path:
    (tmp_path / folder).mkdir()
    (tmp_path / folder / "train.json").write_text(json.dumps(rows))
    return tmp_path


@pytest.mark.parametrize("name", [name for name in MATH_SETS if name != "aime"])
def test_every_set_reads_the_form_of_its_source(name: str) -> None:
    prompts, dropped = load(name, None, FIXTURES)
    assert (len(prompts), dropped) == (12, int(name == "open_r1"))  # OpenR1's proof has no answer
    assert prompts[0].question == "Compute $\\sin 225^\\circ$."
    assert prompts[0].gold == "-\\frac{\\sqrt{2}}{2}"
    for prompt in prompts:
        assert verify(prompt.task, f"\\boxed{{{prompt.gold}}}", prompt.gold).outcome is Outcome.CORRECT


def test_both_forms_of_math_give_the_same(tmp_path: Path) -> None:
    hub = {"problem": "1 + 1?", "level": "Level 3", "type": "Algebra", "solution": "It is $\\boxed{2}$."}
    circulating = {"problem": "1 + 1?", "answer": "2", "difficulty": 3.0, "type": "Algebra"}
    [first], _ = load("math", [3], directory(tmp_path, "math_train", [hub]))
    (tmp_path / "math_train" / "train.json").unlink()
    pq.write_table(pa.Table.from_pylist([circulating]), tmp_path / "math_train" / "train.parquet")
    [second], _ = load("math", [3], tmp_path)
    assert (first.gold, first.difficulty) == (second.gold, second.difficulty) == ("2", "3")
    assert first.prompt_id == second.prompt_id
    assert first.trace == "It is $\\boxed{2}$."
    assert second.trace is None


def test_a_solution_ends_with_the_answer_and_may_be_asked_for(tmp_path: Path) -> None:
    rows = [{"problem": "a", "answer": "2", "solution": "Count."}, {"problem": "b", "answer": 3, "solution": ""}]
    data = directory(tmp_path, "deepscaler", rows)
    assert [prompt.trace for prompt in load("deepscaler", None, data)[0]] == ["Count.\n\\boxed{2}", None]
    assert [prompt.trace for prompt in load("deepscaler", None, data, bare_answers=True)[0]] == ["Count.\n\\boxed{2}", "\\boxed{3}"]


def test_levels_choose_and_repeats_and_rows_without_answer_are_counted(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"problem": "a", "answer": "1", "difficulty": 1.0},
        {"problem": "b", "answer": "1", "difficulty": 4.0},
        {"problem": " b ", "answer": "1", "difficulty": 4.0},
        {"problem": "c", "answer": None, "difficulty": 5.0},
        {"problem": "d", "answer": "1", "difficulty": 0.0},
    ]
    data = directory(tmp_path, "math_train", rows)
    prompts, dropped = load("math", [3, 4, 5], data)
    assert ([prompt.question for prompt in prompts], dropped) == (["b"], 2)
    assert [prompt.question for prompt in load("math", None, data)[0]] == ["a", "b", "d"]


def test_held_out_problems_are_the_same_whatever_the_seed(tmp_path: Path) -> None:
    def questions(seed: int, split: str, **settings: Any) -> set[str]:
        prepare(MathData(dataset="math", test=4, **settings), tmp_path, data_dir=FIXTURES, seed=seed)
        return {prompt.question for prompt in read_prompts(tmp_path / f"{split}.parquet")}

    held_out = questions(0, "test")
    assert len(held_out) == 4
    assert questions(1, "test", train=3) == held_out
    trained = questions(1, "train")
    assert (len(trained), trained & held_out) == (8, set())


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"problem": "a", "answer": "1"}, {"answer": "1"}], "train.json: row 2 lacks the text `problem`; repair or remove it"),
        ([{"problem": "a"}], "train.json: row 1 lacks `answer`; repair or remove it"),
        ([{"problem": "a", "answer": ["1"]}], "train.json: row 1: the answer ['1'] is neither a text nor a number; repair or remove it"),
        (["a"], "train.json: row 1 lacks the text `problem`; repair or remove it"),
    ],
)
def test_a_broken_row_is_named(tmp_path: Path, rows: list[Any], message: str) -> None:
    with pytest.raises(DataError) as caught:
        load("deepscaler", None, directory(tmp_path, "deepscaler", rows))
    assert str(caught.value) == f"{tmp_path}/deepscaler/{message}"


@pytest.mark.parametrize(
    ("text", "message"),
    [("[1,\n", "line 2 is not JSON"), ('{"problem": 1}', "a list of objects is wanted"), (b"\xff", "not UTF-8 text")],
)
def test_a_broken_file_is_named(tmp_path: Path, text: str | bytes, message: str) -> None:
    (tmp_path / "deepscaler").mkdir()
    (tmp_path / "deepscaler" / "train.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DataError, match=rf"deepscaler/train.json: {message}"):
        load("deepscaler", None, tmp_path)


def test_what_is_missing_is_said_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="unknown set 'deepscalar'; did you mean 'deepscaler'"):
        inputs(MathData(dataset="deepscalar"), None)
    with pytest.raises(DataError, match="set 'dapo' has no levels"):
        inputs(MathData(dataset="dapo", levels=[3]), None)
    with pytest.raises(DataError, match=r"math_train/train.\{parquet,json,jsonl\}: no such file; put the set 'math' there or leave out"):
        inputs(MathData(dataset="math"), tmp_path)
    with pytest.raises(DataError, match="set 'aime' is not on the hub: give a directory with aime_train"):
        inputs(MathData(dataset="aime"), None)
    assert inputs(MathData(dataset="math"), None) == []
    assert local_file("math", FIXTURES) == FIXTURES / "math_train" / "train.json"


def test_real_rows(data_dir: Path) -> None:
    prompts, dropped = load("math", [3, 4, 5], data_dir)
    assert len(prompts) + dropped == 1584 + 1681 + 2298
    assert len(load("aime", None, data_dir)[0]) == MATH_SETS["aime"].rows
