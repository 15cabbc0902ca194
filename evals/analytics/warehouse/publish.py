"""The DuckDB warehouse: every rollout, evaluation sample, metric and score of a set of stage runs, in SQL.

The Parquet and JSON files of the stages are the truth; a warehouse can be made again from them at any time. Writers work on a private
file and rename it into place, so a reader always sees a whole database and never waits for a lock.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evals.analytics.errors import WarehouseError, is_full, is_no_damage
from evals.analytics.keywords import Keyword, literal, shipped
from evals.analytics.warehouse import response_rows, stage_rows
from evals.analytics.warehouse.migrations import OLD_TABLES, SCHEMA_VERSION, migrate, schema_version
from evals.config import RunInfo, StageRun
from rl_core.errors import first_line

if TYPE_CHECKING:
    import duckdb

# DuckDB 1.5 tools read this format; the one 2.0 writes by default opens only in 2.0.
STORAGE_VERSION = "v1.5.0"
MEMORY = "1200MB"  # of the engine while it writes
COUNTED = ("stages", "rollouts", "eval_samples", "metrics", "scores", "comparisons")  # tables whose rows are reported


@dataclass(frozen=True)
class Part:
    """The stage runs of one run of an experiment, which count each other's steps, and what to read in their responses."""

    stages: Sequence[StageRun]
    keywords: tuple[Keyword, ...] = field(default_factory=shipped)
    run: RunInfo | None = None


def build(part: Part, database: Path) -> dict[str, int]:
    """As `build_several`, of one part."""
    return build_several([part], database)


def build_several(parts: Sequence[Part], database: Path) -> dict[str, int]:
    """Make a database of exactly these stage runs at `database`, replacing what was there.

    Returns:
        Rows by table.

    Raises:
        WarehouseError: a stage's directory or file is missing or broken; `database` is then as it was.
    """
    return _write(parts, database, keep=False)


def publish(parts: Sequence[Part], database: Path) -> dict[str, int]:
    """Read stage runs into the workspace's database and keep the rows of others. Unchanged ones are not read again.

    The rows of a stage run are keyed by experiment, stage and fingerprint. Publishers take turns (file lock beside the database). A
    database that turns out to be damaged is set aside, and a new one is made of these stage runs.

    Returns:
        Rows by table in the whole database.

    Raises:
        WarehouseError: as for `build_several`, or the database there cannot be read or was written by a newer r1flow; it is then as it was.
    """
    from filelock import FileLock

    database.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{database}.lock"):
        if not database.exists():
            return _write(parts, database, keep=False)
        try:
            return _write(parts, database, keep=True)
        except _ReadError as error:
            rows = _write(parts, database, keep=False, aside=f"{database.name}.damaged")  # if a stage's file is at fault, this fails, too
            print(
                f"warning: {database} was damaged ({error}); it is {database}.damaged now, and a new one was made; "
                "`r1flow ingest` brings in what it lacks",
                file=sys.stderr,
                flush=True,
            )
            return rows


def is_current(parts: Sequence[Part], database: Path) -> bool:
    """Whether a database has every file of these stage runs as it is now."""
    import duckdb

    if not database.is_file() or _log_of(database).exists():
        return False
    try:
        with duckdb.connect(database, read_only=True) as connection:
            known: dict[str, dict[str, tuple[int, int]]] = {}
            for run, name, size, modified in connection.execute("SELECT * FROM files").fetchall():
                known.setdefault(run, {})[name] = (size, modified)
            states = dict(connection.execute("SELECT run, state FROM runs").fetchall())
    except duckdb.Error:  # it must be written anew, or is held by a program for writing
        return False
    return all(part.run is None or states.get(f"{part.run.experiment}/{part.run.run}") == part.run.state for part in parts) and not any(
        any(stage_rows.changes(known.get(stage_rows.key(stage), {}), stage)) for part in parts for stage in part.stages
    )


class _ReadError(WarehouseError):
    """DuckDB failed on a database or on a file that it reads into it."""


def _log_of(database: Path) -> Path:
    """DuckDB's write-ahead log. Writers here leave none: one that is there is of a process that opened the file by itself, for writing."""
    return database.with_name(f"{database.name}.wal")


def _write(parts: Sequence[Part], database: Path, *, keep: bool, aside: str | None = None) -> dict[str, int]:
    """`keep`: start from what is there; `aside`: the name that it gets."""
    import duckdb

    for stage in (stage for part in parts for stage in part.stages):
        if not stage.directory.is_dir():
            raise WarehouseError(f"{stage.directory}: no such stage directory; run stage {stage.stage} again")
    database.parent.mkdir(parents=True, exist_ok=True)
    new = database.with_name(f".{database.name}.new")
    try:
        with _private(new) as private:
            if keep:
                shutil.copyfile(database, private)
            counts = _fill(private, database, parts, keep=keep)
            if private != new:
                shutil.copyfile(private, new)
            if aside:
                os.replace(database, database.with_name(aside))
            # It belongs to the old file and does not fit the new one: DuckDB would refuse both.
            _log_of(database).unlink(missing_ok=True)
            os.replace(new, database)
    except duckdb.Error as error:
        if is_no_damage(error):
            cause = f"{database}: cannot be written ({first_line(error)})"
            if is_full(error):
                raise WarehouseError(f"{cause}; make room, and run the same command again") from error
            raise WarehouseError(f"{cause}; nothing is damaged: remove the cause, and run the same command again") from error
        raise _ReadError(f"{database}: {first_line(error)}; a file of a stage or the database is damaged") from error
    return counts


