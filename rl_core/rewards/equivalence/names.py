"""Values that are given under names: `x = 1, y = 2`, `f(1) = 3, f(2) = 5`, `Minimum: 4, Maximum: 9`, `x = y = 4`."""

import re

from rl_core.rewards.equivalence.formulas.arithmetic import NoValueError
from rl_core.rewards.equivalence.formulas.evaluation import floating
from rl_core.rewards.equivalence.formulas.expression import NotAnExpression, parse
from rl_core.rewards.equivalence.items import ASSIGNED
from rl_core.rewards.equivalence.language.wording import denies
from rl_core.rewards.equivalence.structure import sides

_EXTREMES = {
    "minimum": "min|minimum|smallest|least|lowest",
    "maximum": "max|maximum|largest|greatest|highest|biggest",
}
_EXTREME_OF = {word: name for name, words in _EXTREMES.items() for word in words.split("|")}
_EXTREME_WORD = "|".join(sorted(_EXTREME_OF, key=len, reverse=True))
_EXTREME = re.compile(rf"(?i)(?:the )?\\?(?P<name>{_EXTREME_WORD})\b(?: value| number)?(?: is| of)? ?[:=]? ?(?P<value>[^:=]+)")
_WORDED = re.compile(r"(?P<name>[A-Za-z][A-Za-z' ]+?) ?[:=] ?(?P<value>[^:=]+)")
_AT_NUMBER = re.compile(r"(?P<name>[A-Za-z] ?\( ?(?:-?[0-9]+|[A-Z]) ?\)) ?= ?(?P<value>[^=]+)")
_UNKNOWN = re.compile(r"(?:[A-Za-z]|[A-Z]{2}|\\(?:alpha|beta|gamma|theta|lambda|mu|phi))(?:_\{?[0-9A-Za-z]\}?)?")


def named_values(items: list[str]) -> dict[str, str] | None:
    """Values by name, in the order written; None unless every item has a name of its own."""
    found = [_named(item) for item in items]
    values = dict(filter(None, found))
    return values if len(values) == len(items) > 1 else None


def are_roots(values: dict[str, str]) -> bool:
    """Whether the names are one unknown with indices (`x_1`, `x_2`), so that their order means nothing."""
    return all(name.startswith("x_") for name in values)


def in_order(values: dict[str, str]) -> list[str] | None:
    """Values in the order of their names where those have one; None where a smallest is larger than the largest."""
    if set(values) == set(_EXTREMES):
        return list(values.values()) if _is_ascending(values["minimum"], values["maximum"]) else None
    if any(len(re.sub(r"\\|_.*|\(.*", "", name)) > 2 and "\\" not in name for name in values):
        return list(values.values())
    return [values[name] for name in sorted(values, key=_natural)]


def equal_unknowns(item: str) -> list[str]:
    """`x = y = 4` as `x = 4` and `y = 4`; anything else alone."""
    *names, value = (side.strip() for side in sides(item))
    if len(names) < 2 or len(set(names)) < len(names) or not all(map(_UNKNOWN.fullmatch, names)) or _UNKNOWN.fullmatch(value):
        return [item]
    return [f"{name}={value}" for name in names]


def _named(item: str) -> tuple[str, str] | None:
    match = _EXTREME.fullmatch(item)
    if match:
        return _EXTREME_OF[match["name"].lower()], match["value"]
    match = _AT_NUMBER.fullmatch(item) or ASSIGNED.fullmatch(item)
    if match and ("(" not in match["name"] or match.re is _AT_NUMBER):
        return re.sub(r"[\s{}]", "", match["name"]), match["value"]
    match = _WORDED.fullmatch(item)
    return (match["name"].strip().lower(), match["value"]) if match and not denies(match["name"]) else None


def _natural(name: str) -> list[tuple[int, str]]:
    """A key that sorts f(2) before f(10), and the angle of polar coordinates behind the radius."""
    return [
        (int(part), "") if part.lstrip("-").isdigit() else (0, part) for part in re.findall("-?[0-9]+|[^0-9-]+", name.replace("\\", ""))
    ]


def _is_ascending(low: str, high: str) -> bool:
    try:
        return bool(floating(parse(low)) <= floating(parse(high)))
    except (NotAnExpression, NoValueError, TypeError):
        return False
