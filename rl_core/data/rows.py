"""Rows of public data sets, from a file of a data directory or from the hub."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rl_core.data.json_text import parse_json
from rl_core.data.prompts import DataError
from rl_core.errors import first_line


def read_rows(path: Path) -> list[Any]:
    """Rows of a .jsonl (one object per line), .json (a list of objects) or .parquet file.

    Raises:
        DataError: the file, or the row that it names, is not of its form.
    """
    if path.suffix == ".parquet":
        return _parquet(path)
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start}); repair it") from error
    return _json(path, text) if path.suffix == ".json" else _json_lines(path, text)


def is_finite(answer: Any) -> bool:
    """False for NaN, also as text, and the infinities: what tables have where nothing is known."""
    if isinstance(answer, str):
        return answer.strip().lower() != "nan"
    return not isinstance(answer, float) or math.isfinite(answer)


def _parquet(path: Path) -> list[Any]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        rows: list[Any] = pq.read_table(path).to_pylist()
    except pa.ArrowException as error:
        raise DataError(f"{path}: not a readable Parquet file ({first_line(error)}); put it there again") from error
    return rows


def _json(path: Path, text: str) -> list[Any]:
    try:
        rows = parse_json(text)
    except json.JSONDecodeError as error:
        raise DataError(f"{path}: line {error.lineno} is not JSON ({error.msg}); repair it") from error
    if not isinstance(rows, list):
        raise DataError(f"{path}: a list of objects is wanted, one for each row")
    return rows


def _json_lines(path: Path, text: str) -> list[Any]:
    rows = []
    for number, line in enumerate(text.split("\n"), start=1):  # not splitlines: a problem may contain other line separators
        if line.strip():
            try:
                rows.append(parse_json(line))
            except json.JSONDecodeError as error:
                raise DataError(f"{path}: row {number} is not JSON ({error.msg}); repair or remove it") from error
    return rows


def hub_rows(
    hub_id: str, split: str, local: str, *, config: str | None = None, file: str | None = None, revision: str | None = None
) -> Iterable[Any]:
    """Rows of a data set on the hub; `file` is the one of its files to read, `local` what may be in a data directory instead.

    Raises:
        DataError: it is out of reach.
    """
    from datasets import load_dataset

    try:
        rows: Iterable[Any] = load_dataset(hub_id, config, data_files=file, split=split, revision=revision)
    except (OSError, ValueError) as error:
        reason = first_line(error)
        raise DataError(f"{hub_id}: cannot be fetched ({reason}); give a directory with {local} by --data-dir") from error
    return rows
