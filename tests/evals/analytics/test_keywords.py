import re

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.analytics.keywords import KEYWORDS, count_expression, find, literal


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Step 1: try it. step  12 follows", ["step N", "step N"]),
        ("footstep 1, Steps 2, step one", []),
        ("1. take x\n 2. add 3.5\n**3.** done", ["N.", "N.", "N."]),
        ("it was 1. and 3.14\n1984. was long", []),
        ("First we add. Second, first, next, and finally stop", ["first", "second", "first", "next", "finally"]),
        ("the first person, a second later, next to her", []),
        ("Let me rethink and re-check; rechecking, re-evaluate", ["rethink", "recheck", "recheck", "re-evaluate"]),
        ("let's try again. Check again! Let's think again", ["try again", "check again", "think again"]),
        ("Let's correct it and verify the steps\nagain", ["verify the steps again"]),
        ("too high, too low, close, but no; close but", ["too high", "too low", "close but", "close but"]),
        ("retry against the close button", []),
        ("try another approach or try a different way, try different", ["another approach", "try different", "try different"]),
        ("Wait, I made a mistake", ["made a mistake"]),
    ],
)
def test_finds_keywords(text: str, names: list[str]) -> None:
    assert [span.name for span in find(text)] == names


def test_offsets_and_families() -> None:
    (step, again) = find("é Step 2: try again")
    assert (step.start, step.end, step.family) == (2, 8, "step_wise")
    assert (again.start, again.end, again.family) == (10, 19, "reflection")


PIECES = st.lists(
    st.sampled_from(
        [
            "Step 1",
            "step",
            " 2",
            "1. ",
            "\n",
            "First",
            "first",
            ",",
            " ",
            "try",
            "trying",
            "again",
            "re-",
            "check",
            "ing",
            "think",
            "too high",
            "é",
            "😀",
            "'",
        ]
    ),
    max_size=30,
).map("".join)


@given(PIECES)
@settings(max_examples=150, deadline=None)
def test_sql_and_python_count_alike(text: str) -> None:
    """The report highlights with `re` what the warehouse counts with RE2."""
    columns = ", ".join(count_expression(keyword, "x") for keyword in KEYWORDS)
    row = duckdb.execute(f"SELECT {columns} FROM (SELECT ? AS x)", [text]).fetchone()
    assert row == tuple(len(re.findall(keyword.pattern, text, re.ASCII)) for keyword in KEYWORDS)


def test_literal_escapes_quotes() -> None:
    assert duckdb.execute(f"SELECT {literal(chr(39) + 'a' + chr(39) * 2)}").fetchone() == ("'a''",)
