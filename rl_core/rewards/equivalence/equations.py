"""Equality of equations in several unknowns and of inequalities."""

import functools
import re
from fractions import Fraction

from rl_core.rewards.equivalence.families import substitute
from rl_core.rewards.equivalence.formulas.evaluation import ratio_is_constant, same_value
from rl_core.rewards.equivalence.formulas.expression import Node, NotAnExpression, parse, symbols
from rl_core.rewards.equivalence.structure import split

_POINTS = 5
_RELATION = re.compile("([<>\u2264\u2265=])")
_TURNED = {">": "<", "\u2265": "\u2264", "=": "="}


def same_equation(gold: list[str], answer: list[str]) -> bool:
    """Whether two equations, each given by its two sides, have the same solutions.

    One is a multiple of the other, or one of them is the other solved for an unknown of which it has one solution.
    """
    left, right = (_difference(parts) for parts in (gold, answer))
    if symbols(left) != symbols(right) or len(symbols(left)) < 2:
        if len(symbols(left)) == 1 and symbols(left) == symbols(right) and same_value(parse(gold[0]), parse(answer[0])):
            return ratio_is_constant(left, right, _POINTS)
        return _transcendental_same(left, right)
    return ratio_is_constant(left, right, _POINTS) or _is_solved(gold, answer) or _is_solved(answer, gold)


def same_inequality(gold: str, answer: str) -> bool:
    """Whether two inequalities or chains of them (`a < b = c`) say the same, read in either direction."""
    (parts, signs), (other_parts, other_signs) = _chain(gold), _chain(answer)
    if signs != other_signs:
        return False
    if len(signs) > 1:
        return all(same_value(parse(first), parse(second)) for first, second in zip(parts, other_parts, strict=True))
    left, right = _difference(parts), _difference(other_parts)
    return symbols(left) == symbols(right) and ratio_is_constant(left, right, _POINTS, positive=True)


def _difference(sides: list[str]) -> Node:
    return ("+", parse(sides[0]), ("neg", parse(sides[1])))


def _chain(text: str) -> tuple[list[str], list[str]]:
    """Parts and signs of a chain, so turned that it grows from left to right."""
    parts, signs = split(text, _RELATION), _RELATION.findall(text)
    if not set(signs) & {">", "\u2265"}:
        return parts, signs
    if set(signs) & {"<", "\u2264"}:
        raise NotAnExpression(text)
    return parts[::-1], [_TURNED[sign] for sign in signs[::-1]]


def _is_solved(solved: list[str], equation: list[str]) -> bool:
    """Whether `v = formula` gives the one solution in v of an equation that has no more than one."""
    name, formula = parse(solved[0]), parse(solved[1])
    difference = _difference(equation)
    if not isinstance(name, str) or name not in symbols(difference) or name in symbols(formula):
        return False
    if not _has_one_root(difference, name):
        return False
    sides = [substitute(parse(side), {name: formula}) for side in equation]
    left, right = (functools.reduce(lambda sum, symbol: ("+", sum, symbol), sorted(symbols(formula)), side) for side in sides)
    return same_value(left, right)  # of the same symbols, as those of the formula are added to both


def _has_one_root(node: Node, name: str) -> bool:
    """Whether a formula is (av + b)/(cv + d) in v and no constant: such keep the cross-ratio of four points, which of 0 to 3 is 4/3."""
    shifted = [node, *(substitute(node, {name: ("+", name, Fraction(step))}) for step in (1, 2, 3))]

    def gap(first: int, second: int) -> Node:
        return ("+", shifted[first], ("neg", shifted[second]))

    left = ("*", Fraction(3), ("*", gap(0, 2), gap(1, 3)))
    right = ("*", Fraction(4), ("*", gap(0, 3), gap(1, 2)))
    return same_value(left, right) and not same_value(shifted[0], shifted[1])


def _transcendental_same(left: Node, right: Node) -> bool:
    """Equations such as tan t = 2t, in one unknown but not solved: their difference must be the same up to sign."""
    return isinstance(left, tuple) and _has_function(left) and (same_value(left, right) or same_value(left, ("neg", right)))


def _has_function(node: Node) -> bool:
    return isinstance(node, tuple) and (
        node[0] in ("tan", "sin", "cos", "exp", "ln", "log") or any(_has_function(part) for part in node[1:])
    )
