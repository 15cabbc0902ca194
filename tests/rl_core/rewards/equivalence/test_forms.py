import pytest

from rl_core.rewards.equivalence import families, regions, structure
from rl_core.rewards.equivalence.cleaning import clean
from rl_core.rewards.equivalence.gold import is_readable
from rl_core.rewards.equivalence.language import words


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("(3,4]", r"3 < x \le 4", True),
        ("(3,4]", "[3,4]", False),
        (r"(-\infty,2)\cup(3,\infty)", "x<2 or x>3", True),
        (r"(-\infty,2)\cup(3,\infty)", r"\mathbb{R}\setminus[2,3]", True),
        (r"(0,1]\cup[1,2)", "(0,2)", True),
        (r"(0,1)\cup(1,2)", "(0,2)", False),
        ("x>3", "y>3", False),
        ("|x|<2", "(-2,2)", True),
        (r"|x|\ge 2", r"(-\infty,-2]\cup[2,\infty)", True),
    ],
)
def test_regions(left: str, right: str, same: bool) -> None:
    first, second = regions.read(clean(left)), regions.read(clean(right))
    assert first is not None
    assert second is not None
    assert regions.same(first, second) is same


@pytest.mark.parametrize("text", ["(3,-1]", "3", "x<y", "x^2-5x+6<0", "1<x>2", "2, 3"])
def test_no_region(text: str) -> None:
    assert regions.read(clean(text)) is None


@pytest.mark.parametrize(
    ("text", "body", "letters", "whole"),
    [
        (r"x = 2k\pi, k \in \mathbb{Z}", "x = 2k\u03c0", ("k",), True),
        (r"3n+1 \text{ for any integer } n", "3n+1", ("n",), True),
        (r"f(x)=cx \text{ where } c \text{ is a real constant}", "f(x)=cx", ("c",), False),
    ],
)
def test_families(text: str, body: str, letters: tuple[str, ...], whole: bool) -> None:
    assert families.read(clean(text)) == families.Family(body, letters, whole)


def test_signs_are_expanded_independently() -> None:
    assert structure.expand_signs("\u00b11\u00b1i") == ["1+i", "1-i", "-1+i", "-1-i"]
    assert structure.expand_signs("1\u00b12\u22133") == ["1+2-3", "1-2+3"]
    assert structure.elements("3, 5, and 7") == ["3", "5", "7"]


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("twenty-five", "25"),
        ("one hundred and two", "102"),
        ("three thousand", "3000"),
        ("two thirds", "2/3"),
        ("twenty dogs", None),
        ("-four", None),
    ],
)
def test_number_words(text: str, digits: str | None) -> None:
    assert words.number_of(text) == digits


@pytest.mark.parametrize(
    ("gold", "readable"), [("5", True), (r"\text{ellipse}", True), ("(1,2)", True), ("", False), ("{5", False), (r"\int x", False)]
)
def test_a_gold_that_cannot_be_read_is_told(gold: str, readable: bool) -> None:
    assert is_readable(gold) is readable
