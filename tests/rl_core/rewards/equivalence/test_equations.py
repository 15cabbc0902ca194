import pytest

from rl_core.rewards.equivalence.cleaning import clean
from rl_core.rewards.equivalence.equations import same_equation, same_inequality
from rl_core.rewards.equivalence.structure import sides


@pytest.mark.parametrize(
    ("gold", "answer", "right"),
    [
        ("xy = 12", r"y = \frac{12}{x}", True),
        ("xy = 12", "y = 12x", False),
        ("PV = nRT", r"V = \frac{nRT}{P}", True),
        (r"\frac{1}{x}+\frac{1}{y} = 1", r"y = \frac{x}{x-1}", True),
        ("y^2 = 4x", r"x = \frac{y^2}{4}", True),
        ("y^2 = 4x", r"y = 2\sqrt{x}", False),  # one of two solutions
        ("x^2y^2 = 144", r"y = \frac{12}{x}", False),
        ("2x+3y = 6", "4x = 12-6y", True),
        ("2x = 10", "x = 5", False),  # still to be solved
    ],
)
def test_equations(gold: str, answer: str, right: bool) -> None:
    assert same_equation(sides(clean(gold)), sides(clean(answer))) is right


@pytest.mark.parametrize(
    ("gold", "answer", "right"),
    [
        ("a < c < b", "b > c > a", True),
        ("a < c < b", "b > a > c", False),
        ("a < c < b", r"b \ge c > a", False),
        (r"A \ge B = C", r"C = B \le A", True),
        (r"x \ge 2y", r"x - 2y \ge 0", True),
        (r"x \ge 2y", r"2y - x \ge 0", False),
    ],
)
def test_inequalities(gold: str, answer: str, right: bool) -> None:
    assert same_inequality(clean(gold), clean(answer)) is right
