"""Parts of the real line: intervals, unions, inequalities, exclusions; equal when they hold the same numbers."""

import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rl_core.rewards.equivalence.formulas.arithmetic import NoValueError
from rl_core.rewards.equivalence.formulas.evaluation import number
from rl_core.rewards.equivalence.formulas.expression import NotAnExpression, parse, symbols
from rl_core.rewards.equivalence.structure import bracketed, elements, split

_ALL = re.compile(r"\u211d|(?:the set of )?(?:all )?(?:of )?(?:the )?reals?(?: numbers?)?(?: \u211d)?", re.IGNORECASE)
_SIGNED = re.compile(r"(?:all )?(?:the )?(non-?zero|positive|negative) real(?:s| numbers)", re.IGNORECASE)
_RELATIONS = re.compile("([<>\u2264\u2265])")
_NAME = re.compile(r"\\?[A-Za-z]+(?:_\{?[0-9A-Za-z]+\}?)?(?:\([a-z]\))?")
_OR = re.compile(r"\u222a|\s*,?\s(?:or)\s")
_AND = re.compile(r"[,;]\s*(?:and |but )?|\s(?:and|but|with)\s|\u2229")
_WITHOUT = re.compile(r"\u2216|(?<=\u211d) ?-|\s(?:except|excluding|without)(?: for)?\s")
_BUILDER = re.compile(r"([A-Za-z])(?: ?\u2208 ?\u211d)? ?[\u00a6|:] ?(.*)")


@dataclass(frozen=True)
class Region:
    """`holds` says of a number whether it lies in; it can change only at `ends`."""

    holds: Callable[[Any], bool]
    ends: tuple[Any, ...]
    variable: str | None = None  # that the text names
    holds_infinity: bool = False  # as written: `[2,\u221e]`, which no answer may add


def read(text: str) -> Region | None:
    """The region that a cleaned text describes, or None; its ends must be constants."""
    try:
        return _read(text.strip())
    except (NotAnExpression, NoValueError, RecursionError):
        return None


def same(left: Region, right: Region) -> bool:
    """Whether two regions hold the same numbers and name no different variables."""
    if left.variable and right.variable and left.variable != right.variable:
        return False
    if right.holds_infinity and not left.holds_infinity:
        return False
    points = sorted({*left.ends, *right.ends})
    close = [after for before, after in itertools.pairwise(points) if after - before < abs(after) * 1e-25 + 1e-30]
    points = [point for point in points if point not in close]
    between = [(before + after) / 2 for before, after in itertools.pairwise(points)]
    beyond = [points[0] - 1, points[-1] + 1] if points else [0]
    return all(left.holds(point) == right.holds(point) for point in (*points, *between, *beyond))


def _read(text: str) -> Region:
    if _ALL.fullmatch(text):
        return Region(lambda _: True, ())
    if match := _SIGNED.fullmatch(text):
        return _read({"non-zero": "x\u22600", "nonzero": "x\u22600", "positive": "(0,\u221e)", "negative": "(-\u221e,0)"}[match[1].lower()])
    if group := bracketed(text):
        if group[0] == "\u2774" and (built := _BUILDER.fullmatch(group[1])):
            return _read(built[2])
        if group[0] in "([" and group[2] in ")]" and len(ends := split(group[1])) == 2:
            return _interval(group[0] == "[", ends[0], ends[1], group[2] == "]")
        if group[0] == "\u2774":
            return _points(elements(text))
    if match := re.fullmatch(r"[A-Za-z] ?([(\[][^()\[\]]*[)\]])", text):
        return _read(match[1])
    if match := re.fullmatch(r"([\]\[(])([^,;]+)[,;]([^,;]+)([\]\[)])", text):
        return _interval(match[1] == "[", match[2], match[3], match[4] == "]")
    if match := re.fullmatch(r"(?:from |between )?(\S+) (?:to|and) (\S+),?( inclusive)", text):
        return _interval(True, match[1], match[2], True)
    if len(parts := split(text, _WITHOUT)) == 2:
        whole, hole = _read(parts[0]), _hole(parts[1])
        return Region(lambda x: whole.holds(x) and not hole.holds(x), whole.ends + hole.ends, whole.variable)
    if len(parts := split(text, _OR)) > 1:
        return _combined([_read(part) for part in parts], any)
    if match := re.fullmatch(rf"({_NAME.pattern}) ?(?:\u2208|is in|in) ?(.*)", text):
        found = _read(match[2])
        return Region(found.holds, found.ends, match[1], found.holds_infinity)
    if match := re.fullmatch(rf"({_NAME.pattern}) ?\u2260 ?([^\u2260]+)", text):
        hole = _points(elements(match[2]))
        return Region(lambda x: not hole.holds(x), hole.ends, match[1])
    if match := re.fullmatch(rf"{_NAME.pattern} ?= ?([\[(\]][^=]*,[^=]*[\])\[])", text):
        return _read(match[1])
    if match := re.fullmatch(rf"({_NAME.pattern}) ?= ?([^=]+)", text):
        found = _points([match[2]])
        return Region(found.holds, found.ends, match[1])
    if len(parts := split(text, _AND)) > 1 and all(map(bracketed, parts)):
        return _combined([_read(part) for part in parts], any)
    if len(parts) > 1:
        return _combined([_read(part) for part in parts], all)
    return _inequality(text)


