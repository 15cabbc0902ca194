from fractions import Fraction

import pytest

from rl_core.rewards.equivalence.cleaning import clean, join_thousands
from rl_core.rewards.equivalence.formulas.arithmetic import NoValueError
from rl_core.rewards.equivalence.formulas.evaluation import constant, number, same_value
from rl_core.rewards.equivalence.formulas.expression import NotAnExpression, parse, symbols


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 2/3", Fraction(5, 3)),
        (r"4\frac{2}{3}", Fraction(14, 3)),
        (r"4\cdot\frac23", Fraction(8, 3)),
        (r"0.\overline{27}", Fraction(3, 11)),
        ("2.5e-3", Fraction(1, 400)),
        ("-2^2", Fraction(-4)),
        ("2^{3^2}", Fraction(512)),
        ("8/2/2", Fraction(2)),
        (r"\binom{5}{2}", Fraction(10)),
        ("5!/3!", Fraction(20)),
        ("7!!", Fraction(105)),
        (r"\sum_{k=1}^{4} k^2", Fraction(30)),
        (r"\lfloor -1.5 \rfloor", Fraction(-2)),
        (r"\sqrt[3]{-8}", Fraction(-2)),
        ("|3-5|", Fraction(2)),
        (r"\gcd(12, 18)", Fraction(6)),
        ("50%", Fraction(1, 2)),
    ],
)
def test_rational_constants(text: str, value: Fraction) -> None:
    assert constant(parse(clean(text))) == value


@pytest.mark.parametrize(
    "text", ["5 6", "5)", "(5", "--5", "2+", r"\int x", "5 garbage )", r"\frac{1}", "a=b", "{" * 200 + "1" + "}" * 200]
)
def test_what_is_no_formula_is_refused(text: str) -> None:
    with pytest.raises(NotAnExpression):
        parse(clean(text))


def test_symbols() -> None:
    assert symbols(parse(clean(r"\lambda_{red} x_1 + \pi e^{i t}"))) == {r"\lambda_red", "x_1", "t"}
    assert symbols(parse(clean(r"\sum_{k=1}^{n} k"))) == {"n"}


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        (r"\sin 2x", r"2\sin x\cos x", True),
        ("|x|", "x", False),  # equal for positive numbers only
        (r"\sqrt{x^2}", "|x|", True),
        ("(-1)^n", r"\cos n\pi", True),
        (r"\lceil n/2 \rceil", r"\lfloor (n+1)/2 \rfloor", True),
        (r"\lfloor \log_2 n \rfloor + 1", r"\lceil \log_2 n \rceil", False),  # at powers of two
        ("2^{4950}", r"4^{2475}", True),
        ("2^{4950}", r"2^{4950}+1", False),
        ("100!", r"100 \cdot 99!", True),
        ("0", "10^{-400}", False),
        (r"\sqrt{2}", r"\sqrt{2}+10^{-40}", False),
        (r"\sqrt{2}-\sqrt{2}", "0", True),
    ],
)
def test_values_at_sample_points(left: str, right: str, same: bool) -> None:
    assert same_value(parse(clean(left)), parse(clean(right))) is same


@pytest.mark.parametrize("text", ["1/0", "0^0", "9^{9^{9^9}}", "((10^9)!)!", r"\ln 0", "(-3)!"])
def test_without_value(text: str) -> None:
    with pytest.raises(NoValueError):
        number(parse(clean(text)))


@pytest.mark.parametrize(
    ("text", "joined"), [("10,080", "10080"), ("1 234 567", "1234567"), ("(20,100)", "(20,100)"), ("2, 100", "2, 100")]
)
def test_thousands(text: str, joined: str) -> None:
    assert join_thousands(clean(text)) == joined
