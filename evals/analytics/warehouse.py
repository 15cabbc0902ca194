"""The DuckDB warehouse: every rollout, evaluation sample, metric and score of a set of stage runs, in SQL.

The Parquet and JSON files of the stages are the truth; a warehouse can be made again from them at any time. Writers work on a private
file and rename it into place, so a reader always sees a whole database and never waits for a lock.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evals.analytics.keywords import KEYWORDS, count_expression, literal
from evals.config import StageRun
from rl_core.rollout.records import ROLLOUT_SCHEMA, SAMPLE_SCHEMA

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

SCHEMA_VERSION = 1
# DuckDB 1.5 tools read this format; the one 2.0 writes by default opens only in 2.0.
STORAGE_VERSION = "v1.5.0"
TABLES = ("stages", "rollouts", "samples", "metrics", "scores", "comparisons")

SCORE_COLUMNS = ("checkpoint", "benchmark", "subset", "mode", "metric", "value", "low", "high", "problems", "samples")
COMPARISON_COLUMNS = ("benchmark", "subset", "mode", "metric", "first", "second", "difference", "low", "high", "noise")
OPTIONAL_COLUMNS = {"subset", "low", "high"}


class WarehouseError(ValueError):
    """A stage's file or the database is broken; the message names the file and the remedy."""


def build(stages: list[StageRun], database: Path) -> dict[str, int]:
    """Make a database of exactly these stage runs at `database`, replacing what was there.

    Returns:
        Rows by table.

    Raises:
        WarehouseError: a stage's directory or file is missing or broken; `database` is then as it was.
    """
    return _write(stages, database, keep=False)


def publish(stages: list[StageRun], workspace_database: Path) -> dict[str, int]:
    """Add these stage runs to the workspace's database, replacing their earlier rows and leaving the others'.

    The rows of a stage run are keyed by experiment, stage and fingerprint. Publishers take turns (file lock beside the database).

    Returns:
        Rows by table in the whole database.

    Raises:
        WarehouseError: as for `build`, or the database there cannot be read or has another schema version.
    """
    from filelock import FileLock

    workspace_database.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{workspace_database}.lock"):
        return _write(stages, workspace_database, keep=True)


def stage_run(stage: StageRun) -> str:
    """Key of a stage run: its directory below the workspace."""
    return f"{stage.experiment}/{stage.stage}-{stage.fingerprint[:8]}"


def _write(stages: list[StageRun], database: Path, *, keep: bool) -> dict[str, int]:
    import duckdb

    for stage in stages:
        if not stage.directory.is_dir():
            raise WarehouseError(f"{stage.directory}: no such stage directory; run stage {stage.stage} again")
    database.parent.mkdir(parents=True, exist_ok=True)
    private = database.with_name(f".{database.name}.new")
    leftovers = (private, private.with_name(f"{private.name}.wal"))
    for path in leftovers:
        path.unlink(missing_ok=True)  # of a writer that died
    known = keep and database.exists()
    if known:
        shutil.copyfile(database, private)
    try:
        with duckdb.connect() as connection:
            try:
                version = "" if known else f" (STORAGE_VERSION '{STORAGE_VERSION}')"  # of an existing file it cannot be lowered
                connection.execute(f"ATTACH {literal(str(private))} AS warehouse{version}")
            except duckdb.Error as error:
                raise WarehouseError(f"{database}: not a readable DuckDB file ({_first_line(error)}); remove it to start anew") from error
            connection.execute("USE warehouse")
            connection.execute("BEGIN")
            if known:
                _check_version(connection, database)
            else:
                connection.execute(_sql("schema.sql"))
                connection.execute("INSERT INTO schema_version VALUES (?)", [SCHEMA_VERSION])
            connection.execute(_sql("views.sql"))
            connection.execute("DELETE FROM keyword_patterns")
            for keyword in KEYWORDS:
                connection.execute("INSERT INTO keyword_patterns VALUES (?, ?, ?)", [keyword.family, keyword.name, keyword.pattern])
            for stage in stages:
                _replace(connection, stage)
            _count_steps(connection, stages)
            connection.execute("COMMIT")
            counts = {table: _scalar(connection, f"SELECT count(*) FROM {table}") for table in TABLES}
            connection.execute("CHECKPOINT warehouse")
            connection.execute("USE memory")
            connection.execute("DETACH warehouse")
        os.replace(private, database)
    finally:
        for path in leftovers:
            path.unlink(missing_ok=True)
    return counts


