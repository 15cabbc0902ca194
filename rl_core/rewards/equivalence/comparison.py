"""Whether an answer means the same as the gold answer. The gold answer decides what kind of thing is compared."""

from __future__ import annotations

import re

from rl_core.rewards.equivalence import families, regions, scalars, words
from rl_core.rewards.equivalence.cleaning import VECTORS, clean, compact, join_thousands
from rl_core.rewards.equivalence.evaluation import NoValueError, floating, ratio_is_constant, same_value
from rl_core.rewards.equivalence.expression import Node, NotAnExpression, parse, symbols
from rl_core.rewards.equivalence.structure import bracketed, elements, matrix, sides, split

_NAME = r"\\?[A-Za-z]+(?:_\{?[^{}=()]+\}?)?'*"
_FUNCTION = re.compile(
    rf"(?P<name>{_NAME}) ?(?:\( ?(?P<variable>[A-Za-z]) ?\) ?[=\u2261]|: ?(?P<mapped>[A-Za-z]) ?(?:\\mapsto|\\to|->)) ?(?P<body>[^=]+)"
)
_ASSIGNED = re.compile(
    rf"(?P<name>{_NAME}|\([A-Za-z ,\\]+\)|\\angle [A-Z](?: ?[A-Z](?:_\{{?[0-9]\}}?)?)*|{_NAME} ?\([A-Za-z, ]*\)) ?"
    r"(?:=|\u2248)\s?(?P<value>[^=].*)"
)
_BASE = re.compile(
    r"\(? ?(?P<digits>-?(?:[0-9]|[A-Z][0-9])[0-9A-Z]*) ?\)? ?"
    r"(?:_ ?\{? ?(?P<base>[0-9]+|[a-z]+) ?\}?|\(?(?:in )?base ?[- ]?(?P<named>[0-9]+|[a-z]+) ?\)?)"
)
_CLAUSE = re.compile(
    r"(?:,? (?:for|where|with|over|when|if)\b|,? ?\(? ?\\forall)(?: (?:all|every|each|any|real|some))*[^=]*$"
    r"|,? [a-z] ?\u2208 ?[\u211d\u2115\u2124][^=]*$|,? ?[a-z] ?[>\u2260] ?0$"
)
_EQUATION_POINTS = 5


def same(gold: str, answer: str) -> bool | None:
    """Verdict on an answer as written; None where one of the two is of no kind that is read here."""
    expected, given = clean(gold), clean(answer)
    if not given:
        return False
    if compact(expected) == compact(given):
        return True
    try:
        return _same(expected, given)
    except NotAnExpression:
        return None
    except (NoValueError, RecursionError):
        return False


def _same(gold: str, answer: str) -> bool:
    decided = words.same_word(gold, answer)
    if decided is None:
        decided = words.same_clock(gold, answer)
    if decided is None:
        decided = _same_option(gold, answer)
    if decided is None:
        decided = _same_base(gold, answer)
    if decided is None:
        decided = _same_ordinal(gold, answer)
    if decided is not None:
        return decided
    answer = re.sub(r"^([A-Za-z]) is (?=[^a-z])", r"\1=", re.sub(r"^([A-Za-z]): ?(?=[0-9-])", r"\1=", answer))
    answer, gold = (re.sub("^[=\u2248] ?", "", text) for text in (answer, gold))
    if (decided := _same_family(gold, answer)) is not None:
        return decided
    gold, answer = _CLAUSE.sub("", gold), _CLAUSE.sub("", answer)
    if (decided := _same_region(gold, answer)) is not None:
        return decided
    return _same_list(gold, answer)


def _same_option(gold: str, answer: str) -> bool | None:
    if not re.fullmatch(r"[A-Z]|\( ?[A-Za-z] ?\)", gold):
        return None
    letter = words.option_of(gold)
    given = words.option_of(answer, marked=True)
    return letter is not None and given is not None and letter.upper() == given.upper()


def _same_base(gold: str, answer: str) -> bool | None:
    """A base as index may be left out where the gold answer has one, but not changed."""
    answer = re.sub(r"^[A-Za-z] ?= ?", "", answer)
    expected, given = _BASE.fullmatch(gold), _BASE.fullmatch(answer)
    if expected is None and given is None:
        return None
    if expected is None or given is None:
        if given is not None:
            return _base_value(given) is not None and scalars.same(gold, str(_base_value(given)))
        return expected is not None and re.sub(r"[\s,]", "", answer).upper() == expected["digits"].upper()
    return _base_of(expected) == _base_of(given) and expected["digits"].upper() == given["digits"].upper()


