"""Scores of reasoning-gym's own scorers, and the gold text that holds what they need.

A gold is JSON with the data set, the settings that its scorer may read, the answer (null where any answer is right that the scorer
accepts) and the metadata. What JSON lacks is written as an object with one key: `{"$tuple": [...]}`, `{"$set": [...]}`, `{"$fraction":
[1, 2]}`, and `{"$pairs": [[key, value], ...]}` for an object whose keys are not all texts.
"""

from __future__ import annotations

import io
import json
import numbers
import os
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from fractions import Fraction
from functools import cache, lru_cache
from typing import Any

from rl_core.errors import InputError

KEYS = {"dataset", "config", "answer", "metadata"}
SCORERS = 32  # data sets that a worker keeps: some read files when they are made


def write_gold(dataset: str, config: dict[str, Any], answer: str | None, metadata: dict[str, Any]) -> str:
    """Raises TypeError for a value that has no form here."""
    return json.dumps(_plain({"dataset": dataset, "config": config, "answer": answer, "metadata": metadata}))


def read_gold(gold: str) -> dict[str, Any]:
    """Raises InputError for a text that `write_gold` does not write."""
    try:
        content = json.loads(gold)
        if isinstance(content, dict) and content.keys() == KEYS and isinstance(content["metadata"], dict):
            return {name: _from_plain(value) for name, value in content.items()}
    except (ValueError, TypeError, RecursionError):
        pass
    raise InputError(f"gold must be JSON with {', '.join(sorted(KEYS))}, not {gold[:80]!r}")


def score(gold: str, answer: str) -> float:
    """What reasoning-gym's scorer gives an answer, from 0 to 1; 0 for one on which it fails.

    Takes whatever time and memory that scorer takes. Several of them run the answer as Python (`eval`, sympy's `parse_expr`), so it may
    not write files, start processes or open connections meanwhile.
    """
    entry = read_gold(gold)
    scorer = _scorer(entry["dataset"], json.dumps(_plain(entry["config"])))
    if entry["dataset"] == "complex_arithmetic" and "nan" in answer.lower():
        return 0.0  # its min(1.0, nan) would be full marks
    try:
        with _confined(), redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = float(scorer.score_answer(answer, {"question": "", "answer": entry["answer"], "metadata": entry["metadata"]}))
    except MemoryError:
        raise
    except (Exception, SystemExit):  # scorers read answers by int(), json.loads() or eval(), and some let their errors through
        return 0.0
    return min(max(value, 0.0), 1.0) if value == value else 0.0


@lru_cache(maxsize=SCORERS)
def _scorer(dataset: str, config: str) -> Any:
    from reasoning_gym.factory import create_dataset

    return create_dataset(dataset, **_from_plain(json.loads(config)), seed=0, size=10)


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, list):
        return [_plain(part) for part in value]
    if isinstance(value, tuple):
        return {"$tuple": [_plain(part) for part in value]}
    if isinstance(value, set | frozenset):
        return {"$set": [_plain(part) for part in sorted(value)]}
    if isinstance(value, dict):
        if all(isinstance(key, str) and not key.startswith("$") for key in value):
            return {key: _plain(part) for key, part in value.items()}
        return {"$pairs": [[_plain(key), _plain(part)] for key, part in value.items()]}
    if type(value).__module__ == "numpy":
        return _plain(value.tolist())
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Rational):
        return {"$fraction": [int(value.numerator), int(value.denominator)]}
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _from_plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_from_plain(part) for part in value]
    if isinstance(value, dict):
        match value:
            case {"$tuple": [*parts]}:
                return tuple(_from_plain(part) for part in parts)
            case {"$set": [*parts]}:
                return {_from_plain(part) for part in parts}
            case {"$fraction": [int(numerator), int(denominator)]}:
                return Fraction(numerator, denominator)
            case {"$pairs": [*pairs]}:
                return {_from_plain(key): _from_plain(part) for key, part in pairs}
        return {key: _from_plain(part) for key, part in value.items()}
    return value


_active = threading.local()
_ACTS = ("subprocess.", "socket.", "shutil.", "ctypes.", "pty.", "signal.", "os.")
_HARMLESS = {"os.listdir", "os.scandir", "os.walk", "os.fwalk", "os.add_dll_directory"}


@contextmanager
def _confined() -> Iterator[None]:
    """Python raises PermissionError inside, in this thread, where a file would be written, a process started, or the like."""
    _install()
    _active.now = True
    try:
        yield
    finally:
        _active.now = False


@cache
def _install() -> None:
    sys.addaudithook(_refuse)  # for the rest of the process: there is no way to remove one


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    if not getattr(_active, "now", False):
        return
    if event == "open":
        _, mode, flags = arguments
        acts = any(letter in (mode or "") for letter in "wax+") or bool((flags or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
    else:
        acts = event.startswith(_ACTS) and event not in _HARMLESS
    if acts:
        raise PermissionError(f"an answer may not do this: {event}")
