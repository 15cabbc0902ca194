import json
import re
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rl_core.errors import InputError
from rl_core.outcome import Outcome
from rl_core.rewards.verifiers.countdown import evaluate, judge

GOLD = json.dumps({"numbers": [9, 9, 3, 12], "target": 24})


def outcome(answer: str) -> Outcome:
    return judge(f"<think>hm</think>\n<answer>{answer}</answer>", GOLD).outcome


@pytest.mark.parametrize("answer", ["12+12", "(9-3)*12/9*3", "(9-9+12)*2"])  # the target, by other numbers
def test_other_numbers_than_the_given_are_wrong_whatever_the_value(answer: str) -> None:
    assert outcome(answer) is Outcome.WRONG


@pytest.mark.parametrize("answer", ["9+9+3+12", "9/(9-9)+12+3", "9+9+12-3"])
def test_wrong(answer: str) -> None:
    assert outcome(answer) is Outcome.WRONG


@pytest.mark.parametrize(
    ("numbers", "target", "answer"),
    [([3, 8, 8, 3], 24, "8/(3-8/3)"), ([1, 2], 3, " 1+ 2\n"), ([1, 2], 1, "-(1-2)"), ([44, 19, 35], 98, "44+19+35"), ([7], 7, "((7))")],
)
def test_correct_exactly(numbers: list[int], target: int, answer: str) -> None:
    verdict = judge(f"<answer>no</answer> <answer>{answer}</answer>", json.dumps({"numbers": numbers, "target": target}))
    assert verdict.outcome is Outcome.CORRECT
    assert verdict.extracted == answer.strip()


@pytest.mark.parametrize(
    "answer",
    [
        "9**9**9**9",
        "9//9",
        "9 9 + 3 * 12",
        "99 3",
        "9.0+9+3+12",
        "٩+9+3+12",  # Arabic-Indic 9
        "\uff19+9+3+12",  # full-width 9
        "9²",
        "(" * 150 + "9",
        "-" * 10_000 + "9",
        "9" * 1_000_000,
        "(9+9",
        "9+",
        "()",
        "__import__('os')",
        "",
    ],
)
def test_what_is_no_arithmetic_is_unparseable(answer: str) -> None:
    assert outcome(answer) is Outcome.UNPARSEABLE


EASY = json.dumps({"numbers": [2, 3, 4], "target": 20})


@pytest.mark.parametrize(
    "answer",
    [
        "(2+3)*4 = 20",
        "20 = (2 + 3) * 4",
        "(2+3)*4 = 5*4 = 20",
        "(2+3)*4 = 20.0",
        "(2 + 3) \u00d7 4",
        "(2 + 3) \u00b7 4 = 20",
        "(2 + 3) x 4",
        "[2+3]*4",
        "(2+3)*4.",
        "**(2+3)*4**",
        "`(2+3)*4`",
        r"$(2+3)\cdot4 = 20$",
        r"\left(2+3\right) \times 4",
        r"\boxed{(2+3) \times 4}",
        r"\[(2+3)\times 4 = 20\]",
    ],
)
def test_an_expression_may_be_written_in_other_ways_but_not_for_tinyzero(answer: str) -> None:
    response = f"<think>hm</think><answer>{answer}</answer>"
    assert judge(response, EASY).outcome is Outcome.CORRECT
    assert judge(response, EASY, tinyzero=True).outcome in (Outcome.UNPARSEABLE, Outcome.WRONG)


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ("(2+3)*4 = 21", Outcome.WRONG),
        ("5*4 = 20", Outcome.WRONG),
        ("20 = 20", Outcome.WRONG),
        ("20", Outcome.WRONG),
        ("2+18 = (2+3)*4", Outcome.WRONG),
        ("2+3*4 = 20", Outcome.WRONG),
        ("(2+3)*4/1 = 20", Outcome.WRONG),
        ("2+3=5, 5*4=20", Outcome.UNPARSEABLE),
        ("(2+3)*4 or 4*5", Outcome.UNPARSEABLE),
        ("(2+3)**4", Outcome.UNPARSEABLE),
        ("(2+3)*4 =", Outcome.UNPARSEABLE),
        ("= 20", Outcome.UNPARSEABLE),
        ("23-4+1", Outcome.WRONG),
        ("2\u00b3\u00b74", Outcome.UNPARSEABLE),
    ],
)
def test_an_equation_counts_by_its_expression(answer: str, outcome: Outcome) -> None:
    assert judge(f"<answer>{answer}</answer>", EASY).outcome is outcome


@pytest.mark.parametrize(
    "answer", ["12 \u00f7 3 \u00d7 4", r"\frac{12}{3} \times 4", r"12 \div 3 \cdot 4 = 16", r"\dfrac{12}{\frac{3}{4}}"]
)
def test_fractions_and_division_signs(answer: str) -> None:
    assert judge(f"<answer>{answer}</answer>", json.dumps({"numbers": [12, 3, 4], "target": 16})).outcome is Outcome.CORRECT


def test_a_next_question_that_a_response_goes_on_with_does_not_count_but_for_tinyzero() -> None:
    response = "</think><answer>(2+3)*4</answer>\n\nUser: Using 1 and 2, make 3.\nAssistant: <think>t</think><answer>1+2</answer>"
    assert judge(response, EASY).outcome is Outcome.CORRECT
    assert judge(response, EASY, tinyzero=True).outcome is Outcome.WRONG


def test_without_tags_there_is_no_answer() -> None:
    assert judge("9+9+3+12", GOLD).outcome is Outcome.FORMAT_ERROR
    with pytest.raises(InputError, match="gold of a countdown prompt"):
        judge("<answer>1</answer>", "24")


expressions = st.recursive(
    st.integers(0, 99).map(str),
    lambda inner: st.tuples(inner, st.sampled_from("+-*/"), inner).map(lambda parts: f"({parts[0]} {parts[1]} {parts[2]})"),
    max_leaves=6,
)


@given(expressions)
def test_values_are_those_of_exact_arithmetic(text: str) -> None:
    exact = re.sub(r"(\d+)", r"Fraction(\1)", text)
    try:
        expected = eval(exact, {"Fraction": Fraction})  # built above out of digits, signs and brackets alone
    except ZeroDivisionError:
        expected = None
    assert evaluate(text)[0] == expected


@given(st.text(max_size=60))
def test_no_text_breaks_it(text: str) -> None:
    judge(f"<answer>{text}</answer>", GOLD)
