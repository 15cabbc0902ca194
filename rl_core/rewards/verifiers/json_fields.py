"""JSON in a response, and which of its fields agree with those of a gold object."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

LONGEST = 100_000  # characters of an answer
_DECODER = json.JSONDecoder()


class NoJson(ValueError):
    """There is no object in a text."""


def parse_object(text: str) -> dict[str, Any]:
    """A text that is one JSON object; raises NoJson for anything else."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise NoJson(str(error)) from error
    if not isinstance(found, dict):
        raise NoJson("no object")
    return found


def last_object(text: str) -> dict[str, Any]:
    """The last JSON object in a text with other words around it; takes quadratic time on a text of open brackets.

    Raises:
        NoJson: there is none.
    """
    found, start = None, text.find("{")
    while start >= 0:
        try:
            value, end = _DECODER.raw_decode(text, start)
            found = value
        except (ValueError, RecursionError):
            end = start + 1
        start = text.find("{", end)
    if not isinstance(found, dict):
        raise NoJson("no object")
    return found


def share_of_fields(gold: dict[str, Any], answer: dict[str, Any], fields: Sequence[str], tolerance: float) -> float:
    """The share of the fields in which both agree; `a.b` is b in a. All keys of the gold object where no fields are given."""
    wanted = [field.split(".") for field in fields] or [[key] for key in gold]
    agreeing = sum(_is_same(at(gold, path), at(answer, path), tolerance) for path in wanted)
    return agreeing / len(wanted)


def at(value: Any, path: Sequence[str]) -> Any:
    """What is at a path of keys and of places in lists; `ABSENT` where there is nothing."""
    for key in path:
        if isinstance(value, dict) and key in value:
            value = value[key]
        elif isinstance(value, list) and key.isdecimal() and int(key) < len(value):
            value = value[int(key)]
        else:
            return ABSENT
    return value


ABSENT = object()


def _is_same(gold: Any, answer: Any, tolerance: float) -> bool:
    """Equality whatever the order of keys and the format of numbers: 1, 1.0 and 1e0 are the same, true and 1 are not."""
    if ABSENT in (gold, answer) or isinstance(gold, bool) or isinstance(answer, bool):
        return gold is answer and gold is not ABSENT
    if isinstance(gold, int | float) and isinstance(answer, int | float):
        return gold == answer or _is_close(gold, answer, tolerance)
    if isinstance(gold, dict) and isinstance(answer, dict):
        return gold.keys() == answer.keys() and all(_is_same(part, answer[key], tolerance) for key, part in gold.items())
    if isinstance(gold, list) and isinstance(answer, list):
        return len(gold) == len(answer) and all(_is_same(*pair, tolerance) for pair in zip(gold, answer, strict=True))
    if isinstance(gold, str) and isinstance(answer, str):
        return gold.strip() == answer.strip()
    return gold is None and answer is None


def _is_close(gold: float, answer: float, tolerance: float) -> bool:
    if not (isinstance(gold, int) or math.isfinite(gold)) or not (isinstance(answer, int) or math.isfinite(answer)):
        return False
    return abs(Fraction(gold) - Fraction(answer)) <= Fraction(str(tolerance)) * abs(Fraction(gold))
