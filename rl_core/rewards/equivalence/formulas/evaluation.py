"""Equality of two formulas by their values: exact where both are rational, else at sample points with more digits than any coincidence has.

Nothing is expanded: the cost is one evaluation per point, and powers and factorials beyond `EXACT_BITS` are floating-point numbers of
any exponent. A formula whose exponent itself is too large has no value, and two such are equal only when they are the same tree.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from rl_core.rewards.equivalence.formulas.arithmetic import (
    ARITHMETIC,
    DIGITS,
    EXACT_BITS,
    NoValueError,
    Value,
    are_exact,
    is_complex,
    logarithm,
    named_constant,
    to_float,
    transcendental,
    unknown_function,
)
from rl_core.rewards.equivalence.formulas.expression import Node, operations, symbols

_TERMS = 2000  # of a sum or product


def constant(node: Node) -> Fraction | None:
    """The value of a rational constant, or None for anything else."""
    if symbols(node):
        return None
    try:
        value = _evaluate(node, {}, None)
    except (NoValueError, ArithmeticError, ValueError):
        return None
    return value if isinstance(value, Fraction) else None


def same_value(left: Node, right: Node) -> bool:
    """Whether two formulas have the same symbols and, wherever both are real, the same values.

    A `log` without base is natural or decimal, whichever makes them equal.
    """
    if left == right:
        return True
    names = symbols(left)
    if names != symbols(right):
        return False
    used = operations(left) | operations(right)
    bases: Sequence[str | Fraction] = ("e", Fraction(10)) if "log" in used else ("e",)
    return any(_agree(left, right, sorted(names), used, base) for base in bases)


def number(node: Node, values: Mapping[str, Value] | None = None, digits: int = DIGITS) -> Value:
    """The value at a point, as a Fraction or with `digits` digits. Raises NoValueError if undefined or too large."""
    from mpmath import mp

    with mp.workdps(digits):
        try:
            return _evaluate(node, dict(values or {}), "e")
        except (ArithmeticError, ValueError, RecursionError, TypeError, KeyError) as error:
            raise NoValueError from error


def floating(node: Node) -> Value:
    """The value of a constant with 50 digits. Raises NoValueError."""
    from mpmath import mp

    value = number(node)
    with mp.workdps(DIGITS):
        return to_float(value)


def _agree(left: Node, right: Node, names: list[str], used: frozenset[str], base: str | Fraction) -> bool:
    if not names:
        try:
            return _equal_at(left, right, {}, base) is True
        except _OneSidedError:
            return False
    whole = used & _OF_WHOLE_NUMBERS or _alternates(left) or _alternates(right)
    points = _whole_points(names) if whole else _real_points(names)
    if used & _ROUNDING and not all(name[0] in _USUALLY_WHOLE for name in names):
        points += _real_points(names)  # the floor and the ceiling of x differ between the integers only
    agreed = one_sided = 0
    for point in points:
        try:
            equal = _equal_at(left, right, point, base)
        except _OneSidedError:
            one_sided += 1
            continue
        if equal is False:
            return False
        agreed += bool(equal)
    # A term such as 0(3-n)! would hide a difference wherever it has no value.
    tolerated = agreed // 2 if len(names) == 1 else agreed
    return agreed >= min(3, len(points) // 2) and one_sided <= tolerated


class _OneSidedError(NoValueError):
    """Only one of two formulas has a value at a point."""


_ROUNDING = frozenset(["floor", "ceil"])
_OF_WHOLE_NUMBERS = _ROUNDING | {"!", "!!", "binom", "gcd", "lcm", "sum", "prod"}
_USUALLY_WHOLE = "ijklmnpqMN"


def _alternates(node: Node) -> bool:
    """Whether there is a power of a negative number with a symbol in its exponent."""
    if not isinstance(node, tuple):
        return False
    if node[0] == "^" and isinstance(node[1], tuple) and node[1][0] == "neg" and symbols(node[2]):
        return True
    return any(_alternates(operand) for operand in node[1:] if operand is not None)


def _real_points(names: list[str]) -> list[dict[str, Fraction]]:
    """Four points of positive coordinates, two of all signs."""
    points = []
    for sample in range(6):
        point = {}
        for index, name in enumerate(names):
            size = Fraction(1009 + (index * 7919 + sample * 104729) % 2003, 1013)
            point[name] = -size if sample >= 4 and (index + sample) % 2 == 0 else size + (sample == 3) * 7
        points.append(point)
    return points


def _whole_points(names: list[str]) -> list[dict[str, Fraction]]:
    if len(names) == 1:
        return [{names[0]: Fraction(n)} for n in range(1, 18)]
    return [{name: Fraction(12 + (index * 5 + sample * 7) % 9 - 3 * index) for index, name in enumerate(names)} for sample in range(10)]


def _equal_at(left: Node, right: Node, point: Mapping[str, Value], base: str | Fraction) -> bool | None:
    """None where neither has a value, or only one of them a real one. Raises _OneSidedError if only one has a value."""
    from mpmath import mp

    found: list[tuple[Value, Value]] = []
    for digits in (DIGITS, 2 * DIGITS):
        with mp.workdps(digits):
            first, second = _value_at(left, point, base), _value_at(right, point, base)
            if first is None or second is None:
                if first is second:
                    return None
                raise _OneSidedError
            if isinstance(first, Fraction) and isinstance(second, Fraction):
                return first == second
            first, second = to_float(first), to_float(second)
            if not (mp.isfinite(first) and mp.isfinite(second)):
                return None
            if point and (is_complex(first) != is_complex(second) or (is_complex(first) and min(point.values()) < 0)):
                return None
            if digits == DIGITS and max(mp.mag(first or 1), mp.mag(second or 1)) > 3 * digits:
                # Enough digits to see a difference of one in the largest number that is written out.
                size = max(mp.mag(first), mp.mag(second))
                if size > EXACT_BITS:
                    return None
            found.append((first, second))
            scale = max(abs(first), abs(second))
            if abs(first - second) > scale * mp.mpf(10) ** (-digits * 0.7) and not _vanishing(found):
                return False
    return True


def _value_at(node: Node, point: Mapping[str, Value], base: str | Fraction) -> Value | None:
    try:
        return _evaluate(node, dict(point), base)
    except (ArithmeticError, ValueError, RecursionError, TypeError, KeyError):
        return None


def _vanishing(found: list[tuple[Value, Value]]) -> bool:
    """Whether what differs is rounding around zero, which shrinks as digits are added."""
    from mpmath import mp

    sizes = [max(abs(first), abs(second)) for first, second in found]
    bound = mp.mpf(10) ** (-DIGITS // 2)
    return sizes[0] < bound and (len(sizes) == 1 or sizes[1] <= sizes[0] * bound)


def _evaluate(node: Node, point: dict[str, Value], log_base: str | Fraction | None) -> Value:
    """A Fraction as long as the value is rational and short; `log_base` None: a rational value or NoValueError."""
    if isinstance(node, Fraction):
        return node
    if isinstance(node, str):
        if node in point:
            return point[node]
        if log_base is None:
            raise NoValueError(node)
        return named_constant(node)
    operation, *operands = node
    if operation in ("sum", "prod"):
        return _series(node, point, log_base)
    if operation == "call":
        return unknown_function(operands[0], _evaluate(operands[1], point, log_base))
    values = [_evaluate(operand, point, log_base) for operand in operands if operand is not None]
    if operation == "log":
        base = values[0] if operands[0] is not None else log_base
        return logarithm(named_constant("e") if base == "e" else base, values[-1])
    if operation in ARITHMETIC:
        return ARITHMETIC[operation](*values)
    if log_base is None:
        raise NoValueError(operation)
    return transcendental(operation, to_float(values[0]))


def _series(node: tuple[Any, ...], point: dict[str, Value], log_base: str | Fraction | None) -> Value:
    name, index, low, high, term = node
    first, last = _evaluate(low, point, log_base), _evaluate(high, point, log_base)
    if not are_exact(first, last) or first.denominator != 1 or last.denominator != 1 or last - first > _TERMS:
        raise NoValueError("no short sum")
    total: Value = Fraction(0 if name == "sum" else 1)
    for value in range(int(first), int(last) + 1):
        found = _evaluate(term, point | {index: Fraction(value)}, log_base)
        total = ARITHMETIC["+" if name == "sum" else "*"](total, found)
    return total


def ratio_is_constant(left: Node, right: Node, points: int, positive: bool = False) -> bool:
    """Whether one formula is a multiple of the other by a number that is not zero, `positive`: by a positive one."""
    from mpmath import mp

    names = sorted(symbols(left) | symbols(right))
    ratios: list[Value] = []
    with mp.workdps(DIGITS):
        for point in _real_points(names)[:points]:
            try:
                first, second = (to_float(_evaluate(node, dict(point), "e")) for node in (left, right))
            except (ArithmeticError, ValueError, TypeError, RecursionError):
                continue
            if (first == 0) != (second == 0) or is_complex(first) or is_complex(second):
                return False
            if second != 0:
                ratios.append(first / second)
        if len(ratios) < 2 or (positive and min(mp.re(ratio) for ratio in ratios) <= 0):
            return False
        return all(abs(ratio - ratios[0]) <= abs(ratios[0]) * mp.mpf(10) ** (-DIGITS // 2) for ratio in ratios)