def is_based(text: str) -> bool:
    """Whether a text is a number with its base."""
    return _BASE.fullmatch(text) is not None


def _base_of(match: re.Match[str]) -> int | None:
    base = match["base"] or match["named"]
    written = base if base.isdigit() else words.number_of(base)
    return int(written) if written and written.isdigit() else None


def _base_value(match: re.Match[str]) -> int | None:
    base = _base_of(match)
    try:
        return int(match["digits"], base) if base and 2 <= base <= 36 else None
    except ValueError:
        return None


def _same_ordinal(gold: str, answer: str) -> bool | None:
    expected, given = words.ordinal_of(gold), words.ordinal_of(answer)
    if expected is None and given is None:
        return None
    if expected is None or given is None:
        bare = answer if given is None else gold
        return bare == str(expected if given is None else given)
    return expected == given


def _same_family(gold: str, answer: str) -> bool | None:
    expected, given = families.read(gold), families.read(answer)
    if expected is None and given is None:
        return None if re.search(r"[0-9]", gold) is None else _both_undeclared(gold, answer)
    if (expected or given).whole:  # type: ignore[union-attr]
        expected, given = expected or families.undeclared(gold), given or families.undeclared(answer)
        if expected is None or given is None:
            return False if expected else None
        return expected.whole == given.whole and families.same_whole(expected, given)
    bodies = [_body(family.body if family else text) for family, text in ((expected, gold), (given, answer))]
    letters = [family.letters if family else () for family in (expected, given)]
    if bodies[0][0] and bodies[1][0] is None and "=" in bodies[1][2]:
        return False
    left, right = (_bound(parse(_CLAUSE.sub("", text)), variable) for _, variable, text in bodies)
    if bodies[0][1] and not bodies[1][1]:
        right = families.substitute(right, {bodies[0][1]: "\u2022"})
    return families.same_constants(left, right, letters[0], letters[1])


def _both_undeclared(gold: str, answer: str) -> bool | None:
    if not gold.startswith("x") or "=" not in gold:
        return None
    expected, given = families.undeclared(gold), families.undeclared(answer)
    return None if expected is None or given is None else families.same_whole(expected, given)


def _body(text: str) -> tuple[str | None, str | None, str]:
    """Name, variable and formula of a function; no name for a bare formula."""
    if match := _FUNCTION.fullmatch(text):
        return match["name"], match["variable"] or match["mapped"], match["body"]
    if match := _ASSIGNED.fullmatch(text):
        return None, None, match["value"]
    return None, None, text


def _bound(tree: Node, variable: str | None) -> Node:
    return families.substitute(tree, {variable: "\u2022"}) if variable else tree


def _same_region(gold: str, answer: str) -> bool | None:
    """Compare as parts of the real line, when the gold answer is one and the answer no point."""
    written = re.search(
        "[<>\u2264\u2265\u2208\u222a\u2216\u211d\u221e\u2260]|^[\\[\\]].*\\)$|^[(\\]].*\\]$|^[a-z][(\\[].*,.*[)\\]]$|reals", gold
    )
    expected = regions.read(gold) if written or bracketed(gold) else None
    if expected is None:
        return None
    if not written and not re.search("[<>\u2264\u2265\u2208]", answer):
        return None
    given = regions.read(answer)
    if given is None and written and any(sign in gold for sign in "<>\u2264\u2265") and not bracketed(answer):
        return None
    return given is not None and regions.same(expected, given)


def _same_list(gold: str, answer: str) -> bool:
    expected, given = elements(join_thousands(gold)), elements(join_thousands(answer))
    if (len(expected) > 1 or len(given) > 1) and (decided := _same_coordinates(gold, answer, expected, given)) is not None:
        return decided
    if len(expected) != len(given):
        return False
    if len(expected) == 1:
        return _same_item(expected[0], given[0])
    if words.is_letters(gold) or "" in given:
        return False
    expected, given = _without_shared_name(expected), _without_shared_name(given)
    if _function_names(expected) and _function_names(given) and len(set(_function_names(expected))) > 1:
        expected, given = (sorted(items, key=lambda item: _body(item)[0] or "") for items in (expected, given))
        return _function_names(expected) == _function_names(given) and all(map(_readable_same, expected, given))
    rest = list(given)
    for item in expected:
        found = next((other for other in rest if _readable_same(item, other)), None)
        if found is None:
            return False
        rest.remove(found)
    return True


def _readable_same(gold: str, answer: str) -> bool:
    try:
        return _same_item(gold, answer)
    except NotAnExpression:
        return False


