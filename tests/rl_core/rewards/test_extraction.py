import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rl_core.rewards.extraction import extract_answer, last_boxed


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        (r"\boxed{1} then \boxed{2}", "2"),
        (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        (r"\boxed {x}", "x"),
        (r"\fbox{7}", "7"),
        (r"\boxed{\boxed{5}}", "5"),
        (r"\boxed{\{1, 2\}}", r"\{1, 2\}"),
        (r"{ open \boxed{3}", "3"),
        (r"} \boxed{3} }", "3"),
        (r"\boxed{1} and \boxed{2", "1"),
        (r"\boxed{\frac{1}{2}", None),
        (r"\boxed 5", None),
        (r"\boxed{}", ""),
        ("no box", None),
    ],
)
def test_last_balanced_box(text: str, inside: str | None) -> None:
    assert last_boxed(text) == inside


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        (r"so \boxed{4}", "4"),
        (r"\boxed{1} and \boxed{2}", "1, 2"),
        (r"first \boxed{0}, so $\boxed{1}$, $\boxed{2}$ or $\boxed{2}$", "1, 2"),
        (r"\boxed{1} then \boxed{2}", "2"),
        (r"<think>\boxed{5}</think><answer>6</answer>", "6"),  # only what follows the thinking counts
        (r"<think>\boxed{5}</think>I give up", None),
        (r"<reasoning>\boxed{5}</reasoning><answer>6</answer>", "6"),
        (r"<think>never closed \boxed{5}", "5"),
        (r"<answer>\boxed{6}</answer>", "6"),
        ("<answer>1</answer> no <answer> 2 </answer>", "2"),
        ("2 + 2 = 4\n#### 4\nbye", "4"),
        ("The answer is 7.", "7"),
        ("The answer is: **7**", "7"),
        ("The answer is $x^2$, I think", "x^2"),
        (r"the final answer is \(\frac12\)", r"\frac12"),
        ("Answer: 1,234", "1,234"),
        ("The answer is 5, because 3 is not", "5"),
        ("The answer is not 5.", "not 5"),
        (r"The answer is \boxed{8}", "8"),
        ("I count 3 apples", None),
        ("<answer></answer>", None),
        ("", None),
    ],
)
def test_order_of_marks(response: str, answer: str | None) -> None:
    assert extract_answer(response) == answer


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        ("16 - 3 = 13 eggs, 13 * 2 = 26 dollars.", "26"),
        ("So she has $1,250.50 left", "1,250.50"),
        ("that makes 16-3", "3"),
        ("It fell to -4 degrees", "-4"),
        ("<answer>She earns $18 a day</answer>", "18"),
        ("<answer>18 - 3 = 15</answer>", "18 - 3 = 15"),
        (r"\boxed{12 \text{ eggs}}", "12"),
        ("<answer>not 5</answer>", "not 5"),
        ("model X5", None),
        ("no number", None),
    ],
)
def test_any_number(response: str, answer: str | None) -> None:
    assert extract_answer(response, any_number=True) == answer


@given(st.lists(st.sampled_from([r"\boxed{", "{", "}", r"\{", "\\", "1", "<answer>", "</answer>", "</think>", "answer is", "####", "\n"])))
def test_any_text_is_survived_and_quoted(pieces: list[str]) -> None:
    text = "".join(pieces)
    answer = extract_answer(text, any_number=True)
    assert answer is None or answer in text


PIECES = [
    r"\boxed{",
    r"\boxed{1}",
    r"\boxed ",
    "{",
    "}",
    "answer:",
    "answer is ",
    "answer  ",
    "####",
    "$",
    "1",
    "1,",
    "1,111,",
    "-",
    " ",
    "**",
]


@pytest.mark.parametrize("piece", PIECES)
def test_linear_time(piece: str) -> None:
    text = piece * (500_000 // len(piece))
    started = time.perf_counter()
    extract_answer(text, any_number=True)
    assert time.perf_counter() - started < 2
