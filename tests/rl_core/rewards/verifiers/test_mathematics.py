import time
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rl_core.outcome import Outcome
from rl_core.rewards.verifiers.mathematics import canonical, equivalent, quick

CORRECT, WRONG, UNPARSEABLE = Outcome.CORRECT, Outcome.WRONG, Outcome.UNPARSEABLE


@pytest.mark.parametrize(
    ("gold", "answer", "outcome"),
    [
        ("5", "5", CORRECT),
        ("25", "025", CORRECT),
        ("18", "$18.00", CORRECT),
        ("18", "+18", CORRECT),
        ("1234567", "1,234,567", CORRECT),
        ("70000", r"70\,000", CORRECT),
        ("10080", r"10,\!080", CORRECT),
        ("0.5", ".5", CORRECT),
        ("1/2", r"\dfrac{1}{2}", CORRECT),
        ("0.5", r"\frac12", CORRECT),
        ("-3/2", "-1 1/2", CORRECT),
        ("-3/2", r"\frac{-3}{2}", CORRECT),
        ("-5", "\u22125", CORRECT),
        ("1/3", "0.333333", CORRECT),
        ("2/3", "0.6666667", CORRECT),
        (r"\text{(C)}", "C", CORRECT),
        (r"\text{Evelyn}", "Evelyn", CORRECT),
        (r"\left( 3, \frac{\pi}{2} \right)", r"(3,\frac{\pi}{2})", CORRECT),
        ("1/3", "0.333", WRONG),
        ("1/3", "0.333334", WRONG),
        ("0.5", "0.4999999", WRONG),
        ("0", "0.0000001", WRONG),
        ("11/2", "1 1/2", WRONG),
        ("1", "1 1/2", WRONG),
        ("5", "-5", WRONG),
        ("5", "", UNPARSEABLE),
        ("5", "5" * 1001, UNPARSEABLE),
    ],
)
def test_decided_at_once(gold: str, answer: str, outcome: Outcome) -> None:
    assert quick(gold, answer) is outcome


@pytest.mark.parametrize(
    ("gold", "answer", "outcome"),
    [
        ("90^\\circ", "90", CORRECT),
        ("9", r"9\%", CORRECT),
        ("2516_8", "2516", CORRECT),
        ("2516", "2516_8", WRONG),
        ("2516_8", "2516_7", WRONG),
        ("5", "5'", UNPARSEABLE),
        ("11", "5 6", UNPARSEABLE),  # math-verify would add
        ("10", r"1\text{0}", UNPARSEABLE),
        ("999", "9**9**9", WRONG),
        ("8", "2^3", CORRECT),
        ("p - q", "-q+p", CORRECT),
        (r"2\sqrt{3}", r"\sqrt{12}", CORRECT),
        (r"\frac{\pi}{2}", "1.570796", CORRECT),
        ("1,2", "2,1", CORRECT),
        ("5", "x=5", CORRECT),
        ("5", "2+3=5", CORRECT),
        ("18", r"18\text{ dollars}", CORRECT),
        (r"10\%", "0.1", CORRECT),
        (r"\pi", "3.14", WRONG),
        (r"\pi", r"\frac{22}{7}", WRONG),
        ("6", "5=6", WRONG),
        ("6", "x=5=6", WRONG),
        ("10^{-8}", "0.0", WRONG),
        (r"\sqrt{2}", r"\sqrt{2}+10^{-16}", WRONG),
        ("(3,-1]", "(4,-2]", WRONG),  # both are empty intervals
        ("(1,2)", "2,1", WRONG),
        ("[1,2)", "(1,2)", WRONG),
        ("2, 100", "2100", WRONG),
        ("(1, 200)", "1200", WRONG),
        ("x_1", "x", WRONG),
        ("5", "5 or 6", WRONG),
        ("5", "5, 6", WRONG),
        ("5", r"\pm 5", WRONG),
        ("5", "not 5", WRONG),
        (r"\infty", "1/0", WRONG),
        ("5", "5 garbage )", UNPARSEABLE),
        ("5", r"5\\6", UNPARSEABLE),
        ("5", "\uff15", UNPARSEABLE),  # full-width five
        ("5", "\u096b", UNPARSEABLE),  # Devanagari five
        ("5", "{" * 400 + "5" + "}" * 399, UNPARSEABLE),
    ],
)
def test_symbolic(gold: str, answer: str, outcome: Outcome) -> None:
    assert equivalent(gold, answer) is outcome


@given(st.fractions(max_denominator=10**6))
def test_ratios_equal_themselves_and_not_their_neighbours(value: Fraction) -> None:
    latex = rf"{'-' if value < 0 else ''}\frac{{{abs(value.numerator)}}}{{{value.denominator}}}"
    neighbour = Fraction(value.numerator + 1, value.denominator)
    assert quick(latex, str(value)) is CORRECT
    assert quick(str(value), latex) is CORRECT
    assert quick(str(neighbour), latex) is WRONG
    assert canonical(latex) == canonical(str(value)) == str(value)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4), st.decimals(allow_nan=False, allow_infinity=False, places=4))
def test_decimals_are_exact(left: object, right: object) -> None:
    texts = [f"{value:,f}" for value in (left, right)]
    assert quick(*texts) is (CORRECT if left == right else WRONG)


@given(st.text(max_size=60), st.text(max_size=60))
def test_quick_survives_any_text_and_is_reflexive(gold: str, answer: str) -> None:
    quick(gold, answer)
    assert quick(answer, answer) is (CORRECT if canonical(answer) else UNPARSEABLE)


@pytest.mark.parametrize("piece", ["1", "{", "\\text{", " ", "\\ ", ",", "1,", "\\frac{1}", "$", "**", "^", "\\", "="])
def test_long_answers_are_refused_at_once(piece: str) -> None:
    started = time.perf_counter()
    assert quick("5", piece * 10**6) is UNPARSEABLE
    assert canonical(piece * 10**6) is None
    quick("5", piece * (1000 // len(piece)))
    assert time.perf_counter() - started < 0.5
