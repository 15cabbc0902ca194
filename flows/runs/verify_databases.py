"""Whether the databases of a workspace can be read to their end, and MLflow's says what the stages' files say."""

import math
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Literal

from rl_core.errors import first_line
from rl_core.training.journal import read_steps
from tasks.stage.records import MLFLOW, STATE, read_record
from tasks.tracking.stage_run import chart_name
from tasks.workspace import Workspace

MISSING = "no such point"
Judged = tuple[Literal["sound", "damaged", "in work"], str]
MEMORY = "1GB"  # of DuckDB while it reads
WAIT = 5.0  # seconds for a process that just writes a SQLite database


def check_warehouse(workspace: Workspace, *, wanted: bool) -> Judged | None:
    """Reads every row: DuckDB keeps a checksum of each block. None where there is no database and none is needed.

    Args:
        wanted: a finished stage has written it.
    """
    import duckdb

    path = workspace.warehouse
    if not path.exists():
        return ("damaged", "is missing") if wanted else None
    try:
        with duckdb.connect(path, read_only=True, config={"memory_limit": MEMORY}) as connection:
            tables = [name for (name,) in connection.execute("SELECT table_name FROM duckdb_tables() WHERE NOT internal").fetchall()]
            rows = 0
            for name in tables:
                found = connection.execute(f'SELECT count(*), bit_xor(hash(t)) FROM "{name}" AS t').fetchone()
                rows += found[0] if found else 0
    except duckdb.Error as error:
        line = first_line(error)
        if "Conflicting lock" in line:
            return "in work", "a process has it open for writing"
        return "damaged", f"cannot be read ({line}); made again of the stages' files, without those that gc has deleted"
    return "sound", f"{rows:,} rows in {len(tables)} tables"


def check_mlflow(workspace: Workspace, stages: list[Path]) -> Judged | None:
    """SQLite keeps no checksums: beside its structure, settings and curves are held against the files of the finished `stages`.

    None for the database of a server, or another one that is named.
    """
    path = workspace.mlflow_file
    if workspace.tracking_uri != workspace.own_mlflow_database:
        return None
    noted = {directory: read_record(directory / MLFLOW) or {} for directory in stages}
    reported = {  # what this database has heard to the end
        directory: notes
        for directory, notes in noted.items()
        if notes.get("closed") and "run" in notes and notes["tracking_uri"].startswith("sqlite:///")
    }
    if not path.exists():
        return ("damaged", "is missing; a new one is made of the stages' files") if reported else None
    anew = "a new one is made of the stages' files"
    try:
        with _opened(path) as connection:
            if trouble := _structure(connection):
                return "damaged", f"{trouble}; {anew}"
            for directory, notes in reported.items():
                if trouble := _differs(connection, directory, notes):
                    return "damaged", f"{trouble} of stage {directory.parent.name}/{directory.name}; {anew}"
    except sqlite3.DatabaseError as error:
        return _failed(error, anew)
    return "sound", f"agrees with {len(reported)} stages"


def check_prefect(workspace: Workspace) -> Judged | None:
    """Its structure alone, for nothing else has its content."""
    path = workspace.prefect_file
    if not path.exists():
        return None
    try:
        with _opened(path) as connection:
            trouble = _structure(connection)
    except sqlite3.DatabaseError as error:
        return _failed(error, "the next run makes a new one, without the history of earlier runs in Prefect's pages")
    return ("damaged", f"{trouble}; the next run makes a new one") if trouble else ("sound", "its structure is whole")


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """A database for reading, also on a disk that cannot be written."""
    address = path.absolute().as_uri()
    connection = sqlite3.connect(f"{address}?mode=ro", uri=True, timeout=WAIT)
    with closing(connection):
        try:
            connection.execute("SELECT 1 FROM sqlite_master").fetchone()
        except sqlite3.OperationalError as error:
            if "unable to open" not in str(error):
                raise
            # Its log cannot be made ready to read there: what is in the file itself is read.
            with closing(sqlite3.connect(f"{address}?immutable=1", uri=True)) as other:
                yield other
        else:
            yield connection


def _structure(connection: sqlite3.Connection) -> str | None:
    found = [line for (line,) in connection.execute("PRAGMA integrity_check(1)")]
    return None if found == ["ok"] else " ".join(str(found[0]).split())


def _failed(error: sqlite3.DatabaseError, remedy: str) -> Judged:
    if "locked" in str(error):
        return "in work", "a process has it open for writing"
    return "damaged", f"cannot be read ({error}); {remedy}"


def _differs(connection: sqlite3.Connection, directory: Path, notes: dict[str, Any]) -> str | None:
    """What a run of MLflow has otherwise than the stage's files. One that was deleted in MLflow differs in nothing."""
    run = notes["run"]
    if connection.execute("SELECT 1 FROM runs WHERE run_uuid = ?", (run,)).fetchone() is None:
        return None
    params = dict(connection.execute("SELECT key, value FROM params WHERE run_uuid = ?", (run,)).fetchall())
    for name, value in notes.get("settings", {}).items():
        if params.get(name) != value:
            return f"setting {name} is not that"
    points = {
        (name, step): None if is_nan else value
        for name, step, value, is_nan in connection.execute("SELECT key, step, value, is_nan FROM metrics WHERE run_uuid = ?", (run,))
    }
    # A stage that went on has made some steps twice, and MLflow may have those of before, with other times.
    once = (read_record(directory / STATE) or {}).get("attempt", 1) == 1
    for row in read_steps(directory / "metrics.jsonl"):
        for name, value in row.items():
            found = points.get((chart_name(name), row["step"]), MISSING)
            same = found == (None if math.isnan(value) else value) or math.isinf(value)
            if name != "step" and (found is MISSING or (once and not same)):
                return f"metric {name} of step {row['step']} is not that"
    return None
