"""The schema's versions: numbered SQL files, run in order, each once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

SQL = Path(__file__).parent / "sql"
MIGRATIONS = sorted((SQL / "migrations").glob("*.sql"))
SCHEMA_VERSION = len(MIGRATIONS)
# A migration that changes what is read in responses leaves the rows it found under these names.
OLD_TABLES = {"rollouts": "old_rollouts", "eval_samples": "old_samples"}


def schema_version(connection: duckdb.DuckDBPyConnection) -> int | None:
    """Version of the database in use; None if it is no warehouse."""
    import duckdb

    try:
        row = connection.execute("SELECT version FROM schema_version").fetchone()
    except duckdb.Error:
        return None
    return int(row[0]) if row else None


def migrate(connection: duckdb.DuckDBPyConnection, version: int) -> None:
    """Bring a database from `version` (0: empty) to the last one and define the views again, in the caller's transaction."""
    if version and version < SCHEMA_VERSION:
        for (name,) in connection.execute(
            "SELECT view_name FROM duckdb_views() WHERE NOT internal AND database_name = current_database()"
        ).fetchall():
            connection.execute(f'DROP VIEW "{name}"')
    for number, path in enumerate(MIGRATIONS, start=1):
        if number > version:
            connection.execute(path.read_text(encoding="utf-8"))
    if not version:
        connection.execute("INSERT INTO schema_version VALUES (?)", [SCHEMA_VERSION])
        for table in OLD_TABLES.values():
            connection.execute(f"DROP TABLE {table}")
    elif version < SCHEMA_VERSION:
        connection.execute("UPDATE schema_version SET version = ?", [SCHEMA_VERSION])
    connection.execute((SQL / "views.sql").read_text(encoding="utf-8"))
