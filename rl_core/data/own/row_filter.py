"""Which rows count: a DuckDB expression over their columns, without access to files, network or settings."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from rl_core.data.prompts import DataError
from rl_core.nearest import nearest

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

TABLE, NUMBER = "rows", "number of the row"


class RowFilter:
    """Takes rows one after another, keeps the columns that the expression names, and then says which rows it is true of."""

    def __init__(self, expression: str) -> None:
        """Raises DataError for what is no expression."""
        self.expression = expression
        self._columns: dict[str, list[Any]] = {name: [] for name in _names_in(expression)}
        self._known: dict[str, None] = {}
        self._rows = 0

    def add(self, row: dict[str, Any]) -> None:
        """Take the next row."""
        self._rows += 1
        self._known |= dict.fromkeys(row)
        for name, values in self._columns.items():
            values.append(row[name] if name in row else next((row[key] for key in row if key.casefold() == name.casefold()), None))

    def places(self) -> set[int]:
        """The rows that count, from 0; raises DataError with DuckDB's reason."""
        import duckdb
        import pyarrow as pa

        known = {name.casefold() for name in self._known}
        there = {name: _array(values) for name, values in self._columns.items() if name.casefold() in known}
        table = pa.table({NUMBER: pa.array(range(self._rows), pa.int64()), **there})
        try:
            with _closed_connection() as connection:
                connection.register(TABLE, table)
                found = connection.execute(f'SELECT "{NUMBER}" FROM {TABLE} WHERE (\n{self.expression}\n)').fetchall()
        except duckdb.Error as error:
            raise DataError(f"where {self.expression!r}: {self._reason(error)}") from error
        return {number for (number,) in found}

    def _reason(self, error: Exception) -> str:
        unknown = [name for name in self._columns if name.casefold() not in {other.casefold() for other in self._known}]
        if missing := next((name for name in unknown if f'"{name}" not found' in str(error)), None):
            return f"the rows have no column {missing!r}; {nearest(missing, self._known)}"
        return _reason(error)


def check_expression(expression: str) -> None:
    """Raises DataError, with DuckDB's reason, for what is no expression."""
    _names_in(expression)


def _names_in(expression: str) -> list[str]:
    """The columns that an expression may name: the first parts of its names."""
    import duckdb

    with _closed_connection() as connection:
        try:
            [(text,)] = connection.execute("SELECT json_serialize_sql(?)", [f"SELECT (\n{expression}\n)"]).fetchall()
        except duckdb.Error as error:
            raise DataError(f"where {expression!r}: {_reason(error)}") from error
    parsed = json.loads(text)
    if parsed["error"]:
        raise DataError(f"where {expression!r}: {parsed['error_message']}")
    node = parsed["statements"][0]["node"]
    selected = node.get("select_list", [])
    # `()` and `(a, b)` are rows.
    alone = len(selected) == 1 and selected[0]["class"] != "STAR" and selected[0].get("function_name") != "row"
    if not alone or len(parsed["statements"]) > 1 or node["from_table"]["type"] != "EMPTY" or node["where_clause"]:
        raise DataError(f"where {expression!r}: this is no expression; write one that is true or false of a row, such as level >= 3")
    return list(dict.fromkeys(name for names in _column_names(node) for name in names[:1]))


def _column_names(node: Any) -> Iterator[list[str]]:
    if isinstance(node, dict):
        if node.get("type") == "COLUMN_REF":
            yield node["column_names"]
        for part in node.values():
            yield from _column_names(part)
    elif isinstance(node, list):
        for part in node:
            yield from _column_names(part)


def _closed_connection() -> duckdb.DuckDBPyConnection:
    """A database in memory that reaches nothing else; one thread, so that what is random is the same every time."""
    import duckdb

    connection = duckdb.connect(":memory:", config={"python_enable_replacements": "false", "threads": 1})
    connection.execute("SET enable_external_access = false; SELECT setseed(0); SET lock_configuration = true")
    return connection


def _array(values: Iterable[Any]) -> pa.Array:
    """A column of one type; where rows differ in it, texts, JSON for what is none."""
    import pyarrow as pa

    values = list(values)
    try:
        return pa.array(values)
    except (pa.ArrowException, OverflowError):
        return pa.array([value if value is None or isinstance(value, str) else json.dumps(value, default=str) for value in values])


def _reason(error: Exception) -> str:
    """DuckDB's message in one line, without the excerpt of the statement."""
    lines = [line.strip() for line in str(error).splitlines()]
    end = next((index for index, line in enumerate(lines) if line.startswith("LINE ")), len(lines))
    return " ".join(line for line in lines[:end] if line)