def _hole(text: str) -> Region:
    text = re.sub(r"^[a-z] ?= ?", "", text)
    return _read(text) if re.match("[\\[(\u2774\\]]", text) else _points(elements(text))


def _combined(regions: list[Region], of: Callable[[Any], bool]) -> Region:
    names = {region.variable for region in regions} - {None}
    if len(names) > 1:
        raise NotAnExpression("several variables")
    ends = tuple(end for region in regions for end in region.ends)
    infinite = any(region.holds_infinity for region in regions)
    return Region(lambda x: of(region.holds(x) for region in regions), ends, names.pop() if names else None, infinite)


def _value(text: str) -> Any:
    from mpmath import mp, mpf

    tree = parse(text.strip())
    if symbols(tree):
        raise NotAnExpression(text)
    value = number(tree)
    with mp.workdps(50):
        value = mpf(value.numerator) / value.denominator if hasattr(value, "numerator") else value
    if isinstance(value, mp.mpc):
        raise NotAnExpression(text)
    return value


def _points(texts: list[str]) -> Region:
    values = [_value(text) for text in texts]
    return Region(lambda x: any(abs(x - value) <= abs(value) * 1e-25 for value in values), tuple(values))


def _interval(low_closed: bool, low: str, high: str, high_closed: bool) -> Region:
    first, last = _value(low), _value(high)
    if not first < last:
        raise NotAnExpression("an interval with its ends exchanged")
    return _between(first, low_closed, last, high_closed)


def _between(first: Any, low_closed: bool, last: Any, high_closed: bool) -> Region:
    from mpmath import isinf

    def holds(x: Any) -> bool:
        near_first, near_last = abs(x - first) <= abs(first) * 1e-25, abs(x - last) <= abs(last) * 1e-25
        if not isinf(first) and near_first:
            return low_closed
        if not isinf(last) and near_last:
            return high_closed
        return bool(first < x < last)

    infinite = (isinf(first) and low_closed) or (isinf(last) and high_closed)
    return Region(holds, tuple(end for end in (first, last) if not isinf(end)), holds_infinity=bool(infinite))


def _inequality(text: str) -> Region:
    """`a < x <= b`, `x > a`, and `|x| < a` or `x^2 < a`, which bound on both sides."""
    from mpmath import inf, sqrt, workdps

    parts = [part.strip() for part in _RELATIONS.split(text)]
    if len(parts) not in (3, 5):
        raise NotAnExpression(text)
    if parts[1] in ">\u2265":
        parts = parts[::-1]
        parts = [{">": "<", "\u2265": "\u2264"}.get(part, part) for part in parts]
    if any(sign not in "<\u2264" for sign in parts[1::2]):
        raise NotAnExpression(text)
    if len(parts) == 5:
        if not _NAME.fullmatch(parts[2]):
            raise NotAnExpression(text)
        found = _interval(parts[1] == "\u2264", parts[0], parts[4], parts[3] == "\u2264")
        return Region(found.holds, found.ends, parts[2])
    left, sign, right = parts
    closed = sign == "\u2264"
    if _NAME.fullmatch(left) and left not in ("\u03c0",):
        found = _between(-inf, False, _value(right), closed)
        return Region(found.holds, found.ends, left)
    if _NAME.fullmatch(right):
        found = _between(_value(left), closed, inf, False)
        return Region(found.holds, found.ends, right)
    for outer, inner, outside in ((right, left, False), (left, right, True)):
        if match := re.fullmatch(r"\| ?([A-Za-z]) ?\||([A-Za-z])\^\{?2\}?", inner):
            bound = _value(outer)
            with workdps(50):
                bound = bound if match[1] else sqrt(bound)
                lowest = -bound
            within = _between(lowest, closed != outside, bound, closed != outside)
            return Region(_outside(within) if outside else within.holds, within.ends, match[1] or match[2])
    raise NotAnExpression(text)


def _outside(region: Region) -> Callable[[Any], bool]:
    return lambda x: not region.holds(x)
