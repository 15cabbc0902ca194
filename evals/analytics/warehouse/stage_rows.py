"""The rows of one stage run: from the files of its directory into the tables of an open warehouse."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

from evals.analytics.errors import WarehouseError, is_no_damage
from evals.analytics.keywords import Keyword, literal
from evals.analytics.warehouse.response_rows import insert, read_side_by_side
from evals.config import StageRun
from rl_core.errors import first_line
from rl_core.rollout.records import ENVIRONMENT_OUTPUT, ROLLOUT_SCHEMA, SAMPLE_SCHEMA

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

# Tables with a column `stage_run`, all that belongs to a stage run.
OF_RESPONSES = ("rollouts", "eval_samples", "reward_components", "keyword_hits", "keyword_patterns", "family_counts", "groups")
SMALL = ("stages", "checkpoints", "metrics", "scores", "comparisons", "files")  # a few rows per stage
SCORE_COLUMNS = ("checkpoint", "benchmark", "subset", "mode", "metric", "value", "low", "high", "problems", "samples")
COMPARISON_COLUMNS = ("benchmark", "subset", "mode", "metric", "first", "second", "difference", "low", "high", "noise")
OPTIONAL_COLUMNS = {"subset", "low", "high"}
RESPONSE_FILES = {"rollouts": ("rollouts/*.parquet", ROLLOUT_SCHEMA), "eval_samples": ("samples/**/*.parquet", SAMPLE_SCHEMA)}
COMMIT = 16  # batches of a transaction, whose rows stay in memory; no other process sees the file before the end
AGAIN = "run its stage again: r1flow run RECIPE --force STAGE"
BATCH = 2048  # responses that are read together: what bounds the memory of reading


def key(stage: StageRun) -> str:
    """Key of a stage run: its directory below the workspace."""
    return f"{stage.experiment}/{stage.stage}-{stage.fingerprint[:8]}"


def changes(known: dict[str, tuple[int, int]], stage: StageRun) -> tuple[list[Path], bool]:
    """Files of a stage that are not in the database as they are now, and whether one that is there was changed or removed."""
    now = {str(path.relative_to(stage.directory)): (path, _mark(path)) for path in _files(stage)}
    new = [path for name, (path, mark) in now.items() if known.get(name) != mark]
    growing = {"metrics.jsonl", "manifest.json"}
    spoiled = any(name not in now or now[name][1] != mark for name, mark in known.items() if name not in growing)
    return new, spoiled


def bring_up_to_date(connection: duckdb.DuckDBPyConnection, stage: StageRun, keywords: Sequence[Keyword]) -> None:
    """Put the rows of a stage's new files into the tables; all of them again where one of the files was changed.

    Raises WarehouseError if a file is broken.
    """
    run, reading = key(stage), hashlib.sha256(repr(sorted(map(repr, keywords))).encode()).hexdigest()[:16]
    row = connection.execute("SELECT reading FROM stages WHERE stage_run = ?", [run]).fetchone()
    found = connection.execute("SELECT file, bytes, modified FROM files WHERE stage_run = ?", [run]).fetchall()
    new, spoiled = changes({name: (size, modified) for name, size, modified in found}, stage)
    if spoiled or row is None or row[0] != reading:
        for table in OF_RESPONSES + SMALL:
            connection.execute(f"DELETE FROM {table} WHERE stage_run = ?", [run])
        for keyword in keywords:
            values = [run, keyword.family, keyword.version, keyword.name, keyword.pattern, keyword.turn]
            connection.execute("INSERT INTO keyword_patterns VALUES (?, ?, ?, ?, ?, ?)", values)
        new = list(_files(stage))
    for table, (pattern, _) in RESPONSE_FILES.items():
        fresh = set(new)
        _insert_files(connection, stage, table, [path for path in sorted(stage.directory.glob(pattern)) if path in fresh], keywords)
    _replace_small_tables(connection, stage, reading)


def _insert_files(
    connection: duckdb.DuckDBPyConnection, stage: StageRun, table: str, files: list[Path], keywords: Sequence[Keyword]
) -> None:
    import duckdb

    run = (key(stage), stage.experiment, stage.stage)
    sources = (
        f"{_columns(table, external=stage.external)} FROM read_parquet([{paths}], union_by_name = true)" for paths in _batches(files, table)
    )
    try:
        for number, batch in enumerate(read_side_by_side(connection, table, sources, run, keywords), start=1):
            insert(connection, table, batch, keywords)
            if number % COMMIT == 0:
                connection.execute("COMMIT; BEGIN")
    except duckdb.Error as error:
        if is_no_damage(error):
            raise
        raise WarehouseError(f"{files[0].parent}: cannot be loaded ({first_line(error)}); {AGAIN}") from error


def _columns(table: str, *, external: bool) -> str:
    names = RESPONSE_FILES[table][1].names
    output = ENVIRONMENT_OUTPUT.name if external else f"NULL::VARCHAR AS {ENVIRONMENT_OUTPUT.name}"
    return "SELECT " + ", ".join(['"group" AS group_index' if name == "group" else name for name in names] + [output])  # a word of SQL


def _batches(files: Sequence[Path], table: str) -> Iterator[str]:
    """SQL lists of whole files, so that a group stays together, with about `BATCH` responses each."""
    batch: list[str] = []
    rows = 0
    for path in files:
        count = _check(path, table)
        if batch and rows + count > BATCH:
            yield ", ".join(batch)
            batch, rows = [], 0
        batch.append(literal(str(path)))
        rows += count
    if batch:
        yield ", ".join(batch)


def _replace_small_tables(connection: duckdb.DuckDBPyConnection, stage: StageRun, reading: str) -> None:
    """What is a few rows per stage and may have changed since it was read: the stage itself, metrics, scores, checkpoints, files."""
    run = key(stage)
    for table in SMALL:
        connection.execute(f"DELETE FROM {table} WHERE stage_run = ?", [run])
    connection.execute(
        "INSERT INTO stages BY NAME SELECT ? AS stage_run, ? AS experiment, ? AS stage, ? AS kind, ? AS fingerprint, ? AS position, "
        "? AS start, ? AS external, ? AS directory, ? AS seconds, ? AS devices, ? AS reading",
        [
            run,
            *(getattr(stage, name) for name in ("experiment", "stage", "kind", "fingerprint", "position", "start", "external")),
            str(stage.directory),
            stage.seconds,
            stage.devices,
            reading,
        ],
    )
    metrics = stage.directory / "metrics.jsonl"
    if metrics.is_file():
        _insert_rows(connection, stage, "metrics", ("step", "name", "value"), _metric_rows(metrics))
    scores = stage.directory / "scores.json"
    if scores.is_file():
        try:
            content = json.loads(scores.read_text())
        except ValueError as error:
            raise WarehouseError(f"{scores}: not JSON ({error}); {AGAIN}") from error
        _insert_rows(connection, stage, "scores", SCORE_COLUMNS, _json_rows(scores, content, "scores", SCORE_COLUMNS))
        _insert_rows(connection, stage, "comparisons", COMPARISON_COLUMNS, _json_rows(scores, content, "comparisons", COMPARISON_COLUMNS))
    saved = [
        (int(path.name.rpartition("-")[2]), str(path), sum(file.stat().st_size for file in path.rglob("*") if file.is_file()))
        for path in sorted(stage.directory.glob("checkpoints/step-*"))
        if path.is_dir()
    ]
    _insert_rows(connection, stage, "checkpoints", ("step", "directory", "bytes"), saved)
    for path in _files(stage):
        connection.execute("INSERT INTO files VALUES (?, ?, ?, ?)", [run, str(path.relative_to(stage.directory)), *_mark(path)])


def _files(stage: StageRun) -> Iterator[Path]:
    for pattern in (*(pattern for pattern, _ in RESPONSE_FILES.values()), "metrics.jsonl", "scores.json", "manifest.json"):
        yield from sorted(stage.directory.glob(pattern))


def _mark(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def _check(path: Path, table: str) -> int:
    """Rows of a Parquet file of responses, which is whole and has every column."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        metadata = pq.read_metadata(path)
    except (OSError, pa.ArrowException) as error:
        raise WarehouseError(f"{path}: not a readable Parquet file ({first_line(error)}); {AGAIN}") from error
    found = metadata.schema.to_arrow_schema()
    remedy = f"{AGAIN}, or read it with `r1flow analyze {quote(str(path))} --map …`"
    for field in RESPONSE_FILES[table][1]:
        if field.name not in found.names:
            raise WarehouseError(f"{path}: column {field.name!r} is missing; {remedy}")
        held = found.field(field.name).type
        if not pa.types.is_null(held) and _family(held) != _family(field.type):
            raise WarehouseError(f"{path}: column {field.name!r} holds {held}, not {field.type}; {remedy}")
    return int(metadata.num_rows)


