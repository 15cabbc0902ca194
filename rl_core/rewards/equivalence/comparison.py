"""Whether an answer means the same as the gold answer. The gold answer decides what kind of thing is compared."""

import re

from rl_core.rewards.equivalence import families, regions, scalars
from rl_core.rewards.equivalence.cleaning import clean, compact, join_thousands, may_have_thousands
from rl_core.rewards.equivalence.formulas.arithmetic import NoValueError
from rl_core.rewards.equivalence.formulas.evaluation import constant
from rl_core.rewards.equivalence.formulas.expression import NotAnExpression, parse
from rl_core.rewards.equivalence.items import (
    ASSIGNED,
    bind,
    coordinates,
    function_of,
    is_half_open,
    is_same_item,
    other_brackets,
    same_item,
)
from rl_core.rewards.equivalence.language import wording, words
from rl_core.rewards.equivalence.language.units import one_unit
from rl_core.rewards.equivalence.names import are_roots, equal_unknowns, in_order, named_values
from rl_core.rewards.equivalence.structure import bracketed, elements, split

_BASE = re.compile(
    r"\(? ?(?P<digits>-?(?:[0-9]|[A-Z][0-9])[0-9A-Z]*) ?\)? ?"
    r"(?:_ ?\{? ?(?P<base>[0-9]+|[a-z]+) ?\}?|\(?(?:in )?base ?[- ]?(?P<named>[0-9]+|[a-z]+) ?\)?)"
)


_CLAUSE = re.compile(
    r"(?:,? (?:for|where|with|over|when|if)\b|,? ?\(? ?\\forall)(?: (?:all|every|each|any|real|some))*[^=]*$"
    r"|,? [a-z] ?\u2208 ?[\u211d\u2115\u2124][^=]*$|(?:,|(?<=[0-9A-Za-z)}])(?= )) ?[a-z] ?[>\u2260] ?0$"
)


_CONDITION = re.compile("^([^<>\u2264\u2265\u2260]*), ?\\(?[a-z] ?[>\u2265\u2260] ?[0-9]\\)?$")


_OTHERWISE = re.compile(r"\b(?:else|otherwise|unless|but)\b|(?:\band|\bor|[,;]) ?-?[0-9\\]")
_FOR_SOME = re.compile("(?:,? (?:if|when)\\b|(?!.*\\b(?:all|every|each|any)\\b).*[<>\u2264\u2265\u2260])")
_RESIDUE = re.compile(r"(?P<value>[^=\u2261]+?) ?\(? ?\\?(?:pmod|bmod|mod) ?\{? ?(?P<modulus>[0-9]+) ?\}? ?\)?")


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
    for same in (words.same_word, words.same_clock, _same_option, _same_base, _same_ordinal):
        if (decided := same(gold, answer)) is not None:
            return decided
    answer = re.sub(r"^([A-Za-z]) is (?=[^a-z])", r"\1=", re.sub(r"^([A-Za-z]): ?(?=[0-9-])", r"\1=", answer))
    gold, answer = (one_unit(wording.bare(text)) for text in (gold, answer))
    if ":" not in gold:
        answer = wording.without_label(answer)
    for same in (_same_residue, _same_family, _same_region):
        if (decided := same(gold, answer)) is not None:
            return decided
    answer = _without_clause(gold, answer)
    gold = _CLAUSE.sub("", gold)
    if (decided := _same_region(gold, answer)) is not None:
        return decided
    return _same_list(gold, _CONDITION.sub(r"\1", answer))


def _without_clause(gold: str, answer: str) -> str:
    """The answer without what it says of its letters: `2n for all n`; a value for some case only (`5 if x > 0`) stays as it is."""
    clause = _CLAUSE.search(answer)
    if clause is None or _OTHERWISE.search(clause[0]):
        return answer
    if _FOR_SOME.match(clause[0]) and not re.search(r"(?<![A-Za-z\\])[a-z](?![a-z])|\\[a-z]*[a-z]", gold):
        return answer
    return answer[: clause.start()] + answer[clause.end() :]


