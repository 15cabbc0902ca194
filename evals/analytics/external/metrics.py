"""Metrics by step in files of other trainers: JSON lines, JSON, CSV, and `trainer_state.json` of transformers and TRL.

A row is a step with its values: columns of a CSV file, an object, or an object with the values in another one (`{"step": 1, "data": {…}}`
of verl's file logger). JSON files hold a list of rows, alone or under one name (`log_history`), rows by step (`{"1": {"loss": 2.0}}`), or
lists by column.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from evals.analytics.external.response import ExternalFileError
from rl_core.errors import first_line
from rl_core.training.journal import LAST_STEP

STEP = ("step", "global_step", "global_steps", "_step", "training/global_step", "train/global_step", "iteration")
DATA = "data"  # of a row of verl: its values, whose names need not begin with it
Steps = dict[int, dict[str, float]]


def read_metrics(files: Iterable[Path], step: str | None = None, names: Mapping[str, str] | None = None) -> Steps:
    """Values by name of every step, in the order of steps; of a value that is given twice the last counts.

    Args:
        step: the column that holds the step; default: one of `STEP`.
        names: for names under which a value is wanted, those that it has in the files.

    Raises:
        ExternalFileError: a file is broken, or no row has a step.
    """
    found: Steps = {}
    here = {theirs: ours for ours, theirs in (names or {}).items()}
    for path in files:
        read = 0
        for row in _rows(path):
            number = _step(row, step)
            if number is not None:
                values = {here.get(name, name): value for name, value in _numbers(row) if name not in (step, *STEP)}
                found.setdefault(number, {}).update(values)
                read += 1
        if not read:
            wanted = repr(step) if step else f"the step ({', '.join(STEP[:3])})"
            raise ExternalFileError(f"{path}: no row has a column with {wanted}; name it as `step` of the metrics")
    return dict(sorted(found.items()))


def _rows(path: Path) -> Iterator[Mapping[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".csv":
            yield from csv.DictReader(text.splitlines())
        elif path.suffix == ".json":
            yield from _rows_of(json.loads(text))
        else:
            yield from (json.loads(line) for line in text.splitlines() if line.strip())
    except (OSError, ValueError, csv.Error, RecursionError) as error:
        raise ExternalFileError(f"{path}: cannot be read as metrics: {first_line(error)}") from error


def _rows_of(content: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(content, Mapping):
        lists = [value for value in content.values() if isinstance(value, list)]
        history = content.get("log_history", next((value for value in lists if value and isinstance(value[0], Mapping)), None))
        if history is not None:
            content = history
        elif content and all(isinstance(value, Mapping) for value in content.values()):
            content = [{"step": key, **value} for key, value in content.items()]
        elif lists and len(lists) == len(content):
            content = [dict(zip(content, values, strict=False)) for values in zip(*lists, strict=False)]
        else:
            content = [content]
    yield from (row for row in content if isinstance(row, Mapping)) if isinstance(content, Sequence) else ()


def _step(row: Any, name: str | None) -> int | None:
    if not isinstance(row, Mapping):
        return None
    inside = row.get(DATA)
    for column in (name,) if name else STEP:
        number = _number(row.get(column, inside.get(column) if isinstance(inside, Mapping) else None))
        if number is not None and number.is_integer() and 0 <= number <= LAST_STEP:
            return int(number)
    return None


def _numbers(row: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    for name, value in row.items():
        if isinstance(value, Mapping):
            yield from _numbers(value, prefix if name == DATA else f"{prefix}{name}/")
        elif name is not None and (number := _number(value)) is not None:
            yield f"{prefix}{name}", number


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None