def _family(kind: pa.DataType) -> str:
    """Types that are interchangeable: numbers of any width, text however it is stored."""
    import pyarrow as pa

    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return "number"
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_dictionary(kind):
        return "text"
    return "nested" if pa.types.is_nested(kind) else str(kind)


def _insert_rows(
    connection: duckdb.DuckDBPyConnection, stage: StageRun, table: str, columns: tuple[str, ...], rows: Iterable[tuple[Any, ...]]
) -> None:
    """Insert Python rows through one Arrow table (row-wise inserts take a millisecond each)."""
    import pyarrow as pa

    values = list(zip(*rows, strict=True))
    if not values:
        return
    batch = pa.table(dict(zip(columns, (list(column) for column in values), strict=True)))
    connection.register("batch", batch)
    connection.execute(
        f"INSERT INTO {table} BY NAME SELECT ? AS stage_run, ? AS experiment, ? AS stage, * FROM batch",
        [key(stage), stage.experiment, stage.stage],
    )
    connection.unregister("batch")


def _metric_rows(path: Path) -> Iterator[tuple[int, str, float]]:
    """(step, name, value) of metrics.jsonl; a step logged again after a resume counts once, with its last values.

    A last line without its end is still being written and is left out.
    """
    steps: dict[int, dict[str, Any]] = {}
    for number, line in enumerate(path.read_text().split("\n")[:-1], start=1):
        try:
            row = json.loads(line)
            steps[int(row["step"])] = row
        except (ValueError, TypeError, KeyError) as error:
            raise WarehouseError(f"{path}: line {number} is not a JSON object with a step; {AGAIN}") from error
    for step, row in sorted(steps.items()):
        for name, value in row.items():
            if name != "step" and isinstance(value, int | float):
                yield step, name, float(value)


def _json_rows(path: Path, content: Any, key: str, columns: tuple[str, ...]) -> Iterator[tuple[Any, ...]]:
    rows = content.get(key, []) if isinstance(content, dict) else []
    for number, row in enumerate(rows, start=1):
        missing = [name for name in columns if name not in row and name not in OPTIONAL_COLUMNS]
        if missing:
            raise WarehouseError(f"{path}: {key} row {number} has no {missing[0]}; {AGAIN}")
        yield tuple(row.get(name) for name in columns)


def scalar(connection: duckdb.DuckDBPyConnection, sql: str, parameters: list[Any] | None = None) -> Any:
    """The one value of a query of one row."""
    row = connection.execute(sql, parameters).fetchone()
    assert row is not None  # every caller selects an aggregate or a single-row table
    return row[0]