def _function_names(items: list[str]) -> list[str]:
    return [name for item in items if (name := _body(item)[0])]


def _without_shared_name(items: list[str]) -> list[str]:
    """`x=1, -2` and `x=1, x=-2` as `1, -2`; different names are kept."""
    names = {match["name"] for item in items if (match := _ASSIGNED.fullmatch(item)) and "(" not in item.partition("=")[0].strip("(")}
    if len(names) != 1:
        return items
    return [match["value"] if (match := _ASSIGNED.fullmatch(item)) else item for item in items]


def _same_coordinates(gold: str, answer: str, expected: list[str], given: list[str]) -> bool | None:
    """A tuple against its coordinates written without brackets, or with the names of the unknowns."""
    point, other = coordinates(gold), coordinates(answer)
    named, other_named = _named_values(expected), _named_values(given)
    if named and other_named:
        return named.keys() == other_named.keys() and all(_readable_same(named[name], other_named[name]) for name in named)
    if point is None and other is None and not (named or other_named):
        return None
    left = point or ([named[name] for name in named] if named else expected)
    right = other or ([other_named[name] for name in sorted(other_named)] if other_named else given)
    if any(sign in gold + answer for sign in "\u2774\u00b1") or len(left) != len(right) or not (point or other or named):
        return False if named else None
    if (gold[:1] == "[") != (answer[:1] == "[") and _is_interval(left):
        return False
    return all(_readable_same(first, second) for first, second in zip(left, right, strict=True))


def _is_interval(parts: list[str]) -> bool:
    """Whether brackets around these ends may mean the interval between them."""
    try:
        return len(parts) == 2 and bool(floating(parse(parts[0])) < floating(parse(parts[1])))
    except (NotAnExpression, NoValueError, TypeError):
        return len(parts) == 2


def _named_values(items: list[str]) -> dict[str, str] | None:
    found = [match for item in items if (match := _ASSIGNED.fullmatch(item)) and "(" not in match["name"]]
    values = {re.sub(r"[\s{}]", "", match["name"]): match["value"] for match in found}
    return values if len(values) == len(items) > 1 else None


def coordinates(text: str) -> list[str] | None:
    """Coordinates of `(1,2)`, `<1,2>`, `(x,y) = (1,2)`, `P(1,2)`, or of a matrix of one row or column."""
    if (match := _ASSIGNED.fullmatch(text)) and bracketed(match["value"]):
        text = match["value"]
    if table := matrix(text):
        factor, rows = table
        if len(rows) != 1 and any(len(row) != 1 for row in rows):
            return None
        entries = rows[0] if len(rows) == 1 else [row[0] for row in rows]
        return [_scaled(factor, entry) for entry in entries] if len(entries) > 1 else None
    group = bracketed(text)
    if group is None or group[0] not in "([\u27e8":
        return None
    parts = split(group[1])
    return parts if len(parts) > 1 else None


def _scaled(factor: str, entry: str) -> str:
    if not factor:
        return entry
    return f"-({entry})" if factor == "-" else f"({factor})\u00b7({entry})"


def _same_item(gold: str, answer: str) -> bool:
    """Compare two single things: functions, matrices, points, equations, texts or values."""
    if compact(gold) == compact(answer):
        return True
    if (function := _FUNCTION.fullmatch(gold)) and not _is_factor(function):
        return _same_function(gold, answer)
    if table := matrix(gold):
        return _same_matrix(table, gold, answer)
    if (point := coordinates(gold)) is not None:
        other = coordinates(answer)
        if other is None or ((gold[0] == "[") != (answer[0] == "[") and _is_interval(point)):
            return False
        return len(point) == len(other) and all(_readable_same(first, second) for first, second in zip(point, other, strict=True))
    if words.is_text(gold) or words.is_letters(gold):
        return _same_words(gold, answer)
    if "=" in gold or "\u2248" in gold:
        return _same_equation(gold, answer)
    if any(sign in gold for sign in "<>\u2264\u2265"):
        return _same_inequality(gold, answer)
    return _same_single(gold, answer)


def _is_factor(function: re.Match[str]) -> bool:
    return function["variable"] is None and function["mapped"] is None


def _same_words(gold: str, answer: str) -> bool:
    if words.same_text(gold, answer):
        return True
    return words.number_of(gold) is not None and scalars.is_value(answer) and scalars.same(gold, answer)


def _same_function(gold: str, answer: str) -> bool:
    _name, variable, body = _body(gold)
    other_name, other_variable, other_body = _body(answer)
    if "=" in other_body or (other_name is None and "=" in answer and not re.match("y ?=", answer)):
        return False
    left, right = parse(body), parse(other_body)
    if other_variable is None:
        other_variable = variable
    return same_value(_bound(left, variable), _bound(right, other_variable))


