"""Equality of two single values: formulas, with or without unit, exact or rounded."""

import re
from fractions import Fraction
from typing import Any

from rl_core.rewards.equivalence.cleaning import join_thousands
from rl_core.rewards.equivalence.formulas.arithmetic import NoValueError
from rl_core.rewards.equivalence.formulas.evaluation import constant, floating, same_value
from rl_core.rewards.equivalence.formulas.expression import Node, NotAnExpression, parse, symbols
from rl_core.rewards.equivalence.language.units import Unit, split_unit
from rl_core.rewards.equivalence.language.words import number_of

_DECIMAL = re.compile(r"([+-]?)([0-9]*)\.([0-9]+)(?:\s*(?:\u00b7|[eE])\s*(?:10\^\{?)?([+-]?[0-9]+)\}?)?")
_BARE_LETTERS = re.compile(r" ?(?:(?:[A-Za-z](?:\^\{?-?[0-9]\}?)?(?:[ \u00b7]+|$))+|mg)")
_RATIO = re.compile(r"([^:=]+?) ?(?::| to ) ?([^:=]+)")
_FEWEST_PLACES = 6  # that a decimal needs to stand for an exact value
_NEARLY_ALL = 8  # significant digits of a gold decimal of which the last may be off


def read(text: str, letters_are_units: bool = False) -> tuple[Node, Unit | None, str]:
    """Tree, unit and the value as written; `letters_are_units`: the `m` of `5m` is the meter and no variable.

    Raises NotAnExpression if the text is no single value.
    """
    text = join_thousands(text.strip())
    words = number_of(text)
    if words is not None:
        return parse(words), None, words
    value, unit = split_unit(text)
    if unit is not None and not letters_are_units and _BARE_LETTERS.fullmatch(text.removeprefix(value)):
        value, unit = text, None
    written = number_of(value) or value
    if ratio := _RATIO.fullmatch(written):
        return ("ratio", parse(ratio[1]), parse(ratio[2])), unit, ""
    return parse(written), unit, written


def is_value(text: str) -> bool:
    """Whether a text can be read as a single value."""
    try:
        read(text)
    except NotAnExpression:
        return False
    return True


def same(gold: str, answer: str) -> bool:
    """Whether two cleaned texts are the same value. Raises NotAnExpression if one of them is no single value."""
    expected, gold_unit, gold_text = read(gold)
    given, unit, text = read(answer)
    if unit is None and symbols(given) and (gold_unit is not None or not symbols(expected)):
        given, unit, text = read(answer, letters_are_units=True)
    elif unit is not None and gold_unit is None and symbols(expected):
        as_unit = read(gold, letters_are_units=True)
        if as_unit[1] is not None and as_unit[1].dimension == unit.dimension:
            expected, gold_unit, gold_text = as_unit
    trees = (expected, given)
    if _is_ratio(expected) != _is_ratio(given) and any(map(_is_whole, trees)) and not any(map(_is_to_one, trees)):
        return False  # 6:2 is no 3
    expected, given = (("/", *tree[1:]) if isinstance(tree, tuple) and _is_ratio(tree) else tree for tree in (expected, given))
    if gold_unit is None and unit is not None and symbols(expected):
        # `6 m` may be six metres or six times m
        try:
            whole = parse(join_thousands(answer))
        except NotAnExpression:
            whole = given
        if symbols(whole) == symbols(expected):
            given, unit = whole, None
    return _with_units(expected, gold_unit, gold_text, given, unit, text)


def _is_ratio(tree: Node) -> bool:
    return isinstance(tree, tuple) and tree[0] == "ratio"


def _is_to_one(tree: Node) -> bool:
    return isinstance(tree, tuple) and tree[0] == "ratio" and tree[2] == Fraction(1)


def _is_whole(tree: Node) -> bool:
    return isinstance(tree, Fraction) and tree.denominator == 1


