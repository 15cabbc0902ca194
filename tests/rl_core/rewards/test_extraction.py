import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rl_core.outcome import Outcome
from rl_core.rewards.extraction import extract_answer, last_boxed
from rl_core.rewards.verify import verify


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


UNDECIDED = [
    "The answer is 5 or 7.",
    "The answer is 5, or maybe 7.",
    "The answer is either 5 or 7.",
    "The answer is 5 (or 7).",
    "The answer is 5 and 7.",
    "The answer is 5, 7.",
    "The answer is 5; 7.",
    "The answer is 5. Or 7.",
    "The answer is $5$ or $7$.",
    r"The answer is \(5\) or \(7\).",
    "The answer is **5** or **7**.",
    "The answer is 5 as well as 7.",
    "The answer is 5 apples or 7 apples.",
    "The answer is 5, possibly 7.",
    "The answer is 5 to 7.",
    "The answer is 5-7.",
    "The answer is 5. Or the answer is 7.",
    "The answer is 5, or the answer is 7.",
    "The answer is not 5.",
    "The answer is 5? No.",
    "The answer is more than 5.",
    "Answer: 5 | 7",
    "#### 5 or 7",
    "#### more than 5",
    "#### at least 5",
    "#### 5 and 7",
    "#### 5 or 7 or 9",
    "<answer>5 or 7</answer>",
    "<answer>5</answer> or <answer>7</answer>",
    "<answer>up to 5</answer>",
    r"\boxed{5} or \boxed{7}",
    r"$\boxed{5}$, or maybe $\boxed{7}$",
    r"\boxed{5} as well as \boxed{7}",
    r"\boxed{5}, or it could be \boxed{7}",
    r"\boxed{5 \text{ or } 7}",
    r"\boxed{\text{more than } 5}",
    r"\boxed{\text{either } 5 \text{ or } 7}",
]


@pytest.mark.parametrize("response", UNDECIDED)
@pytest.mark.parametrize("task", ["math", "gsm8k"])
def test_an_undecided_answer_is_right_for_none_of_its_candidates(response: str, task: str) -> None:
    for gold in ("5", "7"):
        assert verify(task, response, gold).outcome is not Outcome.CORRECT


@pytest.mark.parametrize("response", ["So it is 5 or 7.", "It must be either 5 dollars or 7 dollars", "It is not 5.", "So it isn't 5."])
def test_nor_is_the_last_number_of_a_response_that_leaves_it_open(response: str) -> None:
    for gold in ("5", "7"):
        assert verify("gsm8k", response, gold).outcome is not Outcome.CORRECT


@pytest.mark.parametrize(
    "response",
    [
        "The answer is 5.",
        "The answer is 5, because 3 is not.",
        "The answer is 5. We have 7 left.",
        "The answer is 5 and we are done.",
        "The answer is 5 and 3 are left over.",
        "The answer is 5! Not 7.",
        "The answer is 5; that is all.",
        "The answer is 5 apples, as 7 were eaten.",
        "The answer is 2 + 3 = 5.",
        r"First \boxed{4}. Wait, that is wrong: \boxed{5}",
        r"\boxed{4}. Actually \boxed{5}",
        "<answer>4</answer> no, <answer>5</answer>",
        "#### 4\nI made a mistake.\n#### 5",
        "The answer is 4. Let me check: the answer is 5.",
        r"\boxed{5}, that is \boxed{5}",
        "#### about 5",
        "#### 5 dollars",
        "<answer>Tom has 5 apples left.</answer>",
    ],
)
def test_a_decided_or_corrected_answer_is_right(response: str) -> None:
    assert verify("gsm8k", response, "5").outcome is Outcome.CORRECT


def test_candidates_that_are_all_of_them_wanted_are_right() -> None:
    for response in ("The answer is 5 or 7.", r"\boxed{5} and \boxed{7}", "<answer>5</answer> or <answer>7</answer>", "#### 7, 5"):
        assert verify("math", response, "5, 7").outcome is Outcome.CORRECT


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
