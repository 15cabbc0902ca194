"""Equality of two single things: functions, matrices, points, equations, inequalities, texts or values."""

import re

from rl_core.rewards.equivalence import equations, families, regions, scalars
from rl_core.rewards.equivalence.cleaning import VECTORS, compact
from rl_core.rewards.equivalence.formulas.arithmetic import NoValueError
from rl_core.rewards.equivalence.formulas.evaluation import floating, same_value
from rl_core.rewards.equivalence.formulas.expression import Node, NotAnExpression, parse, symbols
from rl_core.rewards.equivalence.language import words
from rl_core.rewards.equivalence.structure import bracketed, matrix, sides, split

_NAME = r"(?:\\(?:vec|overrightarrow) ?\{[A-Za-z]+\}|\\?[A-Za-z]+)(?:_\{?[^{}=()]+\}?)?'*"


_FUNCTION = re.compile(
    rf"(?P<name>{_NAME}(?:\^\{{-1\}})?) ?"
    r"(?:\( ?(?P<variable>[A-Za-z]) ?\) ?[=\u2261]|: ?(?P<mapped>[A-Za-z]) ?(?:\\mapsto|\\to|->)) ?(?P<body>[^=]+)"
)


ASSIGNED = re.compile(
    rf"(?P<name>{_NAME}|\([A-Za-z ,\\]+\)|\\angle [A-Z](?: ?[A-Z](?:_\{{?[0-9]\}}?)?)*|{_NAME} ?\([A-Za-z, \u2229\u222a\u00a6|']*\)) ?"
    r"(?:=|\u2248)\s?(?P<value>[^=].*)"
)


# The general term of a sequence.
_TERM = re.compile(r"(?P<name>[a-zA-Z])_\{?(?P<index>[a-z])\}? ?= ?(?P<body>[^=]+)")


# Names that are products of unknowns: the value of xy is the value of neither.
_PRODUCT = re.compile("xy|yz|xz|xyz|ab|bc|ac|abc|mn|pq|uv|rs|st")


def function_of(text: str) -> tuple[str | None, str | None, str]:
    """Name, variable and formula of a function; no name for a bare formula."""
    if match := _FUNCTION.fullmatch(text):
        return match["name"], match["variable"] or match["mapped"], match["body"]
    if match := ASSIGNED.fullmatch(text):
        return None, None, match["value"]
    return None, None, text


def bind(tree: Node, variable: str | None) -> Node:
    return families.substitute(tree, {variable: "\u2022"}) if variable else tree


def is_same_item(gold: str, answer: str) -> bool:
    try:
        return same_item(gold, answer)
    except NotAnExpression:
        return False


def other_brackets(gold: str, answer: str, parts: list[str]) -> bool:
    """Whether two coordinates stand in brackets that may mean another interval: `(1,2)` and `[1,2]`, `1, 2` and `[1,2]`."""
    squared, also_squared = (_is_squared(text) for text in (gold, answer))
    return len(parts) == 2 and squared != also_squared and (also_squared or _is_interval(parts))


def _is_squared(text: str) -> bool:
    """Whether the coordinates of a point stand in square brackets, which those of a matrix do not."""
    text = match["value"] if (match := ASSIGNED.fullmatch(text)) else text
    return text.startswith("[") and matrix(text) is None


def _is_interval(parts: list[str]) -> bool:
    """Whether brackets around these ends may mean the interval between them."""
    try:
        return len(parts) == 2 and bool(floating(parse(parts[0])) < floating(parse(parts[1])))
    except (NotAnExpression, NoValueError, TypeError):
        return len(parts) == 2


def is_half_open(text: str) -> bool:
    """Whether a text is an interval of which the brackets differ, so that it is no point."""
    group = bracketed(text)
    return group is not None and group[0] + group[2] in ("(]", "[)")


def _same_ratio(gold: str, answer: str) -> bool:
    """Ratios of three parts and more."""
    left, right = ([floating(parse(part)) for part in re.split(" ?: ?| to ", text)] for text in (gold, answer))
    return len(left) == len(right) and all(
        abs(a * right[0] - b * left[0]) < 1e-12 * abs(a * right[0]) for a, b in zip(left, right, strict=True)
    )