def _with_units(expected: Node, gold_unit: Unit | None, gold_text: str, given: Node, unit: Unit | None, text: str) -> bool:
    if gold_unit and unit and gold_unit != unit:
        if unit.is_radian or gold_unit.is_radian:
            return _same_angle(expected, gold_unit, given, unit)
        if gold_unit.noun and unit.noun:
            return close(expected, gold_text, given, text)
        if gold_unit.dimension != unit.dimension or gold_unit.noun or unit.noun:
            return False
        return same_value(("*", expected, gold_unit.scale), ("*", given, unit.scale))
    percent = bool(gold_unit and gold_unit.is_percent), bool(unit and unit.is_percent)
    if percent == (True, False):
        if same_value(("/", expected, Fraction(100)), given) or (_whole_percent(expected) and close(expected, gold_text, given, text)):
            return True
        is_decimal = _DECIMAL.fullmatch(text.strip("() ")) is not None
        return not is_decimal and close(expected, gold_text, ("*", given, Fraction(100)), "100\u00b7" + text)
    if percent == (False, True):
        return same_value(expected, ("/", given, Fraction(100))) or (_whole_percent(expected) and close(expected, gold_text, given, text))
    if gold_unit is None and unit is not None and unit.is_angle and "\u03c0" in gold_text:
        return _same_angle(expected, None, given, unit)
    if gold_unit is not None and gold_unit.is_angle and unit is None and re.search("\u03c0|arc|(?:sin|cos|tan) ?\\^\\{-1", text):
        return _same_angle(expected, gold_unit, given, None)
    if gold_unit is not None and gold_unit.is_angle and unit is not None and unit.is_radian:
        return _same_angle(expected, gold_unit, given, unit)
    return close(expected, gold_text, given, text)


def _whole_percent(expected: Node) -> bool:
    """Whether a number may be read as so many percent without its sign: 50, but not 0.5."""
    value = constant(expected)
    return value is None or abs(value) > 1


def _same_angle(expected: Node, gold_unit: Unit | None, given: Node, unit: Unit | None) -> bool:
    def radians(value: Node, of: Unit | None) -> Node:
        return ("*", value, ("/", "\u03c0", Fraction(180))) if of is not None and of.is_angle else value

    return same_value(radians(expected, gold_unit), radians(given, unit))


def close(expected: Node, gold_text: str, given: Node, text: str) -> bool:
    """Equal, or one a correct rounding of the other.

    A decimal of six places or more stands for the exact value that rounds to it. A gold decimal of three significant digits stands for an
    exact value that rounds to it, and with two places also for a longer decimal that does; one of eight digits or more, which was
    computed, may be off in the last. Two digits are too few (0.56 may be 14/25 or 5/9), except for thirds (0.33, 0.67).
    """
    if same_value(expected, given):
        return True
    if symbols(expected) or symbols(given) or text == "":
        return False
    gold_decimal, decimal = _DECIMAL.fullmatch(gold_text.strip("() ")), _DECIMAL.fullmatch(text.strip("() "))
    try:
        if gold_decimal is None:
            return decimal is not None and _endless(expected) and len(decimal[3]) >= _FEWEST_PLACES and _rounds(_value(expected), decimal)
        digits, places = (gold_decimal[2] + gold_decimal[3]).lstrip("0"), len(gold_decimal[3])
        nearly_all = places >= (6 if decimal is None else 9) and len(digits) >= _NEARLY_ALL
        if nearly_all and abs(floating(expected) - floating(given)) * 10**7 <= abs(floating(given)):
            return True
        if decimal is None:
            enough = len(digits) >= 3 or (places >= 2 and len(digits) == 2 and _is_third(given))
            return enough and _endless(given) and _rounds(_value(given), gold_decimal)
        longer = len(decimal[3]) > places and gold_decimal[4] == decimal[4]
        return longer and places >= 2 and len(digits) >= 3 and _rounds(_value(given), gold_decimal)
    except (NoValueError, TypeError):
        return False


def _value(node: Node) -> Any:
    rational = constant(node)
    return floating(node) if rational is None else rational


def _endless(node: Node) -> bool:
    """Whether no decimal of finite length is the value."""
    value = constant(node)
    return value is None or pow(10, value.denominator.bit_length(), value.denominator) != 0


def _is_third(node: Node) -> bool:
    value = constant(node)
    return value is not None and value.denominator == 3


def _rounds(value: Any, decimal: re.Match[str]) -> bool:
    """Whether a value, rounded to the places of a decimal, is that decimal."""
    scale = Fraction(10) ** int(decimal[4] or 0)
    written = Fraction(f"{decimal[1]}{decimal[2] or 0}.{decimal[3]}") * scale
    half = scale / 10 ** len(decimal[3]) / 2
    if isinstance(value, Fraction):
        return abs(value - written) <= half
    from mpmath import mp, mpf

    with mp.workdps(60):
        return bool(abs(value - mpf(written.numerator) / written.denominator) <= mpf(half.numerator) / half.denominator)