def _same_residue(gold: str, answer: str) -> bool | None:
    """`3 (mod 7)`: the same remainder, or one of the two without its modulus."""
    expected, given = _RESIDUE.fullmatch(gold), _RESIDUE.fullmatch(answer)
    if expected is None and given is None:
        return None
    if expected is None or given is None:
        return scalars.same(expected["value"] if expected else gold, given["value"] if given else answer)
    values = [constant(parse(match["value"])) for match in (expected, given)]
    if expected["modulus"] != given["modulus"] or None in values:
        return False
    first, second = (value for value in values if value is not None)
    return (first - second) % int(expected["modulus"]) == 0


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
        return _both_undeclared(gold, answer)
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
    """Families whose letter is not declared as an integer: where one side names an unknown, `x = k\u03c0` is `n\u03c0`."""
    expected, given = families.undeclared(gold), families.undeclared(answer)
    if expected is None or given is None:
        return None
    if any(re.match(r"(?:x|t|z|\\theta) ?=", text) for text in (gold, answer)):
        return families.same_whole(expected, given)
    renamed = expected.letters != given.letters and families.has_start(expected)
    return True if renamed and families.same_whole(expected, given) else None


def _same_region(gold: str, answer: str) -> bool | None:
    """Compare as parts of the real line, when the gold answer is one and the answer no point."""
    written: object = re.search(
        "[<>\u2264\u2265\u2208\u222a\u2216\u211d\u221e\u2260]|(?:^|= ?)(?:[\\[\\]].*\\)|[(\\]].*\\])$|^[a-z][(\\[].*,.*[)\\]]$|reals", gold
    )
    written = written or any(map(is_half_open, split(gold)))
    expected = regions.read(gold) if written or bracketed(gold) else None
    if expected is None:
        return None
    if not written and not re.search(r"[<>\u2264\u2265\u2208]|^\]|\[$|inclusive", answer):
        return None
    given = regions.read(answer)
    if given is None and written and any(sign in gold for sign in "<>\u2264\u2265") and not bracketed(answer):
        return None
    return given is not None and regions.same(expected, given)


def _same_list(gold: str, answer: str) -> bool:
    expected, given = _both_elements(gold, answer)
    if len(points := _named_points(answer)) > 1 and all(coordinates(item) for item in expected):
        given = points
    if len(expected) == 1 and len(unknowns := equal_unknowns(expected[0])) > 1:
        if len(given) == 1 and "=" not in given[0]:
            return (
                same_item(unknowns[0], given[0])
                if coordinates(given[0]) is None
                else _same_coordinates(gold, answer, unknowns, given) is True
            )
        expected = unknowns
    if len(given) == 1 and len(unknowns := equal_unknowns(given[0])) > 1:
        if len(expected) == 1 and coordinates(expected[0]) is None:
            return same_item(expected[0], unknowns[0])
        given = unknowns
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


def _named_points(answer: str) -> list[str]:
    """`x = 1, y = 2 or x = 3, y = 4` as the points (1,2) and (3,4)."""
    groups = [named_values(split(group)) for group in split(answer, re.compile(r"\s(?:or)\s|;"))]
    if any(group is None or group.keys() != (groups[0] or {}).keys() for group in groups):
        return []
    return [f"({','.join(in_order(group) or [])})" for group in groups if group]


def _both_elements(gold: str, answer: str) -> tuple[list[str], list[str]]:
    """Elements of both sides; a comma before three digits separates thousands, or the elements of a list where the gold answer is one."""
    expected = elements(join_thousands(gold) if may_have_thousands(gold) else gold)
    given = elements(join_thousands(answer) if may_have_thousands(answer) else answer)
    if len(given) < len(expected) and len(apart := elements(answer)) == len(expected):
        given = apart
    return expected, given


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
    named, other_named = named_values(expected), named_values(given)
    if named and other_named:
        return named.keys() == other_named.keys() and all(is_same_item(named[name], other_named[name]) for name in named)
    if point is None and other is None and not (named or other_named):
        return None
    left = point or (list(named.values()) if named else expected)
    right = other or (in_order(other_named) if other_named else given)
    if right is None:
        return False
    if other_named and not point and are_roots(other_named):
        return None
    if any(sign in gold + answer for sign in "\u2774\u00b1") or len(left) != len(right):
        return False if named else None
    if other_brackets(gold, answer, left):
        return False
    return all(is_same_item(first, second) for first, second in zip(left, right, strict=True))
