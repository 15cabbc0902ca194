r"""Families of solutions: values for every integer (`2k\pi, k \in \mathbb{Z}`) and formulas with free constants (`c e^x`)."""

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from rl_core.rewards.equivalence.formulas.arithmetic import NoValueError
from rl_core.rewards.equivalence.formulas.evaluation import number, same_value
from rl_core.rewards.equivalence.formulas.expression import Node, NotAnExpression, parse, symbols
from rl_core.rewards.equivalence.structure import bracketed, elements, split

_LETTER = r"[A-Za-z](?:_\{?[0-9]\}?)?"
_WHOLE, _REAL = "\u2124\u2115", "\u211d\u2102"
_DECLARATIONS = (
    # k in Z; k, m in Z
    re.compile(rf"(?<![A-Za-z\\])(?P<letters>{_LETTER}(?: ?, ?{_LETTER})*) ?\u2208 ?(?P<set>[{_WHOLE}{_REAL}])(?:[\^_][^ ,)]*)?"),
    # k is any integer; c is an arbitrary real constant
    re.compile(
        rf"(?<![A-Za-z\\])(?P<letters>{_LETTER}(?:(?: ?, ?| and ){_LETTER})*) (?:is |are |being )?"
        r"(?:an? |any |some |all )*(?:arbitrary |real |complex |nonzero )*"
        r"(?P<kind>integer|constant|number|real|complex)s?(?: constants?| numbers?)?"
    ),
    # for any integer k; for some constant c
    re.compile(
        r"(?:any |some |all |every |each |an? |arbitrary |real |complex )*"
        r"(?P<kind>integer|constant|number|real)s?(?: constants?| numbers?)? "
        rf"(?P<letters>{_LETTER}(?:(?: ?, ?| and ){_LETTER})*)"
    ),
)
_BEFORE = re.compile(
    r"[ ,;(\u00a6|:]*(?:\b(?:where|for|with|and|when|if|such that|in which)\b[ ,]*)*(?:any |some |all |every |each |an? )*$"
)
_CONGRUENCE = re.compile(r"([a-zA-Z]) ?\u2261 ?([^(\\]+?) ?\(? ?\\?(?:pmod|bmod|mod) ?\{?\(? ?([0-9]+) ?\)?\}? ?\)?")
_WINDOW, _WIDER = 9, 60  # values of the parameter that are looked at, and those among which each must be found
_CONSTANTS = re.compile(r"[cCkKA](?:_\{?[0-9]\}?)?")


@dataclass(frozen=True)
class Family:
    """A formula without the declaration of its letters."""

    body: str
    letters: tuple[str, ...]
    whole: bool  # they are integers


def read(text: str) -> Family | None:
    """The family that a cleaned text declares, or None where it declares none."""
    if match := _CONGRUENCE.fullmatch(text):
        return Family(f"{match[1]}={match[2]}+{match[3]}\u00b7K", ("K",), True)
    if (group := bracketed(text)) and (group[0] == "\u2774" or re.search(r"[\u2208]", group[1])) and _search(group[1]):
        text = group[1]
    match = _search(text)
    if match is None or text[match.end() :].strip(" ).,"):
        return None
    kind = match.groupdict().get("set") or match["kind"]
    found = list(re.finditer(_LETTER, re.sub(r"\band\b", "   ", match["letters"])))
    for first in range(len(found)):  # in `a n, n in Z` the first n belongs to the formula
        letters = tuple(re.sub("[{}]", "", letter[0]) for letter in found[first:])
        start = match.start() if first == 0 else match.start("letters") + found[first].start()
        body = _BEFORE.sub("", text[:start]).strip()
        if body and len(set(letters)) == len(letters) and all(re.search(rf"(?<![A-Za-z\\]){letter[0]}", body) for letter in letters):
            return Family(body, letters, kind in _WHOLE or kind == "integer")
    return None


def _search(text: str) -> re.Match[str] | None:
    return next((match for pattern in _DECLARATIONS if (match := pattern.search(text))), None)


def undeclared(text: str) -> Family | None:
    r"""A family whose text leaves out that its letter is an integer: `x = \frac{\pi}{6} + \pi k`."""
    if "\u03c0" not in text and "\u00b0" not in text:
        return None
    try:
        names = frozenset().union(*(symbols(parse(part)) for part in _bodies(text)))
    except NotAnExpression:
        return None
    return Family(text, tuple(names), True) if len(names) == 1 and names <= frozenset("kmnl") else None


