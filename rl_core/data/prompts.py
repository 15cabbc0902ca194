"""Prompt sets: the Parquet rows that data stages write and SFT, RL and evaluation read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rl_core.errors import InputError

COLUMNS = {"prompt_id": False, "task": False, "question": False, "gold": False, "difficulty": True, "trace": True}  # texts; may be null?
MORE_COLUMNS = ("domain", "messages", "info")  # texts that may be null; only in files that have some


class DataError(InputError):
    """A data file is missing, broken or lacks what the task needs; the message names file, row and remedy."""


@dataclass(frozen=True)
class Prompt:
    """One problem with its verifiable answer."""

    task: str  # names the verifier
    question: str  # the user's turn, without template
    gold: str  # the answer as the verifier of the task reads it
    difficulty: str | None = None  # number of people, level, ...
    trace: str | None = None  # a worked response (think + answer) for SFT
    domain: str | None = None  # algebra, law, ...: what tables show apart beside the difficulty
    messages: str | None = None  # of a chat, those before the question: a JSON list of objects with `role` and `content`
    info: str | None = None  # what else its row says, for rewards: a JSON object

    @property
    def prompt_id(self) -> str:
        """Digest of task, question and the messages before it, equal wherever the same problem occurs."""
        parts = [self.task, self.question, *([self.messages] if self.messages else [])]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def write_prompts(path: Path, prompts: Iterable[Prompt]) -> int:
    """Write a prompt set to Parquet; returns the number of rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [{"prompt_id": prompt.prompt_id, **vars(prompt)} for prompt in prompts]
    more = {name: True for name in MORE_COLUMNS if any(row[name] is not None for row in rows)}
    schema = pa.schema([pa.field(name, pa.string(), nullable=nullable) for name, nullable in (COLUMNS | more).items()])
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), path)
    return len(rows)


def read_prompts(path: Path) -> list[Prompt]:
    """Read a prompt set.

    Raises:
        DataError: the file is missing, no Parquet, lacks a column, or a row has no question or gold.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.is_file():
        raise DataError(f"{path}: no such prompt file; run the data stage that makes it")
    try:
        table = pq.read_table(path)
    except pa.ArrowException as error:
        raise DataError(f"{path}: not a readable Parquet file ({error}); make it again with --force on its data stage") from error
    missing = [name for name in ("task", "question", "gold") if name not in table.column_names]
    if missing:
        raise DataError(f"{path}: column {missing[0]!r} is missing; a prompt set has {', '.join(COLUMNS)}")
    prompts = []
    for number, row in enumerate(table.to_pylist(), start=1):
        for name in ("task", "question", "gold"):
            if not row[name]:
                raise DataError(f"{path}: row {number} has no {name}; remove the row or repair it")
        more = {name: row.get(name) for name in ("difficulty", "trace", *MORE_COLUMNS)}
        prompts.append(Prompt(row["task"], row["question"], row["gold"], **more))
    return prompts


def read_columns(path: Path, columns: list[str]) -> list[dict[str, Any]]:
    """Rows of a public Parquet file.

    Raises:
        DataError: it is missing, no Parquet, or lacks a column.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return list(pq.read_table(path, columns=columns).to_pylist())
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path}: not a Parquet file with the columns {', '.join(columns)} ({error})") from error
