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
        ("The answer is 18 or more.", "18 or more"),
        ("The answer is 18 dollars at least.", "18 dollars at least"),
        ("The answer is 18 or 2 more than 16.", "18 or 2 more than 16"),
        ("The answer is 5. As well as that, 6 fits.", "5"),
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
    "The answer is 5; alternatively 7.",
    "The answer is 5 or so, maybe 7.",
    "The answer is 5 vs. 7",
    "The answer is 5 (possibly 7).",
    "The answers are 5 and 7.",
    "#### between 5 and 7",
    "#### maybe 5",
    "<answer>5 and/or 7</answer>",
    r"\boxed{5}; \boxed{7}",
    r"\boxed{5} (or \boxed{7})",
    r"\boxed{5} or, if it is negative, \boxed{7}",
    r"Either \boxed{5} is right or else \boxed{7} is.",
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
        r"\boxed{4}, or rather \boxed{5}",
        r"First $\boxed{4}$, the final answer is $\boxed{5}$.",
        r"\boxed{4}; the answer is \boxed{5}",
        r"\boxed{4} and then \boxed{5}",
        r"\boxed{4} and the final answer is \boxed{5}",
        r"\boxed{4} or, no, \boxed{5}",
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


@pytest.mark.parametrize(
    "response",
    [
        "The answer is 1/2 or 0.5.",
        r"\boxed{\frac12 \text{ or } 0.5}",
        "The answer is 0.5 or 50%",
        "#### 1/2 or 0.5",
        r"$\boxed{\frac{1}{2}}$ or equivalently $\boxed{0.5}$",
    ],
)
def test_two_forms_of_one_answer_are_one(response: str) -> None:
    assert verify("math", response, r"\frac{1}{2}").outcome is Outcome.CORRECT
    assert verify("math", response, r"\frac{1}{3}").outcome is not Outcome.CORRECT


# Responses in the tests and threads of other projects, with what those say of them.
@pytest.mark.parametrize(
    ("response", "gold"),
    [
        (r"The final answer is \(\boxed{18}\) dollars.", "18"),
        (r"Thus \boxed{\frac{26}{2}}.", "13"),
        ("The final answer is [366].", "366"),
        ("The final answer is [80 sheep].", "80"),
        ("The final answer is [The profit would be $125].", "125"),
        ("The answer is -18.", "-18"),
        ("The answer is $20,800.", "20800"),
        ("The answer is 18.\n\nQ: A new problem\nA: The answer is 99.", "18"),
        ("The answer is [80].\n\nGiven the following question, put it in \\boxed{}.", "80"),
        (r"\boxed{5} corrected to \boxed{7}", "7"),
        ("reasoning\n#### 18\n\nQuestion: another one\n#### 12", "18"),
        ("reasoning\n#### 7\n\nQuestion: unrelated\nAnswer: 12", "7"),
        ("Answer: 12 -- wait, that double counts. Answer: 18", "18"),
        ("Format: #### <number>\n\nReasoning: 3+2=5\n#### 5", "5"),
        ("The total is 18.\n#### 18\n\nQuestion: Bob has 99 marbles", "18"),
        ("answer\n#### 18\n\nQuestion: next\n\nProblem: another", "18"),
        (r"First attempt gives \boxed{5}. That is wrong; correcting, the answer is \boxed{7}.", "7"),
        (r"the answer is \boxed{2}. wait, actually \boxed{3}", "3"),
        ("Answer: **18**", "18"),
        ("Final Answer: The final answer is $42$. I hope it is correct.", "42"),
        (
            "Final Answer: The final answer is $42$. I hope it is correct.\n\nProblem:\nFind 1+1.\nFinal Answer: The final answer is $2$.",
            "42",
        ),
        ("The final answer is: $\\boxed{42}$. I hope it is correct.", "42"),
        ("A: Let me see. The answer is 8.\nQ: next\nA: The answer is 9.", "8"),
        ("The answer is 10 (5 + 5).", "10"),
        ("The answer is 0.75 (or 3/4).", "0.75"),
        ("The answer is 1,250 or $1,250.00", "1250"),
        ("so the total comes to 42", "42"),
        ("192 / 1.2 = 1.2Y / 1.2 or 160 = Y.", "160"),  # GSM8K's own solutions use "or" for "that is"
        ("That means she saved $210 / $350 = 0.60 or 60% off on the dress.", "60"),
        ("the final answer is 15 gallons * 8 pints / gallon = 120 pints", "120"),
        ("print(n)\n```output\n7\n```\n7 buses left the depot in the first 20 minutes.", "7"),
        ("```output\n4.0\n```\nFour vans will be needed to carry 90 crates.", "4"),
    ],
)
def test_responses_of_other_projects(response: str, gold: str) -> None:
    assert verify("gsm8k", response, gold).outcome is Outcome.CORRECT


def test_a_sum_after_what_was_printed_counts_by_its_last_number() -> None:
    assert extract_answer("```output\n7\n```\nSo there are 7 * 3 = 21 buses.", any_number=True) == "21"


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
    started = time.process_time()
    extract_answer(text, any_number=True)
    assert time.process_time() - started < 2