def _check_version(connection: duckdb.DuckDBPyConnection, database: Path) -> None:
    import duckdb

    try:
        version = _scalar(connection, "SELECT version FROM schema_version")
    except duckdb.Error as error:
        raise WarehouseError(f"{database}: a DuckDB file, but no r1flow warehouse; move it away") from error
    if version != SCHEMA_VERSION:
        raise WarehouseError(
            f"{database}: its schema is version {version}, this r1flow writes {SCHEMA_VERSION}; move it away, "
            "and the analyze stages fill a new one"
        )


def _replace(connection: duckdb.DuckDBPyConnection, stage: StageRun) -> None:
    """Put the rows of one stage run in place of those it had."""
    key = stage_run(stage)
    for table in TABLES:
        connection.execute(f"DELETE FROM {table} WHERE stage_run = ?", [key])
    connection.execute(
        "INSERT INTO stages BY NAME SELECT ? AS stage_run, ? AS experiment, ? AS stage, ? AS kind, ? AS fingerprint, ? AS position, "
        "? AS start, ? AS directory",
        [key, stage.experiment, stage.stage, stage.kind, stage.fingerprint, stage.position, stage.start, str(stage.directory)],
    )
    _insert_responses(connection, stage, "rollouts", sorted(stage.directory.glob("rollouts/*.parquet")), ROLLOUT_SCHEMA)
    _insert_responses(connection, stage, "samples", sorted(stage.directory.glob("samples/**/*.parquet")), SAMPLE_SCHEMA)
    metrics = stage.directory / "metrics.jsonl"
    if metrics.is_file():
        _insert_rows(connection, stage, "metrics", ("step", "name", "value"), _metric_rows(metrics))
    scores = stage.directory / "scores.json"
    if scores.is_file():
        content = _read_json(scores)
        _insert_rows(connection, stage, "scores", SCORE_COLUMNS, _json_rows(scores, content, "scores", SCORE_COLUMNS))
        _insert_rows(connection, stage, "comparisons", COMPARISON_COLUMNS, _json_rows(scores, content, "comparisons", COMPARISON_COLUMNS))


def _insert_responses(connection: duckdb.DuckDBPyConnection, stage: StageRun, table: str, files: list[Path], schema: pa.Schema) -> None:
    """Copy Parquet rows into `table`, counting keywords on the way."""
    import duckdb

    if not files:
        return
    for path in files:
        _check_columns(path, schema)
    renamed = {"group": "group_index"}  # GROUP is a word of SQL
    columns = ", ".join(f'"{name}" AS {renamed.get(name, name)}' if name in renamed else f'"{name}"' for name in schema.names)
    counts = ", ".join(f"{count_expression(keyword, 'reasoning')} AS keyword_{index}" for index, keyword in enumerate(KEYWORDS))
    sums = ", ".join(
        " + ".join(f"keyword_{index}" for index, keyword in enumerate(KEYWORDS) if keyword.family == family) + f" AS {family}"
        for family in ("step_wise", "reflection")
    )
    entries = ", ".join(f"{{'k': {literal(keyword.name)}, 'v': keyword_{index}}}" for index, keyword in enumerate(KEYWORDS))
    paths = ", ".join(literal(str(path)) for path in files)
    try:
        connection.execute(
            f"""
            INSERT INTO {table} BY NAME
            WITH responses AS (
                SELECT *, CASE WHEN think_start IS NULL THEN response
                    ELSE substr(response, think_start + 1, think_end - think_start) END AS reasoning
                FROM read_parquet([{paths}])
            ), counted AS (SELECT *, {counts} FROM responses)
            SELECT ? AS stage_run, ? AS experiment, ? AS stage, {columns}, {sums},
                map_from_entries(list_filter([{entries}], lambda entry: entry.v > 0)) AS keywords
            FROM counted
            """,
            [stage_run(stage), stage.experiment, stage.stage],
        )
    except duckdb.Error as error:
        raise WarehouseError(f"{files[0].parent}: cannot be loaded ({_first_line(error)}); run stage {stage.stage} again") from error


