"""One cell of the matrix checkpoint x benchmark: what it is, and its files.

A cell's directory is named by its fingerprint. While it is worked on, finished responses are in `partial.jsonl`, each with a checksum;
when it is done, in `samples.parquet`, with `cell.json` (what it is, what it was made with, and its own digest) written last. What does not
fit its digest is made again. Files of older versions have none and are taken as they are.
"""

from __future__ import annotations

import hashlib
import json
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from evals.benchmarks.registry import Benchmark
from evals.config import NamedCheckpoint
from rl_core.data.templates import Template
from rl_core.errors import InputError, first_line
from rl_core.files import in_one_piece, write_json
from rl_core.rollout.engine import Sampling
from rl_core.rollout.records import SAMPLE_SCHEMA
from rl_core.seal import sealed, unseal

CELL_VERSION = 2  # raised by hand when code gives other samples or verdicts for the same identity
CELL, SAMPLES, PARTIAL = "cell.json", "samples.parquet", "partial.jsonl"
Row = dict[str, Any]


class CellBusy(InputError):
    """Another process works on a cell."""


class DamagedCell(InputError):
    """The files of a cell are not as they were written; names its directory."""


@dataclass(frozen=True)
class Mode:
    """One way of sampling a benchmark."""

    name: str  # greedy | sampled
    samples: int | None  # per problem; None: as many as `width` needs
    sampling: Sampling


@dataclass(frozen=True)
class Cell:
    """A checkpoint on a benchmark."""

    checkpoint: NamedCheckpoint
    benchmark: Benchmark
    template: Template
    modes: tuple[Mode, ...]
    identity: dict[str, Any]  # all that its samples and verdicts depend on, JSON
    directory: Path

    @property
    def fingerprint(self) -> str:
        return fingerprint_of(self.identity)

    def finished(self) -> dict[str, Any] | None:
        """The content of `cell.json`; None while the cell is not whole. A damaged one is named on stderr.

        Raises PermissionError if its files may not be read, which says nothing of what is in them.
        """
        try:
            record = read_cell(self.directory)
        except DamagedCell as error:
            print(f"warning: {error}; the cell is made again", file=sys.stderr, flush=True)
            return None
        return record if record and record["fingerprint"] == self.fingerprint and record["identity"] == self.identity else None

    def rows(self) -> list[Row]:
        """All samples of a finished cell: by mode, problem and sample."""
        rows: list[Row] = pq.read_table(self.directory / SAMPLES).to_pylist()
        return rows

    @contextmanager
    def at_work(self) -> Iterator[Partial]:
        """Take the lease of the cell and continue from the responses that it has. Raises CellBusy if another process holds it."""
        self.directory.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.directory / ".lock")
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise CellBusy(
                f"{self.checkpoint.name} on {self.benchmark.name}: another process works on it ({self.directory}); wait for it"
            ) from error
        try:
            with Partial(self.directory / PARTIAL, self.identity) as partial:
                yield partial
        finally:
            lock.release()

    def finish(self, rows: list[Row], record: dict[str, Any]) -> None:
        """Write the cell's files; from here on it is done."""
        table = pa.Table.from_pylist(rows, schema=SAMPLE_SCHEMA)
        with in_one_piece(self.directory / SAMPLES) as aside:
            pq.write_table(table, aside, compression="zstd")
        record = {"fingerprint": self.fingerprint, "identity": self.identity, "responses": len(rows)} | record
        write_json(self.directory / CELL, sealed(record, self.directory / SAMPLES))
        (self.directory / PARTIAL).unlink(missing_ok=True)


def read_cell(directory: Path) -> dict[str, Any] | None:
    """The content of a cell's `cell.json`; None where there is none.

    Raises:
        DamagedCell: it, or the samples, are not as they were written.
        PermissionError: they may not be read, which says nothing of what is in them.
    """
    if not (directory / CELL).exists():
        return None
    try:
        content = json.loads((directory / CELL).read_text())
        record = unseal(content, directory / SAMPLES)
        whole = pq.read_metadata(directory / SAMPLES).num_rows == content["responses"] and {"fingerprint", "identity"} <= content.keys()
    except PermissionError:
        raise
    except (OSError, ValueError, KeyError, TypeError, RecursionError, pa.ArrowException) as error:
        raise DamagedCell(f"{directory} cannot be read ({first_line(error)})") from error
    if record is None:
        raise DamagedCell(f"{directory} does not match its digest")
    if not whole:
        raise DamagedCell(f"{directory} has not as many responses as it says")
    return record


def fingerprint_of(identity: dict[str, Any]) -> str:
    """16 hex digits of the canonical JSON of an identity."""
    return hashlib.sha256(json.dumps(identity, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:16]


class Partial:
    """Finished responses of a cell that is not done: one line each, behind a line that says whose they are.

    A line is JSON, a tab (which JSON writes otherwise) and the CRC-32 of the JSON. From the first line on that does not fit, all are made
    again.
    """

    def __init__(self, path: Path, identity: dict[str, Any]) -> None:
        self.path = path
        self.rows: list[tuple[int, int, Row]] = []  # mode, problem, row
        head = json.dumps(identity, sort_keys=True)
        self._restore(head)
        if not path.exists():
            path.write_text(head + "\n")
        self._file = path.open("a", encoding="utf-8")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def _restore(self, head: str) -> None:
        if not self.path.exists():
            return
        lines = self.path.read_bytes().split(b"\n")
        if lines[0] != head.encode():
            self.path.unlink()
            return
        with suppress(ValueError):
            for line in lines[1:-1]:  # what follows the last line break was cut off in the middle
                self.rows.append(_checked(line))
        whole = lines[: 1 + len(self.rows)]
        if lines != [*whole, b""]:
            with in_one_piece(self.path) as aside:
                aside.write_bytes(b"\n".join(whole) + b"\n")

    def add(self, rows: list[tuple[int, int, Row]]) -> None:
        self.rows += rows
        texts = map(json.dumps, rows)
        self._file.writelines(f"{text}\t{zlib.crc32(text.encode()):08x}\n" for text in texts)
        self._file.flush()


def damaged_lines(path: Path) -> int:
    """How many whole lines of a `partial.jsonl` do not match their checksums; one that is still being written is not counted.

    Raises OSError if it cannot be read.
    """
    damaged = 0
    with path.open("rb") as file:
        next(file, None)  # says whose the others are
        for line in file:
            try:
                if line.endswith(b"\n"):
                    _checked(line[:-1])
            except (ValueError, TypeError):
                damaged += 1
    return damaged


def _checked(line: bytes) -> tuple[int, int, Row]:
    """Raises ValueError for a line that is not what was written."""
    text, _, checksum = line.partition(b"\t")
    if checksum and checksum != f"{zlib.crc32(text):08x}".encode():
        raise ValueError("the line does not match its checksum")
    mode, problem, row = json.loads(text)
    return mode, problem, row
