"""Read-only SQL on a warehouse file: it cannot change the database, nor read or write any other file."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evals.analytics.errors import is_of_the_system
from rl_core.errors import InputError

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

_LOCKING = threading.Lock()
POINTER = 'tables and columns: r1flow sql "SELECT * FROM duckdb_columns() WHERE NOT internal", or evals/analytics/README.md'


class QueryError(InputError):
    """The database is missing or unreadable, or the SQL is refused; one line."""


def run(database: Path, sql: str, parameters: Mapping[str, str] | None = None, *, files: bool = False) -> pa.Table:
    """The result of the last statement in `sql`.

    Args:
        parameters: values of `$name` in the SQL; what reads as a number is one.
        files: let the SQL read and write other files.

    Raises:
        QueryError: no such database, or DuckDB refuses a statement (its own suggestion of a name is kept).
    """
    with connect(database, files=files) as connection:
        return ask(connection, sql, parameters or {})


def ask(connection: duckdb.DuckDBPyConnection, sql: str, parameters: Mapping[str, str]) -> pa.Table:
    """The result of the last statement in `sql` on an open connection.

    Raises QueryError if DuckDB refuses a statement, or a parameter is missing or not used.
    """
    import duckdb

    values = {name: _value(text) for name, text in parameters.items()}
    try:
        statements = connection.extract_statements(sql)
        wanted = set().union(*(statement.named_parameters for statement in statements))
        if missing := sorted(wanted - set(values)):
            raise QueryError(f"${missing[0]} has no value: add {missing[0]}=…")
        if unused := sorted(set(values) - wanted):
            raise QueryError(f"{unused[0]}=…: the query has no ${unused[0]}")
        answer = None
        for statement in statements:
            relation = connection.sql(statement.query, params={name: values[name] for name in statement.named_parameters} or None)
            answer = relation.to_arrow_table() if relation is not None else None
    except duckdb.Error as error:
        raise QueryError(_one_line(error)) from error
    if answer is None:
        raise QueryError("the statement returns no rows; write a SELECT, such as: SELECT * FROM reward_by_step")
    return answer


def connect(database: Path, *, files: bool = False) -> duckdb.DuckDBPyConnection:
    """A read-only connection; without `files` it has no access to files, network, extensions or Python variables.

    Raises:
        QueryError: no such database, or not a readable one.
    """
    import duckdb

    if not database.is_file():
        raise QueryError(f"{database}: no such database; `r1flow ingest` or an analyze stage writes it")
    fixed: dict[str, Any] = {"python_enable_replacements": "false", "temp_directory": f"{database}.tmp"}
    try:
        with _LOCKING:
            connection = duckdb.connect(database, read_only=True, config=fixed)
            # Not given when the database is opened: DuckDB looks for a log then, and where the path has a `?`, for one in another place.
            is_locked = connection.execute("SELECT current_setting('lock_configuration')").fetchall()
            if is_locked == [(False,)]:  # else another connection of this process has set it, which is to the same database
                if not files:
                    connection.execute("SET enable_external_access = false")
                connection.execute("SET lock_configuration = true")
            return connection
    except duckdb.Error as error:
        raise QueryError(f"{database}: {_why_closed(database, error)}") from error


def _why_closed(database: Path, error: Exception) -> str:
    if holder := re.search(r"Conflicting lock is held in (.*?)\s*\(PID (\d+)\)", str(error)):
        return f"process {holder[2]} ({Path(holder[1]).name}) has it open for writing; wait until it closes it, or end it"
    if database.with_name(f"{database.name}.wal").exists():
        return "another program wrote into it, and its log does not fit any more; `r1flow ingest` makes it whole again"
    if is_of_the_system(error):
        return f"cannot be opened ({_one_line(error)}); nothing is damaged: remove the cause, and ask again"
    return f"not a readable DuckDB file ({_one_line(error)}); move it away, and `r1flow ingest` makes it again from the stages' files"


def _value(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _one_line(error: Exception) -> str:
    """DuckDB's message without the source excerpt: the error and, where it has one, the suggestion; else where to look."""
    lines = [line.strip() for line in str(error).splitlines()]
    end = next((index for index, line in enumerate(lines) if line.startswith("LINE ")), len(lines))
    message = " ".join(line for line in lines[:end] if line)
    unknown = message.startswith(("Catalog Error", "Binder Error")) and "Did you mean" not in message
    return f"{message} ({POINTER})" if unknown else message
