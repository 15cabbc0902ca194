"""Whether an answer means the same as the gold answer. The gold answer decides what kind of thing is compared."""

from __future__ import annotations

import re

from rl_core.rewards.equivalence import families, regions, scalars, words
from rl_core.rewards.equivalence.arithmetic import NoValueError
from rl_core.rewards.equivalence.cleaning import clean, compact, join_thousands
from rl_core.rewards.equivalence.expression import NotAnExpression, parse
from rl_core.rewards.equivalence.items import ASSIGNED, bind, coordinates, function_of, is_interval, is_same_item, same_item
from rl_core.rewards.equivalence.structure import bracketed, elements
from rl_core.rewards.equivalence.units import one_unit

_BASE = re.compile(
    r"\(? ?(?P<digits>-?(?:[0-9]|[A-Z][0-9])[0-9A-Z]*) ?\)? ?"
    r"(?:_ ?\{? ?(?P<base>[0-9]+|[a-z]+) ?\}?|\(?(?:in )?base ?[- ]?(?P<named>[0-9]+|[a-z]+) ?\)?)"
)


_CLAUSE = re.compile(
    r"(?:,? (?:for|where|with|over|when|if)\b|,? ?\(? ?\\forall)(?: (?:all|every|each|any|real|some))*[^=]*$"
    r"|,? [a-z] ?\u2208 ?[\u211d\u2115\u2124][^=]*$|,? ?[a-z] ?[>\u2260] ?0$"
)


_CONDITION = re.compile("^([^<>\u2264\u2265\u2260]*), ?\\(?[a-z] ?[>\u2265\u2260] ?[0-9]\\)?$")


_ABOUT = re.compile("(?i)^(?:[=\u2248] ?|(?:about|approximately|approx\\.?|roughly|around|exactly|all(?= [a-z] ?[<>\u2264\u2265])) )")


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
    gold, answer = (one_unit(_ABOUT.sub("", text)) for text in (gold, answer))
    if (decided := _same_family(gold, answer)) is not None:
        return decided
    if (decided := _same_region(gold, answer)) is not None:
        return decided
    gold, answer = _CLAUSE.sub("", gold), _CLAUSE.sub("", answer)
    if (decided := _same_region(gold, answer)) is not None:
        return decided
    return _same_list(gold, _CONDITION.sub(r"\1", answer))


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
    bodies = [function_of(family.body if family else text) for family, text in ((expected, gold), (given, answer))]
    letters = [family.letters if family else () for family in (expected, given)]
    if bodies[0][0] and bodies[1][0] is None and "=" in bodies[1][2]:
        return False
    left, right = (bind(parse(_CLAUSE.sub("", text)), variable) for _, variable, text in bodies)
    if bodies[0][1] and not bodies[1][1]:
        right = families.substitute(right, {bodies[0][1]: "\u2022"})
    return families.same_constants(left, right, letters[0], letters[1])


def _both_undeclared(gold: str, answer: str) -> bool | None:
    if not gold.startswith("x") or "=" not in gold:
        return None
    expected, given = families.undeclared(gold), families.undeclared(answer)
    return None if expected is None or given is None else families.same_whole(expected, given)


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
        return same_item(expected[0], given[0])
    if words.is_letters(gold) or "" in given:
        return False
    expected, given = _without_shared_name(expected), _without_shared_name(given)
    if _function_names(expected) and _function_names(given) and len(set(_function_names(expected))) > 1:
        expected, given = (sorted(items, key=lambda item: function_of(item)[0] or "") for items in (expected, given))
        return _function_names(expected) == _function_names(given) and all(map(is_same_item, expected, given))
    rest = list(given)
    for item in expected:
        found = next((other for other in rest if is_same_item(item, other)), None)
        if found is None:
            return False
        rest.remove(found)
    return True


def _function_names(items: list[str]) -> list[str]:
    return [name for item in items if (name := function_of(item)[0])]


def _without_shared_name(items: list[str]) -> list[str]:
    """`x=1, -2` and `x=1, x=-2` as `1, -2`; different names are kept."""
    names = {match["name"] for item in items if (match := ASSIGNED.fullmatch(item)) and "(" not in item.partition("=")[0].strip("(")}
    if len(names) != 1:
        return items
    return [match["value"] if (match := ASSIGNED.fullmatch(item)) else item for item in items]


def _same_coordinates(gold: str, answer: str, expected: list[str], given: list[str]) -> bool | None:
    """A tuple against its coordinates written without brackets, or with the names of the unknowns."""
    point, other = coordinates(gold), coordinates(answer)
    named, other_named = _named_values(expected), _named_values(given)
    if named and other_named:
        return named.keys() == other_named.keys() and all(is_same_item(named[name], other_named[name]) for name in named)
    if point is None and other is None and not (named or other_named):
        return None
    left = point or ([named[name] for name in named] if named else expected)
    right = other or ([other_named[name] for name in sorted(other_named)] if other_named else given)
    if any(sign in gold + answer for sign in "\u2774\u00b1") or len(left) != len(right) or not (point or other or named):
        return False if named else None
    if (gold[:1] == "[") != (answer[:1] == "[") and is_interval(left):
        return False
    return all(is_same_item(first, second) for first, second in zip(left, right, strict=True))


def _named_values(items: list[str]) -> dict[str, str] | None:
    found = [match for item in items if (match := ASSIGNED.fullmatch(item)) and "(" not in match["name"]]
    values = {re.sub(r"[\s{}]", "", match["name"]): match["value"] for match in found}
    return values if len(values) == len(items) > 1 else None
