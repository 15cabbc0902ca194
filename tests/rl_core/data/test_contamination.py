from pathlib import Path

import pytest

from rl_core.data.contamination import Hit, find_hits, words
from rl_core.data.prompts import Prompt
from rl_core.environments import gsm8k

HELD_OUT = [
    Prompt("math", "Find the sum of all positive integers $n$ with $n^2 < 50$.", "28"),
    Prompt("math", "What is $2+2$?", "4"),
    Prompt("math", "What is 2 + 2 ?", "4"),
]


def math(question: str) -> Prompt:
    return Prompt("math", question, "?")


def test_words_have_no_case_punctuation_or_markup() -> None:
    assert words(r"Find $\frac{1}{2}$, PLEASE!") == ("find", "frac", "1", "2", "please")


@pytest.mark.parametrize(
    ("question", "hits"),
    [
        ("find the sum of ALL positive integers n, with n^2 < 50", [Hit(0, 0, 1.0)]),
        ("what is $2 + 2$", [Hit(0, 1, 1.0)]),  # the first of two equal ones
        ("Bob asks: find the sum of all positive integers $n$ with $n^2<50$, says Al.", [Hit(0, 0, 1.0)]),
        # 13 words have 6 runs of eight; those without the last word are 5.
        ("Find the sum of all positive integers n with n^2 < 60.", [Hit(0, 0, 4 / 5)]),
        ("Find the sum of all negative integers n with n^2 < 50.", []),
        ("What is 2+3?", []),
    ],
)
def test_the_same_problem(question: str, hits: list[Hit]) -> None:
    assert find_hits([math(question)], HELD_OUT) == hits


def test_puzzles_are_the_same_only_if_equal() -> None:
    told = "A very special island is inhabited only by knights and knaves. Zoey says that Liam is a {}."
    held_out = [Prompt("knights_knaves", told.format("knight"), "?")]
    train = [Prompt("knights_knaves", told.format(role), "?") for role in ("knave", "knight")]
    assert find_hits(train, held_out) == [Hit(1, 0, 1.0)]


def test_the_circulating_gsm8k_of_8792_rows(data_dir: Path) -> None:
    """It is the training set followed by the whole test set."""
    train, test = gsm8k.load("train", data_dir), gsm8k.load("test", data_dir)
    hits = find_hits(train + test, test)
    assert len(train + test) == 8792
    assert [hit for hit in hits if hit.train >= len(train)] == [Hit(len(train) + index, index, 1.0) for index in range(1319)]
    assert len(hits) - 1319 <= 5  # of the training set itself: the same story with other numbers
