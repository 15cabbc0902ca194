"""One cell of the matrix checkpoint x benchmark: what it is, and its files.

A cell's directory is named by its fingerprint. While it is worked on, finished responses stand in `partial.jsonl`; when it is done, in
`samples.parquet`, with `cell.json` (what it is, and what it was made with) written last.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from evals.benchmarks.registry import Benchmark
from evals.config import NamedCheckpoint
from rl_core.errors import InputError
from rl_core.rollout.engine import Sampling
from rl_core.rollout.records import SAMPLE_SCHEMA

CELL_VERSION = 1  # bumped by hand when the same identity comes to give other samples or verdicts
Row = dict[str, Any]


class CellBusy(InputError):
    """Another process works on a cell."""


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
    template: str
    modes: tuple[Mode, ...]
    identity: dict[str, Any]  # all that its samples and verdicts depend on, JSON
    directory: Path

    @property
    def fingerprint(self) -> str:
        return fingerprint_of(self.identity)

    def finished(self) -> dict[str, Any] | None:
        """The content of `cell.json`; None while the cell is not whole."""
        try:
            record = json.loads((self.directory / "cell.json").read_text())
            whole = pq.read_metadata(self.directory / "samples.parquet").num_rows == record["responses"]
        except (OSError, ValueError, KeyError, pa.ArrowException):
            return None
        return record if whole and record["fingerprint"] == self.fingerprint else None

    def rows(self) -> list[Row]:
        """All samples of a finished cell: by mode, problem and sample."""
        rows: list[Row] = pq.read_table(self.directory / "samples.parquet").to_pylist()
        return rows

    @contextmanager
    def at_work(self) -> Iterator[Partial]:
        """Hold the cell and go on from what is there of it.

        Raises:
            CellBusy: another process holds it.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.directory / ".lock")
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise CellBusy(
                f"{self.checkpoint.name} on {self.benchmark.name}: another process works on it ({self.directory}); wait for it"
            ) from error
        try:
            with Partial(self.directory / "partial.jsonl", self.identity) as partial:
                yield partial
        finally:
            lock.release()

    def finish(self, rows: list[Row], record: dict[str, Any]) -> None:
        """Write the cell's files; from here on it is done."""
        table = pa.Table.from_pylist(rows, schema=SAMPLE_SCHEMA)
        aside = self.directory / ".samples.partial"
        pq.write_table(table, aside, compression="zstd")
        os.replace(aside, self.directory / "samples.parquet")
        record = {"fingerprint": self.fingerprint, "identity": self.identity, "responses": len(rows)} | record
        aside = self.directory / ".cell.partial"
        aside.write_text(json.dumps(record, indent=1))
        os.replace(aside, self.directory / "cell.json")
        (self.directory / "partial.jsonl").unlink(missing_ok=True)


def fingerprint_of(identity: dict[str, Any]) -> str:
    """16 hex digits of the canonical JSON of an identity."""
    return hashlib.sha256(json.dumps(identity, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:16]


class Partial:
    """Finished responses of a cell that is not done: one line each, behind a line that says whose they are."""

    def __init__(self, path: Path, identity: dict[str, Any]) -> None:
        self.path = path
        self.rows: list[tuple[int, int, Row]] = []  # mode, problem, row
        head = json.dumps(identity, sort_keys=True)
        self._restore(head)
        if not path.exists():
            path.write_text(head + "\n")
        self._file = path.open("a", encoding="utf-8")

    def __enter__(self) -> Partial:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def _restore(self, head: str) -> None:
        if not self.path.exists():
            return
        lines = self.path.read_bytes().split(b"\n")
        whole = lines[:-1]  # what follows the last line break was cut off in the middle
        try:
            if not whole or whole[0].decode() != head:
                raise ValueError
            self.rows = [tuple(json.loads(line)) for line in whole[1:]]
        except ValueError:
            self.rows, whole = [], []
        if not whole:
            self.path.unlink()
        elif lines[-1]:
            aside = self.path.with_suffix(".repaired")
            aside.write_bytes(b"\n".join(whole) + b"\n")
            os.replace(aside, self.path)

    def add(self, rows: list[tuple[int, int, Row]]) -> None:
        """Keep finished responses."""
        self.rows += rows
        self._file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        self._file.flush()