def coordinates(text: str) -> list[str] | None:
    """Coordinates of `(1,2)`, `<1,2>`, `(x,y) = (1,2)`, `P(1,2)`, or of a matrix of one row or column."""
    if (match := ASSIGNED.fullmatch(text)) and bracketed(match["value"]):
        text = match["value"]
    text = re.sub(r"^[A-Z] ?(?=\([^()]*,)", "", text)
    if table := matrix(text):
        factor, rows = table
        if len(rows) != 1 and any(len(row) != 1 for row in rows):
            return None
        entries = rows[0] if len(rows) == 1 else [row[0] for row in rows]
        return [_scaled(factor, entry) for entry in entries] if len(entries) > 1 else None
    group = bracketed(re.sub(r"(?<=[)\]])\^\{? ?(?:T|\\top) ?\}?$", "", text))
    if group is None or group[0] + group[2] not in ("()", "[]", "\u27e8\u27e9"):
        return None
    parts = split(group[1])
    return parts if len(parts) > 1 else None


def _scaled(factor: str, entry: str) -> str:
    if not factor:
        return entry
    return f"-({entry})" if factor == "-" else f"({factor})\u00b7({entry})"


def same_item(gold: str, answer: str) -> bool:
    """Compare two single things: functions, matrices, points, equations, texts or values."""
    if compact(gold) == compact(answer):
        return True
    if (function := _FUNCTION.fullmatch(gold)) and (function["variable"] is not None or function["mapped"] is not None):
        return _same_function(gold, answer)
    if table := matrix(gold):
        return _same_matrix(table, gold, answer)
    if (point := coordinates(gold)) is not None:
        other = coordinates(answer)
        if other is None and any(sign in answer for sign in VECTORS.values()):
            return _same_vector(answer, point)
        if other is None and re.match(r"C ?\(", gold):
            return scalars.same(gold, answer)  # a binomial coefficient, or a point of that name
        if other is None or other_brackets(gold, answer, point):
            return False
        return len(point) == len(other) and all(is_same_item(first, second) for first, second in zip(point, other, strict=True))
    if (point := coordinates(answer)) is not None and any(sign in gold for sign in VECTORS.values()):
        return _same_vector(gold, point)
    if coordinates(answer) is not None and bracketed(answer):
        return False
    if is_half_open(gold):
        expected, given = regions.read(gold), regions.read(answer)
        return expected is not None and given is not None and regions.same(expected, given)
    if gold.count(":") > 1 and not re.search("[a-z]", gold):
        return _same_ratio(gold, answer)
    if answer.count(":") > 1:
        return False
    if words.is_text(gold) or words.is_letters(gold):
        as_number = words.number_of(gold) is not None and scalars.is_value(answer)
        return words.same_text(gold, answer) or (as_number and scalars.same(gold, answer))
    if any(sign in gold for sign in "<>\u2264\u2265"):
        return equations.same_inequality(gold, answer)
    if len(sides(gold)) > 1 or "\u2248" in gold:
        return _same_equation(gold, answer)
    return _same_single(gold, answer)


def _same_function(gold: str, answer: str) -> bool:
    _name, variable, body = function_of(gold)
    other_name, other_variable, other_body = function_of(answer)
    if "=" in other_body or (other_name is None and "=" in answer and not re.match("y ?=", answer)):
        return False
    left, right = parse(body), parse(other_body)
    if other_variable is None:
        other_variable = variable
    return same_value(bind(left, variable), bind(right, other_variable))


def _same_matrix(table: tuple[str, list[list[str]]], gold: str, answer: str) -> bool:
    factor, rows = table
    point = coordinates(gold)
    if point is not None and (other := coordinates(answer)) is not None:
        return len(point) == len(other) and all(is_same_item(first, second) for first, second in zip(point, other, strict=True))
    if point is not None and any(sign in answer for sign in VECTORS.values()):
        return _same_vector(answer, point)
    answer = match["value"] if (match := ASSIGNED.fullmatch(answer)) else answer
    given = matrix(answer)
    if given is None or [len(row) for row in rows] != [len(row) for row in given[1]]:
        return False
    pairs = zip((entry for row in rows for entry in row), (entry for row in given[1] for entry in row), strict=True)
    return all(is_same_item(_scaled(factor, left), _scaled(given[0], right)) for left, right in pairs)


