"""Operations on values that are exact while they are rational and short, and floating-point numbers of any exponent beyond.

A value that is undefined, or whose exponent itself is too large, is a `NoValueError`: nothing here takes long.
"""

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

EXACT_BITS = 60_000  # longest numerator or denominator of an exact value


DIGITS = 50


_LARGEST_EXPONENT = 10**12  # of two


Value = Any  # Fraction, mpmath.mpf or mpmath.mpc; mpmath has no types


class NoValueError(ArithmeticError):
    """Undefined (a division by zero), or beyond what is evaluated."""


def is_complex(value: Value) -> bool:
    from mpmath import mp

    return isinstance(value, mp.mpc) and abs(value.imag) > abs(value) * mp.mpf(10) ** (-mp.dps // 2)


def to_float(value: Value) -> Value:
    from mpmath import mp

    return mp.mpf(value.numerator) / value.denominator if isinstance(value, Fraction) else value


def named_constant(name: str) -> Value:
    from mpmath import mp

    named = {"\u03c0": mp.pi, "e": mp.e, "i": mp.mpc(0, 1), "\u221e": mp.inf}
    if name not in named:
        raise NoValueError(name)
    return +named[name]


def are_exact(*values: Value) -> bool:
    return all(isinstance(value, Fraction) for value in values)


def _binary(exact: Callable[[Any, Any], Any]) -> Callable[[Value, Value], Value]:
    def apply(first: Value, second: Value) -> Value:
        if are_exact(first, second):
            found = exact(first, second)
            if max(found.numerator.bit_length(), found.denominator.bit_length()) <= EXACT_BITS:
                return found
        return exact(to_float(first), to_float(second))

    return apply


def _power(base: Value, exponent: Value) -> Value:
    from mpmath import mp

    if are_exact(base, exponent) and exponent.denominator == 1:
        size = max(base.numerator.bit_length(), base.denominator.bit_length()) * abs(exponent.numerator)
        if size <= EXACT_BITS or abs(base) in (0, 1):
            if not base and exponent <= 0:
                raise NoValueError("0^0")
            return base**exponent.numerator if abs(base) != 1 else Fraction(1 if base == 1 or exponent.numerator % 2 == 0 else -1)
    if are_exact(base, exponent) and base > 0 and exponent.denominator <= 12 and abs(exponent.numerator) < 100:
        root = _exact_root(base, exponent.denominator)
        if root is not None:
            return _power(root, Fraction(exponent.numerator))
    base, power = to_float(base), to_float(exponent)
    if base == 0:
        if mp.re(power) <= 0:
            raise NoValueError("0^0")
        return mp.mpf(0)
    if abs(power) * (abs(mp.mag(base)) + 1) > _LARGEST_EXPONENT:
        raise NoValueError("too large")
    if are_exact(exponent) and exponent.denominator == 1:
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
    if not are_exact(degree) or degree.denominator != 1 or not 0 < degree < 10**6:
        return _power(radicand, 1 / to_float(degree))
    real = are_exact(radicand) or not is_complex(radicand)
    if degree.numerator % 2 and real and (radicand if are_exact(radicand) else radicand.real) < 0:
        return -_power(-radicand, 1 / degree)
    return _power(radicand, 1 / degree)


def _factorial(value: Value, step: int = 1) -> Value:
    from mpmath import mp

    whole = are_exact(value) and value.denominator == 1
    if whole and value < 0:
        raise NoValueError("factorial of a negative number")
    if whole and value <= 3000:
        return Fraction(math.factorial(int(value)) if step == 1 else math.prod(range(int(value), 0, -2)))
    if mp.mag(to_float(value)) > 40:
        raise NoValueError("too large")
    return mp.factorial(to_float(value)) if step == 1 else mp.fac2(to_float(value))


def _binomial(top: Value, bottom: Value) -> Value:
    from mpmath import mp

    if are_exact(top, bottom) and top.denominator == bottom.denominator == 1 and 0 <= bottom <= top <= 10_000:
        return Fraction(math.comb(int(top), int(bottom)))
    if max(mp.mag(to_float(top) or 1), mp.mag(to_float(bottom) or 1)) > 40:
        raise NoValueError("too large")
    return mp.binomial(to_float(top), to_float(bottom))


def _whole(rounding: Callable[[Any], Any]) -> Callable[[Value], Value]:
    def apply(value: Value) -> Value:
        from mpmath import mp

        if are_exact(value):
            return Fraction(rounding(value))
        if isinstance(value, mp.mpc) or mp.mag(value) > mp.prec // 2:
            raise NoValueError("no real number of a readable size")
        nearest = mp.nint(value)
        close = abs(value - nearest) < mp.mpf(10) ** (-mp.dps // 2)
        return Fraction(int(nearest) if close else int(rounding(value)))

    return apply


def _integer(value: Value) -> int:
    if not are_exact(value) or value.denominator != 1:
        raise NoValueError("no integer")
    return int(value)


def logarithm(base: Value, value: Value) -> Value:
    from mpmath import mp

    if value == 0 or base in (0, 1):
        raise NoValueError("logarithm of zero")
    return mp.log(to_float(value)) / mp.log(to_float(base))


ARITHMETIC: dict[str, Callable[..., Value]] = {
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
    "max": lambda *values: max(values, key=to_float),
    "min": lambda *values: min(values, key=to_float),
    "gcd": lambda *values: Fraction(math.gcd(*map(_integer, values))),
    "lcm": lambda *values: Fraction(math.lcm(*map(_integer, values))),
}


def transcendental(name: str, value: Value) -> Value:
    from mpmath import mp

    if mp.mag(value or 1) > 3 * DIGITS:
        raise NoValueError("no digits are left of so large an argument")
    functions = {"ln": mp.log, "exp": mp.exp} | {
        f"arc{short}": getattr(mp, f"a{short}") for short in ("sin", "cos", "tan", "cot", "sec", "csc")
    }
    function = functions.get(name) or getattr(mp, name, None)
    if function is None or (name == "ln" and value == 0):
        raise NoValueError(name)
    return function(value)


def unknown_function(name: str, value: Value) -> Value:
    """A function that only its name is known of: any smooth one will do that is another for every name."""
    from mpmath import mp

    seed = sum(map(ord, name))
    return mp.sin(to_float(value) * seed / 97 + seed) + 2
