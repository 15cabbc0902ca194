"""Rows of data sets, from a file or from the hub."""

from __future__ import annotations

import csv
import json
import math
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from rl_core.data.json_text import parse_json
from rl_core.data.prompts import DataError
from rl_core.errors import first_line

BATCH = 1000  # rows of a Parquet file that are read at once


class Row(NamedTuple):
    """One row of a file."""

    where: str  # file and row, for messages
    content: Any
    broken: str | None = None  # why it could not be read


def read_rows(path: Path) -> list[Any]:
    """Rows of a .jsonl (one object per line), .json (a list of objects), .parquet or .csv file.

    Raises:
        DataError: the file, or the row that it names, is not of its form.
    """
    rows = list(iterate_rows(path))
    if broken := next((row for row in rows if row.broken), None):
        raise DataError(f"{broken.where} {broken.broken}; repair or remove it")
    return [row.content for row in rows]


def iterate_rows(path: Path) -> Iterator[Row]:
    """As `read_rows`, one after another; a row that cannot be read says why.

    Raises:
        DataError: the file as a whole is not of its form.
    """
    return READERS.get(path.suffix.lower(), _json_lines)(path)


def count_rows(path: Path) -> int:
    """About how many rows a file has, in the time that it takes to look through it; 0 where it cannot be read."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        if path.suffix.lower() == ".parquet":
            return int(pq.ParquetFile(path).metadata.num_rows)
        if path.suffix.lower() == ".json":
            return sum(1 for _ in iterate_rows(path))
        with path.open("rb") as file:
            return max(0, sum(not line.isspace() for line in file) - (path.suffix.lower() == ".csv"))
    except (OSError, pa.ArrowException, DataError):
        return 0


def is_finite(answer: Any) -> bool:
    """False for NaN, also as text, and the infinities: what tables have where nothing is known."""
    if isinstance(answer, str):
        return answer.strip().lower() != "nan"
    return not isinstance(answer, float) or math.isfinite(answer)


def _parquet(path: Path) -> Iterator[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        contents = (content for batch in pq.ParquetFile(path).iter_batches(BATCH) for content in batch.to_pylist())
        yield from (Row(f"{path}: row {number}", content) for number, content in enumerate(contents, start=1))
    except pa.ArrowException as error:
        raise DataError(f"{path}: not a readable Parquet file ({first_line(error)}); put it there again") from error


def _json(path: Path) -> Iterator[Row]:
    """A list of objects; a file with one object per line is read as such whatever its name is."""
    try:
        rows = parse_json(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start}); repair it") from error
    except json.JSONDecodeError as error:
        if error.msg == "Extra data" and error.lineno > 1:
            yield from _json_lines(path)
            return
        raise DataError(f"{path}: line {error.lineno} is not JSON ({error.msg}); repair it") from error
    if not isinstance(rows, list):
        raise DataError(f"{path}: a list of objects is wanted, one for each row")
    yield from (Row(f"{path}: row {number}", content) for number, content in enumerate(rows, start=1))


def _json_lines(path: Path) -> Iterator[Row]:
    with path.open("rb") as file:  # lines of bytes end at \n alone: a problem may contain other line separators
        for number, line in enumerate(file, start=1):
            where = f"{path}: row {number}"
            if not line.strip():
                continue
            try:
                yield Row(where, parse_json(line.decode("utf-8-sig" if number == 1 else "utf-8")))
            except UnicodeDecodeError as error:
                yield Row(where, None, f"is not UTF-8 text ({error.reason} at its byte {error.start})")
            except (json.JSONDecodeError, RecursionError) as error:
                yield Row(where, None, f"is not JSON ({getattr(error, 'msg', 'too deep')})")


def _csv(path: Path) -> Iterator[Row]:
    """The first line names the columns. A row of more or fewer values is broken: nobody knows which are missing."""
    csv.field_size_limit(sys.maxsize)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = csv.reader(file, strict=True)
            names = next(table, [])
            if twice := next((name for name in names if names.count(name) > 1), None):
                raise DataError(f"{path}: two columns are called {twice!r}; rename one of them")
            last = table.line_num
            for values in table:
                where, last = f"{path}: line {last + 1}", table.line_num
                if values and len(values) != len(names):
                    yield Row(where, None, f"has {len(values)} values, and the file has {len(names)} columns")
                elif values:
                    yield Row(where, dict(zip(names, values, strict=True)))
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text ({error.reason}, 0x{error.object[error.start]:02x}); save it as UTF-8") from error
    except csv.Error as error:
        raise DataError(f"{path}: not a readable CSV file ({error} at line {table.line_num}); repair it") from error


READERS: dict[str, Callable[[Path], Iterator[Row]]] = {".jsonl": _json_lines, ".json": _json, ".parquet": _parquet, ".csv": _csv}


def hub_rows(
    hub_id: str, split: str, local: str | None, *, config: str | None = None, file: str | None = None, revision: str | None = None
) -> Iterable[Any]:
    """Rows of a data set on the hub; `file` is the one of its files to read, `local` what may be in a data directory instead, if anything.

    Raises:
        DataError: it is out of reach, or has no such part.
    """
    from datasets import load_dataset

    try:
        rows: Iterable[Any] = load_dataset(hub_id, config, data_files=file, split=split, revision=revision)
    except (OSError, ValueError) as error:
        remedy = f"give a directory with {local} by --data-dir" if local else "check the address, or name a file that holds it"
        raise DataError(f"{hub_id}: cannot be fetched ({first_line(error)}); {remedy}") from error
    return rows