def _same_vector(text: str, point: list[str]) -> bool:
    """Whether a sum of unit vectors has these coordinates."""
    if len(point) > len(VECTORS):
        return False
    total = "+".join(f"({entry}){sign}" for entry, sign in zip(point, VECTORS.values(), strict=False))
    return scalars.same(text, total)


def _same_equation(gold: str, answer: str) -> bool:
    if (terms := [_TERM.fullmatch(text) for text in (gold, answer)]) and terms[0] and terms[1] and terms[0]["name"] == terms[1]["name"]:
        return same_value(*(bind(parse(term["body"]), term["index"]) for term in terms if term))
    assigned = ASSIGNED.fullmatch(gold)
    if assigned and _PRODUCT.fullmatch(assigned["name"].strip()) and "=" in answer:
        return len(sides(answer)) == 2 and equations.same_equation(sides(gold), sides(answer))
    if assigned and _PRODUCT.fullmatch(assigned["name"].strip()):
        return False
    value = assigned["value"] if assigned else ""
    if not assigned or "=" in value or "\u2248" in value or symbols_of(value) & {assigned["name"]}:
        parts = [side for side in split(gold, re.compile("=|\u2248")) if side]
        if not any(symbols_of(part) for part in parts):
            return any(is_same_item(part.strip(), answer) for part in parts)
    if assigned and scalars.is_value(value):
        if "=" not in answer:
            return _same_single(value, answer)
        if _same_assignment(assigned["name"], value, answer):
            return True
    if len(sides(gold)) == 2 == len(sides(answer)):
        return equations.same_equation(sides(gold), sides(answer))
    return False


def symbols_of(text: str) -> frozenset[str]:
    """Symbols of a formula; none of what is no formula."""
    try:
        return symbols(scalars.read(text)[0])
    except NotAnExpression:
        return frozenset("?")


def _same_assignment(name: str, value: str, answer: str) -> bool:
    parts = sides(answer)
    if _same_name(parts[0], name):
        return all(is_same_item(value, part) for part in parts[1:])
    if len(parts) == 2 and _same_name(parts[1], name):
        return is_same_item(value, parts[0])
    # y = 2x + 3 may be called f(x)
    function = _FUNCTION.fullmatch(answer)
    return bool(function and function["variable"] and name.strip() == "y") and is_same_item(value, function["body"] if function else "")


def _same_name(first: str, second: str) -> bool:
    """An index may be left out, but not changed."""
    names = [re.sub(r"[\s{}\\]", "", text) for text in (first, second)]
    return names[0] == names[1] or (("_" in names[0]) != ("_" in names[1]) and names[0].partition("_")[0] == names[1].partition("_")[0])


def _same_single(gold: str, answer: str) -> bool:
    """A value against an answer that may be an equation for it: `x = 5`, `2 + 3 = 5`, `10/3 \u2248 3.33`."""
    if "\u2248" in answer:
        exact, _, rounded = answer.partition("\u2248")
        return _same_single(gold, exact.strip()) and _is_near(exact.rpartition("=")[2], rounded)
    group = bracketed(answer)
    if group and group[0] == "\u2774":
        answer = group[1]
    if gold[:1] == "\u2774" and (inner := bracketed(gold)):
        gold = inner[1]
    parts = sides(answer)
    if len(parts) > 1:
        if re.fullmatch(_NAME + r"(?: ?\([A-Za-z, ]*\))?|\\angle [A-Z ]+", parts[0]):
            parts = parts[1:]
        elif len(parts) == 2 and re.fullmatch(r"[A-Za-z]", parts[1]) and not symbols_of(gold):
            parts = parts[:1]
        return all(scalars.same(gold, part) for part in parts)
    return scalars.same(gold, answer) or _same_up_to_constants(gold, answer)


def _same_up_to_constants(gold: str, answer: str) -> bool:
    return bool(re.search("[cC]", gold)) and families.same_constants(scalars.read(gold)[0], scalars.read(answer)[0], (), ())


def _is_near(exact: str, rounded: str) -> bool:
    read = [scalars.read(text) for text in (exact, rounded)]
    values = [floating(tree) / (100 if unit and unit.is_percent else 1) for tree, unit, _ in read]
    return bool(abs(values[0] - values[1]) <= abs(values[0]) / 50)
