"""Hand-counted texts for what is read in a response."""

from __future__ import annotations

import json
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from evals.analytics.keywords import shipped
from evals.analytics.warehouse.response_features import read_responses
from rl_core.rewards.spans import find_spans

PEOPLE = json.dumps({"names": ["Ann", "Bo"], "roles": ["knight", "knave"]})


def read(response: str, gold: str = "7", outcome: str = "wrong", prompt: str = "Add.", extracted: str | None = None) -> dict[str, Any]:
    """The columns read in one response."""
    spans = find_spans(response)
    row: dict[str, Any] = {
        "response_id": "1",
        "response": response,
        "gold": gold,
        "outcome": outcome,
        "prompt": prompt,
        "extracted": extracted,
    }
    for name, span in (("think", spans.think), ("answer", spans.answer)):
        row |= {f"{name}_start": span[0] if span else None, f"{name}_end": span[1] if span else None}
    kinds = {name: pa.int32() if name.endswith(("start", "end")) else pa.string() for name in row}
    with duckdb.connect() as connection:
        connection.register("one", pa.table({name: pa.array([value], kinds[name]) for name, value in row.items()}))
        read_responses(connection, "being_read", "one", shipped())
        (found,) = connection.sql("FROM being_read").to_arrow_table().to_pylist()
    return found


@pytest.mark.parametrize(
    ("response", "outside", "leaked"),
    [
        ("<think>a</think><answer>7</answer>", 0, False),
        ("<think>a</think> So 7.\n<answer>7</answer>", 5, True),  # "So 7."
        ("Well. <think>a</think><answer>7</answer> done", 10, False),  # "Well. done"
        ("<think>a <answer>7</answer> b</think>", 0, True),
        ("<think>a</think> \\boxed{7} <answer>7.0</answer>", 9, True),
        ("no tags: 7", 0, None),
        ("<think>open", 0, None),
        ("</think><answer>7</answer>", 0, False),  # the template opened the thinking
    ],
)
def test_segments(response: str, outside: int, leaked: bool | None) -> None:
    found = read(response, extracted="7")
    if leaked is not None:
        assert found["outside_characters"] == outside
    assert found["answer_leaked"] is leaked


def test_nested_tags_count_from_the_first_opening_to_the_first_closing() -> None:
    found = read("<think>a <think> wait, </think> Wait </think><answer>1</answer>")
    assert (found["prose"], found["turns"]) == ("a <think> wait, ", 1)


def test_code_and_what_it_prints_stand_apart() -> None:
    code, output = "```python\nprint(1)  # Wait\n```", "```output\n1 Wait\n```"
    found = read(f"<think>Run it:\n{code}\n{output}\nWait, 1.\n</think>")
    assert (found["code_blocks"], found["code_characters"], found["output_characters"], found["turns"]) == (1, len(code), len(output), 1)


@pytest.mark.parametrize(
    ("thinking", "gold", "outcome", "effect"),
    [
        ("So the answer is 5. Wait, 3 + 4 = 7.", "7", "correct", "helps"),
        ("3 + 4 = 7. Wait, the answer is 8.", "7", "wrong", "harms"),
        ("3 + 4 = 7. Let me recheck. It is 7.", "7", "correct", "nothing"),
        ("It = 5. Try again: = 6.", "7", "wrong", "nothing"),
        ("Hmm, 3 + 4 = 7.", "7", "correct", "no candidate"),
        ("3 + 4 = 7.", "7", "correct", None),
        ("The answer is 1,234. Wait. Yes", "1234", "correct", "nothing"),
        (r"\boxed{1/2} hold on", "0.5", "wrong", "harms"),
        ("The answer is (B). Wait, C.", "C", "correct", "helps"),
        ("We get = 24 here. That's wrong.", json.dumps({"numbers": [1], "target": 24}), "wrong", "harms"),
        ("Ann is a knight, Bo is a knight. Contradiction; Bo is a knave.", PEOPLE, "correct", "helps"),
        ("Ann is a knight, Bo is a knave; wait, Ann is a knave.", PEOPLE, "wrong", "harms"),
        ("Ann is a knight. Wait.", PEOPLE, "correct", "no candidate"),  # nothing is said of Bo
        ("= 5, wait, no", r"\frac{1}{2}", "correct", "no candidate"),  # gold of a kind that is not read
    ],
)
def test_effect_of_turning_round(thinking: str, gold: str, outcome: str, effect: str | None) -> None:
    assert read(f"<think>{thinking}</think>", gold, outcome)["reflection_effect"] == effect


def test_repetition_and_copying() -> None:
    assert read("a b c d e f")["repetition"] == 0
    found = read("a b c d " * 3, prompt="x a b c d y")  # 12 words, 9 4-grams, 4 of them different
    assert (found["words"], found["repetition"], found["longest_repeat"]) == (12, pytest.approx(5 / 9), 8)
    assert found["prompt_copied"] == 0.25  # a b c d
    block = " ".join(f"w{number}" for number in range(40))
    assert read(f"{block} and {block}")["longest_repeat"] == 32
    assert read("a b")["repetition"] == 0