def _same_matrix(table: tuple[str, list[list[str]]], gold: str, answer: str) -> bool:
    factor, rows = table
    point = coordinates(gold)
    if point is not None and (other := coordinates(answer)) is not None:
        return len(point) == len(other) and all(_readable_same(first, second) for first, second in zip(point, other, strict=True))
    if point is not None and any(sign in answer for sign in VECTORS.values()):
        total = "+".join(f"({entry}){sign}" for entry, sign in zip(point, VECTORS.values(), strict=False))
        return scalars.same(total, answer)
    answer = match["value"] if (match := _ASSIGNED.fullmatch(answer)) else answer
    given = matrix(answer)
    if given is None or [len(row) for row in rows] != [len(row) for row in given[1]]:
        return False
    pairs = zip((entry for row in rows for entry in row), (entry for row in given[1] for entry in row), strict=True)
    return all(_readable_same(_scaled(factor, left), _scaled(given[0], right)) for left, right in pairs)


def _same_equation(gold: str, answer: str) -> bool:
    assigned = _ASSIGNED.fullmatch(gold)
    value = assigned["value"] if assigned else ""
    if not assigned or "=" in value or "\u2248" in value or symbols_of(value) & {assigned["name"]}:
        parts = [side for side in re.split("=|\u2248", gold) if side.strip()]
        if not any(symbols_of(part) for part in parts):
            return any(_readable_same(part.strip(), answer) for part in parts)
    if assigned and scalars.is_value(value):
        if "=" not in answer:
            return _same_single(value, answer)
        if _same_assignment(assigned["name"], value, answer):
            return True
    if len(sides(gold)) == 2 == len(sides(answer)):
        return _proportional(sides(gold), sides(answer))
    return False


def symbols_of(text: str) -> frozenset[str]:
    """Symbols of a formula; none of what is no formula."""
    try:
        return symbols(scalars.read(text)[0])
    except NotAnExpression:
        return frozenset("?")


def _same_assignment(name: str, value: str, answer: str) -> bool:
    parts = sides(answer)
    if _plain_name(parts[0]) == _plain_name(name):
        return all(_readable_same(value, part) for part in parts[1:])
    if len(parts) == 2 and _plain_name(parts[1]) == _plain_name(name):
        return _readable_same(value, parts[0])
    # y = 2x + 3 may be called f(x)
    function = _FUNCTION.fullmatch(answer)
    return bool(function and function["variable"] and name.strip() == "y") and _readable_same(value, function["body"] if function else "")


def _plain_name(text: str) -> str:
    return re.sub(r"[\s{}\\]|_.*$", "", text)


def _proportional(gold: list[str], answer: list[str]) -> bool:
    """Whether two equations in two or more unknowns have the same solutions because one is a multiple of the other."""
    left, right = (("+", parse(parts[0]), ("neg", parse(parts[1]))) for parts in (gold, answer))
    if symbols(left) != symbols(right) or (len(symbols(left)) < 2 and not _same_single(gold[0], answer[0])):
        return _transcendental_same(left, right)
    return ratio_is_constant(left, right, _EQUATION_POINTS)


def _transcendental_same(left: Node, right: Node) -> bool:
    """Equations such as tan t = 2t, in one unknown but not solved: their difference must be the same up to sign."""
    return isinstance(left, tuple) and _has_function(left) and (same_value(left, right) or same_value(left, ("neg", right)))


def _has_function(node: Node) -> bool:
    return isinstance(node, tuple) and (
        node[0] in ("tan", "sin", "cos", "exp", "ln", "log") or any(_has_function(part) for part in node[1:])
    )


def _same_inequality(gold: str, answer: str) -> bool:
    found = []
    for text in (gold, answer):
        parts = split(text, re.compile("([<>\u2264\u2265])"))
        signs = re.findall("[<>\u2264\u2265]", text)
        if len(parts) != 2 or len(signs) != 1:
            return False
        left, right = (parse(part) for part in (parts if signs[0] in "<\u2264" else parts[::-1]))
        found.append((("+", left, ("neg", right)), signs[0] in "\u2264\u2265"))
    (first, closed), (second, also_closed) = found
    return closed == also_closed and symbols(first) == symbols(second) and ratio_is_constant(first, second, _EQUATION_POINTS, positive=True)


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
    values = [floating(scalars.read(text)[0]) for text in (exact, rounded)]
    return bool(abs(values[0] - values[1]) <= abs(values[0]) / 50)
