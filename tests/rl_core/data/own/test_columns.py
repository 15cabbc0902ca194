import datetime
import json
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from rl_core.data.own.columns import BadRow, ColumnReader, Columns

CHAT = [{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "It is 4."}]


def read(row: Any, needs_answer: bool = True, **columns: Any) -> Any:
    return ColumnReader(Columns(**columns), needs_answer=needs_answer).read(row)


def test_defaults() -> None:
    draft = read({"question": " 2+2? ", "answer": 4})
    assert (draft.question, draft.answer, draft.solution, draft.earlier, draft.info) == ("2+2?", 4, None, [], None)
    assert read({"question": "q", "worked": "so 4"}, solution="worked").answer is None
    assert read({"question": "q"}, needs_answer=False).answer is None


def test_nested_columns_and_lists() -> None:
    row = {"extra": {"q": "2+2?", "a.b": 0}, "answers": ["4", "four"], "meta": [{"level": 3.0}], "a.b": {"c": "dotted"}}
    draft = read(row, question="extra.q", answer="answers.0", difficulty="meta.0.level", domain="a.b.c")
    assert (draft.question, draft.answer, draft.difficulty, draft.domain) == ("2+2?", "4", "3", None)
    assert read({"a.b": "x", "a": {"b": "y"}, "answer": 1}, question="a.b").question == "x"


def test_a_question_of_several_columns_and_of_options() -> None:
    assert read({"a": "Add.", "b": " ", "answer": 1}, question=["a", "b"]).question == "Add."
    assert read({"a": "Add.", "b": "2 and 2", "answer": 1}, question=["a", "b"]).question == "Add.\n\n2 and 2"
    draft = read({"q": "Which?", "o": ["x", "y "], "answer": "B"}, question=["q", "o"])
    assert draft.question == "Which?\n\nA. x\nB. y\n\nAnswer with the letter of the option that is right."


def test_chats() -> None:
    draft = read({"m": [{"role": "system", "content": "Be brief."}, *CHAT], "answer": 4}, messages="m", answer="answer")
    assert (draft.question, draft.earlier, draft.solution, draft.verbatim) == (
        "2+2?",
        [{"role": "system", "content": "Be brief."}],
        "It is 4.",
        True,
    )
    assert read({"m": CHAT, "s": "Longer: 4"}, messages="m", solution="s")[3:5] == ("Longer: 4", False)
    assert read({"m": CHAT}, messages="m").answer is None


def test_what_else_a_row_says_goes_along_as_json() -> None:
    others = {
        "id": 7,
        "when": datetime.date(2026, 1, 2),
        "score": Decimal("1.5"),
        "image": b"\x00",
        "nan": float("nan"),
        "list": [float("inf")],
    }
    draft = read({"question": "q", "answer": 1, "reward": {"truth": 1}} | others, answer="reward.truth")
    assert json.loads(draft.info) == {
        "answer": 1, "reward": {"truth": 1}, "id": 7, "when": "2026-01-02", "score": "1.5", "image": None, "nan": None, "list": [None],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("row", "columns", "message"),
    [
        ([1], {}, "is a list, and an object with columns is wanted"),
        ({"answer": 1}, {}, "has no text in `question`"),
        ({"question": "", "answer": 1}, {}, "has no text in `question`"),
        ({"question": 5, "answer": 1}, {}, "has a number as `question`, and a text is wanted"),
        ({"q": "a", "o": ["x"], "answer": 1}, {"question": ["q", "o"]}, "has other than 2 to 10 texts in `o`"),
        ({"question": "q"}, {}, "has no answer `answer`"),
        ({"question": "q", "answer": None}, {}, "has no answer"),
        ({"question": "q", "answer": " "}, {}, "has an empty answer"),
        ({"question": "q", "answer": float("nan")}, {}, "has an empty answer"),
        ({"question": "q", "answer": []}, {}, "has an empty answer"),
        ({"question": "q", "s": ""}, {"solution": "s"}, "has no solution that could give the answer"),
        ({"question": "q", "s": ["x"]}, {"solution": "s"}, "has a list as `s`, and a text is wanted"),
        ({"m": [CHAT[1]]}, {"messages": "m"}, "is no chat: its `m` have none of the user"),
        ({"m": None}, {"messages": "m"}, "has no `m`"),
        ({"m": CHAT[:1]}, {"messages": "m"}, "has no solution that could give the answer"),
    ],
)
def test_bad_rows(row: Any, columns: dict[str, Any], message: str) -> None:
    with pytest.raises(BadRow, match=message):
        read(row, **columns)


@pytest.mark.follows("name a part of it, such as {}.0")
def test_a_difficulty_is_one_value() -> None:
    row = {"question": "q", "answer": 1, "level": ["hard", "long"]}
    with pytest.raises(BadRow, match=r"has a list as `level`; name a part of it, such as level.0"):
        read(row, difficulty="level")
    assert read(row, difficulty="level.0").difficulty == "hard"


@pytest.mark.parametrize(
    ("value", "label"), [(3, "3"), (3.0, "3"), (3.5, "3.5"), (" hard ", "hard"), (None, None), ("", None), (True, "True")]
)
def test_labels(value: Any, label: str | None) -> None:
    assert read({"question": "q", "answer": 1, "level": value}, difficulty="level").difficulty == label


@pytest.mark.follows("both give the problem; leave one of them out", "`question` names no column; name one, or leave it out")
def test_a_problem_comes_from_one_place() -> None:
    with pytest.raises(ValidationError, match="leave one of them out"):
        Columns(question="q", messages="m")
    with pytest.raises(ValidationError, match="name one, or leave it out"):
        Columns(question=[])
    assert Columns(messages="m").meant(needs_answer=True)["question"] is None
    assert Columns().meant(needs_answer=True)["question"] == "question"


def test_columns_that_no_row_has() -> None:
    reader = ColumnReader(Columns(difficulty="levl"), needs_answer=True)
    reader.read({"question": "q", "answer": 1, "level": 2})
    assert list(reader.missing) == ["levl"]
