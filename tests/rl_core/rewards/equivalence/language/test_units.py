from fractions import Fraction

import pytest

from rl_core.rewards.equivalence.language.units import one_unit, read_unit, split_unit


@pytest.mark.parametrize(
    ("text", "scale", "dimension"),
    [
        ("km/h", Fraction(5, 18), (("length", 1), ("time", -1))),
        ("m/s^2", Fraction(1), (("length", 1), ("time", -2))),
        ("square feet", Fraction(3048, 10000) ** 2, (("length", 2),)),
        ("kilometers per second", Fraction(1000), (("length", 1), ("time", -1))),
        ("cents", Fraction(1, 100), (("money", 1),)),
        ("lbs", Fraction(45359237, 100000), (("mass", 1),)),
    ],
)
def test_known_units(text: str, scale: Fraction, dimension: tuple[tuple[str, int], ...]) -> None:
    unit = read_unit(text)
    assert unit is not None
    assert (unit.scale, unit.dimension) == (scale, dimension)


def test_nouns_count_and_words_that_say_more_do_not() -> None:
    unit = read_unit("right triangles")
    assert unit is not None
    assert unit.noun
    for text in ("or so", "and more", "x", "at least", "not sure"):
        assert read_unit(text) is None


@pytest.mark.parametrize(
    ("text", "value", "has_unit"),
    [
        ("18 apples", "18", True),
        ("$5", "5", True),
        ("3x", "3x", False),
        ("5.4 cents", "5.4", True),
        ("75 million", "(75)\u00b71000000", False),
    ],
)
def test_split(text: str, value: str, has_unit: bool) -> None:
    found, unit = split_unit(text)
    assert (found, unit is not None) == (value, has_unit)


@pytest.mark.parametrize(
    ("text", "joined"),
    [("1 hour and 30 minutes", "3/2 hour"), ("5 feet 6 inches", "11/2 feet"), ("7 apples and 8 pears", "7 apples and 8 pears")],
)
def test_compound(text: str, joined: str) -> None:
    assert one_unit(text) == joined