@contextmanager
def _private(new: Path) -> Iterator[Path]:
    """Where to write what becomes `new`: there, or in a temporary directory; afterwards nothing is left of either.

    DuckDB takes a `?` in a path for the start of parameters, and looks for its log in a directory that does not exist.
    """
    if "?" in str(new.resolve()):
        with tempfile.TemporaryDirectory() as directory:
            try:
                yield Path(directory) / "new.duckdb"
            finally:
                new.unlink(missing_ok=True)
        return
    leftovers = (new, _log_of(new))
    for path in leftovers:
        path.unlink(missing_ok=True)  # of a writer that died
    try:
        yield new
    finally:
        for path in leftovers:
            path.unlink(missing_ok=True)
        shutil.rmtree(f"{new}.tmp", ignore_errors=True)


def _fill(private: Path, database: Path, parts: Sequence[Part], *, keep: bool) -> dict[str, int]:
    """Write the rows into the private file of a database; returns how many there are by table."""
    import duckdb

    with duckdb.connect() as connection:
        try:
            version = "" if keep else f" (STORAGE_VERSION '{STORAGE_VERSION}')"  # of an existing file it cannot be lowered
            connection.execute(f"ATTACH {literal(str(private))} AS warehouse{version}")
        except duckdb.Error as error:
            if is_no_damage(error):
                raise
            raise WarehouseError(f"{database}: not a readable DuckDB file ({first_line(error)}); remove it to start anew") from error
        connection.execute("USE warehouse")
        connection.execute("SET preserve_insertion_order = false")  # of a large insert: less memory
        connection.execute(f"SET memory_limit = '{MEMORY}'")  # what does not fit goes to disk beside the database
        connection.execute(f"SET temp_directory = {literal(f'{private}.tmp')}")
        connection.execute("BEGIN")
        found = _check_version(connection, database) if keep else 0
        migrate(connection, found)
        if found == 1:  # whose rows the migration to version 2 has left
            _read_old_rows(connection)
        for part in parts:
            _add(connection, part)
        connection.execute(
            "DELETE FROM prompts WHERE prompt_key NOT IN (SELECT prompt_key FROM rollouts UNION ALL SELECT prompt_key FROM eval_samples)"
        )
        connection.execute("COMMIT")
        counts = {table: stage_rows.scalar(connection, f"SELECT count(*) FROM {table}") for table in COUNTED}
        connection.execute("CHECKPOINT warehouse")
        connection.execute("USE memory")
        connection.execute("DETACH warehouse")
    return counts


def _check_version(connection: duckdb.DuckDBPyConnection, database: Path) -> int:
    version = schema_version(connection)
    if version is None:
        raise WarehouseError(f"{database}: a DuckDB file, but no r1flow warehouse; move it away")
    if version > SCHEMA_VERSION:
        raise WarehouseError(
            f"{database}: its schema is version {version}, of a newer r1flow; this one knows {SCHEMA_VERSION}: "
            "update r1flow, or move the file away and run `r1flow ingest`"
        )
    return version


def _read_old_rows(connection: duckdb.DuckDBPyConnection) -> None:
    """After a migration, read responses again that an earlier version has left."""
    for table, old in OLD_TABLES.items():
        for stage_run, experiment, stage in connection.execute(f"SELECT DISTINCT stage_run, experiment, stage FROM {old}").fetchall():
            columns = ", ".join(name.replace("group", "group_index") for name in stage_rows.RESPONSE_FILES[table][1].names)
            source = f"SELECT {columns}, NULL::VARCHAR AS environment_output FROM {old} WHERE stage_run = {literal(stage_run)}"
            # Only this connection sees what its transaction has renamed.
            response_rows.insert(
                connection, table, response_rows.read(connection, table, source, (stage_run, experiment, stage), shipped()), shipped()
            )
        connection.execute(f"DROP TABLE {old}")


def _add(connection: duckdb.DuckDBPyConnection, part: Part) -> None:
    for stage in part.stages:
        stage_rows.bring_up_to_date(connection, stage, part.keywords)
    _count_steps(connection, part.stages)
    if part.run:
        run = part.run
        moments = [None if seconds is None else int(seconds * 1e6) for seconds in (run.started, run.finished)]
        stages = [stage_rows.key(stage) for stage in part.stages]
        connection.execute("DELETE FROM runs WHERE run = ?", [f"{run.experiment}/{run.run}"])
        connection.execute(
            "INSERT INTO runs BY NAME SELECT ? AS run, ? AS experiment, ? AS state, make_timestamp(?) AS started, "
            "make_timestamp(?) AS finished, ? AS recipe, ? AS stage_runs",
            [f"{run.experiment}/{run.run}", run.experiment, run.state, *moments, json.dumps(run.recipe), stages],
        )


def _count_steps(connection: duckdb.DuckDBPyConnection, stages: Sequence[StageRun]) -> None:
    """Fill `steps` and `steps_before`, which place a stage on the axis of the whole curriculum."""
    by_name = {stage.stage: stage for stage in stages}
    steps: dict[str, Any] = {
        name: stage_rows.scalar(
            connection,
            "SELECT greatest((SELECT max(step) FROM metrics WHERE stage_run = $1), (SELECT max(step) FROM rollouts WHERE stage_run = $1))",
            [stage_rows.key(stage)],
        )
        for name, stage in by_name.items()
    }
    for name, stage in by_name.items():
        if steps[name] is None:
            continue
        before, seen = 0, {name}
        above = by_name.get(stage.start or "")
        while above is not None and above.kind == stage.kind and above.stage not in seen:
            seen.add(above.stage)
            before += steps[above.stage] or 0
            above = by_name.get(above.start or "")
        connection.execute(
            "UPDATE stages SET steps = ?, steps_before = ? WHERE stage_run = ?", [steps[name], before, stage_rows.key(stage)]
        )
