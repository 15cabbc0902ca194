import re
from collections import Counter

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.analytics.keywords import FamilySettings, KeywordError, count_expression, find, literal, shipped, with_own, without_code


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
def test_finds_keywords_of_the_reproductions(text: str, names: list[str]) -> None:
    chosen = [keyword for keyword in shipped() if keyword.family in ("step_wise", "reflection")]
    assert [span.name for span in find(text, chosen)] == names


@pytest.mark.parametrize(
    ("text", "families"),
    [
        ("Wait, this is off. wait! I await a reply; awaiting; wait for it; waits", {"aha": 2}),
        ("Aha! Hmm, hold on. Actually, oh, no; oh dear; ohm; actually done", {"aha": 5}),
        ("- First, add\n- Next, wait\n* second\n1) no\n2. yes", {"step_wise": 3}),
        ("Let me check: verify it. To check this, double-check. a checker; unverified", {"checking": 4}),
        ("substitute x = 3 back; plug it back; plug it in", {"checking": 2}),
        ("Go back to it? going back to one; that's wrong. it is not right. wrong", {"backtracking": 4}),
        ("this contradicts it, a contradiction; that does not work, start over, scratch that", {"backtracking": 5}),
        ("Alternatively, another way, a different approach; what if; suppose instead; whatever if", {"alternatives": 5}),
        ("We need to find x. I first need to. Our goal is 3. It suffices to. let's first; break it down", {"subgoals": 6}),
        ("Maybe, perhaps, probably; might be; I think; seems; not sure; may be; think", {"hedging": 7}),
        ("so 所以 x = 3 然后 да", {"language_switching": 3}),
        ("π + λ = Σ, naïve café", {}),
        ("je pense que c'est faux", {}),
    ],
)
def test_counts_every_family(text: str, families: dict[str, int]) -> None:
    assert Counter(span.family for span in find(text)) == families


def test_code_is_no_prose() -> None:
    text = "Step 1\n```python\n# Step 2: wait, try again\n```\n```output\nStep 3\n```\nStep 4 ```\nStep 5"
    assert [span.start for span in find(text)] == [0, text.index("Step 4")]
    assert len(without_code(text)) == len(text)


def test_own_families_add_to_the_shipped_or_replace_one() -> None:
    own = {"doubt": FamilySettings.model_validate({"patterns": {"hard": r"(?i)\bhard\b"}})}
    assert [span.name for span in find("Hard to say", with_own(own))] == ["hard"]
    replaced = with_own({"aha": own["doubt"]})
    assert find("Wait, no", replaced) == []
    assert {keyword.family for keyword in replaced} == {keyword.family for keyword in shipped()}


@pytest.mark.parametrize("pattern", ["(", r"(?<=a)b", r"(?P=x)"])
def test_bad_patterns_are_named(pattern: str) -> None:
    with pytest.raises(KeywordError, match=r"keywords\.mine\.patterns\.p: not a pattern"):
        with_own({"mine": FamilySettings.model_validate({"patterns": {"p": pattern}})})


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
            "Wait",
            "await",
            ", ",
            "verify",
            "let me ",
            "back",
            "plug",
            " it ",
            "that's",
            " wrong",
            "contradiction",
            "another way",
            "we need to",
            "actually",
            "maybe",
            "might be",
            "所以",
            "да",
            "é",
            "😀",
            "'",
        ]
    ),
    max_size=30,
).map("".join)


def counts(*texts: str) -> list[tuple[int, ...]]:
    columns = ", ".join(count_expression(keyword, "x", "l", "''") for keyword in shipped())
    rows = duckdb.execute(f"SELECT {columns} FROM (SELECT x, lower(x) AS l FROM (SELECT unnest(?) AS x))", [list(texts)])
    return rows.fetchall()


@given(PIECES)
@settings(max_examples=100, deadline=None)
def test_sql_and_python_count_alike(text: str) -> None:
    """The report highlights with `re` what the warehouse counts with RE2; `needs` leaves nothing out."""
    assert counts(text) == [tuple(len(re.findall(keyword.pattern, text, re.ASCII)) for keyword in shipped())]


@given(PIECES, PIECES)
@settings(max_examples=50, deadline=None)
def test_counts_add_up_over_texts_with_a_separator(first: str, second: str) -> None:
    one, two, both = counts(first, second, f"{first}\n#\n{second}")
    assert both == tuple(a + b for a, b in zip(one, two, strict=True))


def test_literal_escapes_quotes() -> None:
    assert duckdb.execute(f"SELECT {literal(chr(39) + 'a' + chr(39) * 2)}").fetchone() == ("'a''",)