def _check_columns(path: Path, schema: pa.Schema) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        names = set(pq.read_schema(path).names)
    except (OSError, pa.ArrowException) as error:
        raise WarehouseError(f"{path}: not a readable Parquet file ({_first_line(error)}); run its stage again with --force") from error
    missing = [name for name in schema.names if name not in names]
    if missing:
        raise WarehouseError(f"{path}: column {missing[0]!r} is missing; run its stage again with --force")


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
        [stage_run(stage), stage.experiment, stage.stage],
    )
    connection.unregister("batch")


def _metric_rows(path: Path) -> Iterator[tuple[int, str, float]]:
    """(step, name, value) of metrics.jsonl; a step logged again after a resume counts once, with its last values."""
    steps: dict[int, dict[str, Any]] = {}
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        try:
            row = json.loads(line)
            steps[int(row["step"])] = row
        except (ValueError, TypeError, KeyError) as error:
            raise WarehouseError(f"{path}: line {number} is not a JSON object with a step; run its stage again with --force") from error
    for step, row in sorted(steps.items()):
        for name, value in row.items():
            if name != "step" and isinstance(value, int | float):
                yield step, name, float(value)


def _json_rows(path: Path, content: Any, key: str, columns: tuple[str, ...]) -> Iterator[tuple[Any, ...]]:
    rows = content.get(key, []) if isinstance(content, dict) else []
    for number, row in enumerate(rows, start=1):
        missing = [name for name in columns if name not in row and name not in OPTIONAL_COLUMNS]
        if missing:
            raise WarehouseError(f"{path}: {key} row {number} has no {missing[0]}; run its stage again with --force")
        yield tuple(row.get(name) for name in columns)


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        raise WarehouseError(f"{path}: not JSON ({error}); run its stage again with --force") from error


def _count_steps(connection: duckdb.DuckDBPyConnection, stages: list[StageRun]) -> None:
    """Fill `steps` and `steps_before`, which place a stage on the axis of the whole curriculum."""
    by_name = {(stage.experiment, stage.stage): stage for stage in stages}
    steps = {
        name: _scalar(
            connection,
            "SELECT greatest((SELECT max(step) FROM metrics WHERE stage_run = $1), (SELECT max(step) FROM rollouts WHERE stage_run = $1))",
            [stage_run(stage)],
        )
        for name, stage in by_name.items()
    }
    for name, stage in by_name.items():
        if steps[name] is None:
            continue
        before, seen = 0, {name}
        above = by_name.get((stage.experiment, stage.start or ""))
        while above is not None and above.kind == stage.kind and (above.experiment, above.stage) not in seen:
            seen.add((above.experiment, above.stage))
            before += steps[above.experiment, above.stage] or 0
            above = by_name.get((above.experiment, above.start or ""))
        connection.execute("UPDATE stages SET steps = ?, steps_before = ? WHERE stage_run = ?", [steps[name], before, stage_run(stage)])


def _scalar(connection: duckdb.DuckDBPyConnection, sql: str, parameters: list[Any] | None = None) -> Any:
    row = connection.execute(sql, parameters).fetchone()
    assert row is not None  # every caller selects an aggregate or a single-row table
    return row[0]


def _sql(name: str) -> str:
    return (Path(__file__).parent / "sql" / name).read_text()


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