def has_start(family: Family) -> bool:
    """Whether a family is no multiple of its step, such as \u03c0/4 + n\u03c0; (n - 2)\u03c0 may be a formula in n."""
    try:
        (formula,), *others = _formulas(family.body, family.letters[0])
        first, second = (number(substitute(formula, {family.letters[0]: Fraction(value)})) for value in (0, 1))
        return not others and bool(abs((first / (second - first)) % 1 - Fraction(1, 2)) < 0.499)
    except (NotAnExpression, ArithmeticError, ValueError, TypeError):
        return False


def same_whole(gold: Family, answer: Family) -> bool:
    """Whether two families of one integer take the same values, whatever the letter and wherever they start to count."""
    heads = [_heads(family.body) for family in (gold, answer)]
    if len(gold.letters) != 1 or len(answer.letters) != 1 or (all(len(head) == 1 for head in heads) and heads[0] != heads[1]):
        return False
    try:
        left, right = [_formulas(family.body, family.letters[0]) for family in (gold, answer)]
        return _covers(left, right) and _covers(right, left)
    except (NotAnExpression, NoValueError):
        return False


def _heads(text: str) -> set[str]:
    return {part.partition("=")[0].strip() for part in split(text) if "=" in part}


def _bodies(text: str) -> list[str]:
    return [part.rpartition("=")[2].strip() for part in elements(text)]


def _formulas(text: str, letter: str) -> list[tuple[Node, ...]]:
    """One tuple of coordinates for every alternative of the family."""
    if len(_heads(text)) > 1:
        ordered = sorted(split(text), key=lambda part: part.partition("=")[0])
        found = [tuple(parse(part.rpartition("=")[2].strip()) for part in ordered)]
    else:
        found = []
        for body in _bodies(text):
            group = bracketed(body)
            coordinates = split(group[1]) if group and group[0] == "(" and "," in group[1] else [body]
            found.append(tuple(parse(coordinate) for coordinate in coordinates))
    if any(symbols(node) - {letter} for formula in found for node in formula):
        raise NotAnExpression(text)
    return found


def _covers(wide: list[tuple[Node, ...]], narrow: list[tuple[Node, ...]]) -> bool:
    known = {point for formula in wide for value in range(-_WIDER, _WIDER + 1) if (point := _point(formula, value))}
    return all(_point(formula, value) in known for formula in narrow for value in range(-_WINDOW, _WINDOW + 1))


def _point(formula: tuple[Node, ...], value: int) -> tuple[str, ...] | None:
    from mpmath import nstr

    try:
        names = frozenset().union(*(symbols(node) for node in formula))
        values: list[Any] = [
            number(node, dict.fromkeys(names, number(parse(str(abs(value)))) * (1 if value >= 0 else -1)), 30) for node in formula
        ]
    except NoValueError:
        return None
    return tuple(nstr(number(("+", found, parse("0")), digits=30) * 1.0 if hasattr(found, "numerator") else found, 15) for found in values)


def same_constants(gold: Node, answer: Node, gold_letters: tuple[str, ...], letters: tuple[str, ...]) -> bool:
    """Whether two formulas are equal under some renaming of their free constants; undeclared ones are `c`, `C_1` and the like."""
    expected = [name for name in symbols(gold) if name in gold_letters or (not gold_letters and _CONSTANTS.fullmatch(name))]
    given = [name for name in symbols(answer) if name in letters or (not letters and (_CONSTANTS.fullmatch(name) or bool(gold_letters)))]
    given = [name for name in given if name in letters or name not in symbols(gold) or name in expected]
    if not expected or len(expected) != len(given) or len(expected) > 4 or not (gold_letters or all(name[0] in "cC" for name in expected)):
        return False
    return any(same_value(gold, substitute(answer, dict(zip(order, expected, strict=True)))) for order in itertools.permutations(given))


def substitute(node: Node, names: Mapping[str, Node]) -> Node:
    """The tree with other trees, such as other names, in place of some of its symbols."""
    if isinstance(node, str):
        return names.get(node, node)
    if not isinstance(node, tuple):
        return node
    return (node[0], *(operand if operand is None else substitute(operand, names) for operand in node[1:]))
