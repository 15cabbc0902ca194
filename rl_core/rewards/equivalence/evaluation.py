"""Equality of two formulas by their values: exact where both are rational, else at sample points with more digits than any coincidence has.

Nothing is expanded: the cost is one evaluation per point, and powers and factorials beyond `_EXACT_BITS` are floating-point numbers of
any exponent. A formula whose exponent itself is too large has no value, and two such are equal only when they are the same tree.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from rl_core.rewards.equivalence.expression import Node, operations, symbols

_EXACT_BITS = 60_000  # longest numerator or denominator of an exact value
_DIGITS = 50
_TERMS = 2000  # of a sum or product
_LARGEST_EXPONENT = 10**12  # of two

Value = Any  # Fraction, mpmath.mpf or mpmath.mpc; mpmath has no types


class NoValueError(ArithmeticError):
    """Undefined (a division by zero), or beyond what is evaluated."""


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


def number(node: Node, values: Mapping[str, Value] | None = None, digits: int = _DIGITS) -> Value:
    """The value at a point, as a Fraction or with `digits` digits.

    Raises:
        NoValueError: undefined or too large.
    """
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
    with mp.workdps(_DIGITS):
        return _floating(value)


def _agree(left: Node, right: Node, names: list[str], used: frozenset[str], base: str | Fraction) -> bool:
    if not names:
        return _equal_at(left, right, {}, base) is True
    points = _whole_points(names) if used & _OF_WHOLE_NUMBERS or _alternates(left) or _alternates(right) else _real_points(names)
    agreed = 0
    for point in points:
        equal = _equal_at(left, right, point, base)
        if equal is False:
            return False
        agreed += bool(equal)
    return agreed >= min(3, len(points) // 2)


_OF_WHOLE_NUMBERS = frozenset(["!", "!!", "binom", "floor", "ceil", "gcd", "lcm", "sum", "prod"])


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
    """None where one of them has no value, or only one of them a real one."""
    from mpmath import mp

    found: list[tuple[Value, Value]] = []
    for digits in (_DIGITS, 2 * _DIGITS):
        with mp.workdps(digits):
            try:
                first, second = _evaluate(left, dict(point), base), _evaluate(right, dict(point), base)
            except (ArithmeticError, ValueError, RecursionError, TypeError, KeyError):
                return None
            if isinstance(first, Fraction) and isinstance(second, Fraction):
                return first == second
            first, second = _floating(first), _floating(second)
            if not (mp.isfinite(first) and mp.isfinite(second)):
                return None
            if point and (_is_complex(first) != _is_complex(second) or (_is_complex(first) and min(point.values()) < 0)):
                return None
            if digits == _DIGITS and max(mp.mag(first or 1), mp.mag(second or 1)) > 3 * digits:
                # Enough digits to see a difference of one in the largest number that is written out.
                size = max(mp.mag(first), mp.mag(second))
                if size > _EXACT_BITS:
                    return None
            found.append((first, second))
            scale = max(abs(first), abs(second))
            if abs(first - second) > scale * mp.mpf(10) ** (-digits * 0.7) and not _vanishing(found):
                return False
    return True


def _vanishing(found: list[tuple[Value, Value]]) -> bool:
    """Whether what differs is rounding around zero, which shrinks as digits are added."""
    from mpmath import mp

    sizes = [max(abs(first), abs(second)) for first, second in found]
    bound = mp.mpf(10) ** (-_DIGITS // 2)
    return sizes[0] < bound and (len(sizes) == 1 or sizes[1] <= sizes[0] * bound)


def _is_complex(value: Value) -> bool:
    from mpmath import mp

    return isinstance(value, mp.mpc) and abs(value.imag) > abs(value) * mp.mpf(10) ** (-mp.dps // 2)


def _floating(value: Value) -> Value:
    from mpmath import mp

    return mp.mpf(value.numerator) / value.denominator if isinstance(value, Fraction) else value


def _evaluate(node: Node, point: dict[str, Value], log_base: str | Fraction | None) -> Value:
    """A Fraction as long as the value is rational and short; `log_base` None: a rational value or NoValueError."""
    if isinstance(node, Fraction):
        return node
    if isinstance(node, str):
        if node in point:
            return point[node]
        if log_base is None:
            raise NoValueError(node)
        return _named(node)
    operation, *operands = node
    if operation in ("sum", "prod"):
        return _series(node, point, log_base)
    if operation == "call":
        return _unknown(operands[0], _evaluate(operands[1], point, log_base))
    values = [_evaluate(operand, point, log_base) for operand in operands if operand is not None]
    if operation == "log":
        base = values[0] if operands[0] is not None else log_base
        return _logarithm(_named("e") if base == "e" else base, values[-1])
    if operation in _ARITHMETIC:
        return _ARITHMETIC[operation](*values)
    if log_base is None:
        raise NoValueError(operation)
    return _transcendental(operation, _floating(values[0]))


def _named(name: str) -> Value:
    from mpmath import mp

    named = {"\u03c0": mp.pi, "e": mp.e, "i": mp.mpc(0, 1), "\u221e": mp.inf}
    if name not in named:
        raise NoValueError(name)
    return +named[name]


def _exact(*values: Value) -> bool:
    return all(isinstance(value, Fraction) for value in values)


def _binary(exact: Callable[[Any, Any], Any]) -> Callable[[Value, Value], Value]:
    def apply(first: Value, second: Value) -> Value:
        if _exact(first, second):
            found = exact(first, second)
            if max(found.numerator.bit_length(), found.denominator.bit_length()) <= _EXACT_BITS:
                return found
        return exact(_floating(first), _floating(second))

    return apply


def _power(base: Value, exponent: Value) -> Value:
    from mpmath import mp

    if _exact(base, exponent) and exponent.denominator == 1:
        size = max(base.numerator.bit_length(), base.denominator.bit_length()) * abs(exponent.numerator)
        if size <= _EXACT_BITS or abs(base) in (0, 1):
            if not base and exponent <= 0:
                raise NoValueError("0^0")
            return base**exponent.numerator if abs(base) != 1 else Fraction(1 if base == 1 or exponent.numerator % 2 == 0 else -1)
    if _exact(base, exponent) and base > 0 and exponent.denominator <= 12 and abs(exponent.numerator) < 100:
        root = _exact_root(base, exponent.denominator)
        if root is not None:
            return _power(root, Fraction(exponent.numerator))
    base, power = _floating(base), _floating(exponent)
    if base == 0:
        if mp.re(power) <= 0:
            raise NoValueError("0^0")
        return mp.mpf(0)
    if abs(power) * (abs(mp.mag(base)) + 1) > _LARGEST_EXPONENT:
        raise NoValueError("too large")
    if _exact(exponent) and exponent.denominator == 1:
        return base ** int(exponent)
    return mp.power(base, power)


def _exact_root(value: Fraction, degree: int) -> Fraction | None:
    parts = []
    for part in (value.numerator, value.denominator):
        if part.bit_length() > 1000:
            return None
        guess = round(part ** (1 / degree)) if degree != 2 else math.isqrt(part)
        if guess**degree != part:
            return None
        parts.append(guess)
    return Fraction(*parts)


def _root(degree: Value, radicand: Value) -> Value:
    if not _exact(degree) or degree.denominator != 1 or not 0 < degree < 10**6:
        return _power(radicand, 1 / _floating(degree))
    real = _exact(radicand) or not _is_complex(radicand)
    if degree.numerator % 2 and real and (radicand if _exact(radicand) else radicand.real) < 0:
        return -_power(-radicand, 1 / degree)
    return _power(radicand, 1 / degree)


def _factorial(value: Value, step: int = 1) -> Value:
    from mpmath import mp

    whole = _exact(value) and value.denominator == 1
    if whole and value < 0:
        raise NoValueError("factorial of a negative number")
    if whole and value <= 3000:
        return Fraction(math.factorial(int(value)) if step == 1 else math.prod(range(int(value), 0, -2)))
    if mp.mag(_floating(value)) > 40:
        raise NoValueError("too large")
    return mp.factorial(_floating(value)) if step == 1 else mp.fac2(_floating(value))


def _binomial(top: Value, bottom: Value) -> Value:
    from mpmath import mp

    if _exact(top, bottom) and top.denominator == bottom.denominator == 1 and 0 <= bottom <= top <= 10_000:
        return Fraction(math.comb(int(top), int(bottom)))
    if max(mp.mag(_floating(top) or 1), mp.mag(_floating(bottom) or 1)) > 40:
        raise NoValueError("too large")
    return mp.binomial(_floating(top), _floating(bottom))


def _whole(rounding: Callable[[Any], Any]) -> Callable[[Value], Value]:
    def apply(value: Value) -> Value:
        from mpmath import mp

        if _exact(value):
            return Fraction(rounding(value))
        if isinstance(value, mp.mpc) or mp.mag(value) > mp.prec // 2:
            raise NoValueError("no real number of a readable size")
        nearest = mp.nint(value)
        close = abs(value - nearest) < mp.mpf(10) ** (-mp.dps // 2)
        return Fraction(int(nearest) if close else int(rounding(value)))

    return apply


def _logarithm(base: Value, value: Value) -> Value:
    from mpmath import mp

    if value == 0 or base in (0, 1):
        raise NoValueError("logarithm of zero")
    return mp.log(_floating(value)) / mp.log(_floating(base))


_ARITHMETIC: dict[str, Callable[..., Value]] = {
    "+": _binary(lambda first, second: first + second),
    "*": _binary(lambda first, second: first * second),
    "/": _binary(lambda first, second: first / second),
    "neg": lambda value: -value,
    "^": _power,
    "root": _root,
    "!": _factorial,
    "!!": lambda value: _factorial(value, 2),
    "binom": _binomial,
    "floor": _whole(math.floor),
    "ceil": _whole(math.ceil),
    "abs": abs,
}


def _transcendental(name: str, value: Value) -> Value:
    from mpmath import mp

    if mp.mag(value or 1) > 3 * _DIGITS:
        raise NoValueError("no digits are left of so large an argument")
    functions = {"ln": mp.log, "exp": mp.exp} | {
        f"arc{short}": getattr(mp, f"a{short}") for short in ("sin", "cos", "tan", "cot", "sec", "csc")
    }
    function = functions.get(name) or getattr(mp, name, None)
    if function is None or (name == "ln" and value == 0):
        raise NoValueError(name)
    return function(value)


def _unknown(name: str, value: Value) -> Value:
    """A function that only its name is known of: any smooth one will do that is another for every name."""
    from mpmath import mp

    seed = sum(map(ord, name))
    return mp.sin(_floating(value) * seed / 97 + seed) + 2


def _series(node: tuple[Any, ...], point: dict[str, Value], log_base: str | Fraction | None) -> Value:
    name, index, low, high, term = node
    first, last = _evaluate(low, point, log_base), _evaluate(high, point, log_base)
    if not _exact(first, last) or first.denominator != 1 or last.denominator != 1 or last - first > _TERMS:
        raise NoValueError("no short sum")
    total: Value = Fraction(0 if name == "sum" else 1)
    for value in range(int(first), int(last) + 1):
        found = _evaluate(term, point | {index: Fraction(value)}, log_base)
        total = _ARITHMETIC["+" if name == "sum" else "*"](total, found)
    return total


def ratio_is_constant(left: Node, right: Node, points: int, positive: bool = False) -> bool:
    """Whether one formula is a multiple of the other by a number that is not zero, `positive`: by a positive one."""
    from mpmath import mp

    names = sorted(symbols(left) | symbols(right))
    ratios: list[Value] = []
    with mp.workdps(_DIGITS):
        for point in _real_points(names)[:points]:
            try:
                first, second = (_floating(_evaluate(node, dict(point), "e")) for node in (left, right))
            except (ArithmeticError, ValueError, TypeError, RecursionError):
                continue
            if (first == 0) != (second == 0) or _is_complex(first) or _is_complex(second):
                return False
            if second != 0:
                ratios.append(first / second)
        if len(ratios) < 2 or (positive and min(mp.re(ratio) for ratio in ratios) <= 0):
            return False
        return all(abs(ratio - ratios[0]) <= abs(ratios[0]) * mp.mpf(10) ** (-_DIGITS // 2) for ratio in ratios)
