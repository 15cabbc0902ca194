"""Pages about a warehouse: the report of an experiment, and several runs compared. Their questions are the files in `sql/`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from evals.analytics.figures.plotting import rows

if TYPE_CHECKING:
    import duckdb

SQL = Path(__file__).parent / "sql"


def ask(connection: duckdb.DuckDBPyConnection, name: str, parameters: list[Any] | None = None) -> list[dict[str, Any]]:
    """The rows of `sql/NAME.sql`."""
    return rows(connection, (SQL / f"{name}.sql").read_text(), parameters)
