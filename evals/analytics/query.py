"""Read-only SQL on a warehouse file: it cannot change the database, nor read or write any other file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa


# Given when the database is opened: a second connection of the same process then finds the same settings, and cannot change them.
LOCKED = {"enable_external_access": "false", "python_enable_replacements": "false", "lock_configuration": "true"}


class QueryError(ValueError):
    """The database is missing or unreadable, or the SQL is refused; one line."""


def run(database: Path, sql: str) -> pa.Table:
    """The result of the last statement in `sql`.

    Raises:
        QueryError: no such database, or DuckDB refuses the statement (its own suggestion of a name is kept).
    """
    import duckdb

    with connect(database) as connection:
        try:
            relation = connection.sql(sql)
            if relation is None:
                raise QueryError("the statement returns no rows; write a SELECT, such as: SELECT * FROM reward_by_step")
            return relation.to_arrow_table()
        except duckdb.Error as error:
            raise QueryError(_one_line(error)) from error


def connect(database: Path) -> duckdb.DuckDBPyConnection:
    """A read-only connection without access to files, network, extensions or Python variables.

    Raises:
        QueryError: no such database, or not a readable one.
    """
    import duckdb

    if not database.is_file():
        raise QueryError(f"{database}: no such database; an analyze stage writes it: r1flow run RECIPE")
    try:
        connection = duckdb.connect(database, read_only=True, config=LOCKED)
    except duckdb.Error as error:
        raise QueryError(
            f"{database}: not a readable DuckDB file ({_one_line(error)}); remove it and run the analyze stage again"
        ) from error
    return connection


def _one_line(error: Exception) -> str:
    """DuckDB's message without the source excerpt: the error and, where it has one, the suggestion."""
    lines = [line.strip() for line in str(error).splitlines()]
    end = next((index for index, line in enumerate(lines) if line.startswith("LINE ")), len(lines))
    return " ".join(line for line in lines[:end] if line)
