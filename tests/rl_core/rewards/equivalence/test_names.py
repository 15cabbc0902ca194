import pytest

from rl_core.rewards.equivalence.comparison import same
from rl_core.rewards.equivalence.names import equal_unknowns, in_order, named_values


@pytest.mark.parametrize(
    ("items", "values"),
    [
        (["x=1", "y=2"], {"x": "1", "y": "2"}),
        (["f(1)=3", "f(2)=5"], {"f(1)": "3", "f(2)": "5"}),
        (["Minimum: 4", "Maximum: 9"], {"minimum": "4", "maximum": "9"}),
        (["smallest 4", "the largest is 9"], {"minimum": "4", "maximum": "9"}),
        (["Alice: 1/2", "Bob: 1/3"], {"alice": "1/2", "bob": "1/3"}),
        (["x=1", "x=2"], None),
        (["at least: 4", "at most: 9"], None),
        (["4", "9"], None),
    ],
)
def test_named_values(items: list[str], values: dict[str, str] | None) -> None:
    assert named_values(items) == values


@pytest.mark.parametrize(
    ("values", "ordered"),
    [
        ({"y": "2", "x": "1"}, ["1", "2"]),
        ({"f(10)": "1", "f(9)": "0"}, ["0", "1"]),
        ({r"\theta": "\u03c0", "r": "2"}, ["2", "\u03c0"]),
        ({"maximum": "9", "minimum": "4"}, ["9", "4"]),
        ({"maximum": "4", "minimum": "9"}, None),
    ],
)
def test_order_of_names(values: dict[str, str], ordered: list[str] | None) -> None:
    assert in_order(values) == ordered


def test_equal_unknowns() -> None:
    assert equal_unknowns("x = y = 4") == ["x=4", "y=4"]
    assert equal_unknowns("x = 2+3 = 5") == ["x = 2+3 = 5"]
    assert equal_unknowns("x = y") == ["x = y"]


@pytest.mark.parametrize(
    ("gold", "answer", "right"),
    [
        ("4,9", r"\text{Minimum: } 4, \text{ Maximum: } 9", True),
        ("4,9", r"\text{Minimum: } 9, \text{ Maximum: } 4", False),
        ("3,5", "f(2)=5, f(1)=3", True),
        ("3,5", "f(1)=5, f(2)=3", False),
        ("2, 3", "x_1=3, x_2=2", True),  # two values of one unknown
        ("x = y = 4", "(4,4)", True),
        ("x = y = 4", "x=4", False),
        ("(1,1),(2,4)", r"x=1,y=1 \text{ or } x=2,y=4", True),
    ],
)
def test_values_under_names_against_bare_ones(gold: str, answer: str, right: bool) -> None:
    assert same(gold, answer) is right
