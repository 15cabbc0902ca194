"""`r1flow sql` without a query: questions one after another, with history and completion."""

import re
import readline
import shlex
from pathlib import Path

from evals.analytics.query import QueryError, ask, connect
from evals.analytics.saved_queries import expand, saved_queries
from flows.analysis.tables import write_table
from flows.console import make_console

HELP = "SQL ends with ;   @query name=value asks a saved query   .queries   .tables   .columns TABLE   .quit"
WORDS = ("SELECT", "FROM", "WHERE", "GROUP BY ALL", "ORDER BY", "LIMIT", "JOIN", "USING", "HAVING", "QUALIFY", "DISTINCT", "FILTER")
FUNCTIONS = ("count", "avg")


def interactive(database: Path, own: Path, form: str, *, files: bool) -> None:
    """Read questions until .quit or the end of input.

    Args:
        own: directory of the user's saved queries.
        form: format of the answers, as for `r1flow sql --format`.
    """
    console = make_console()
    known = saved_queries(own)
    names = [*WORDS, *FUNCTIONS, *(f"@{name}" for name in known), ".queries", ".tables", ".columns", ".quit", *_names(database, files)]
    readline.set_completer_delims(" \t\n,()=;")
    readline.set_completer(lambda text, state: next(iter([name for name in names if name.lower().startswith(text.lower())][state:]), None))
    readline.parse_and_bind("tab: complete")
    console.print(HELP, style="dim", highlight=False)
    waiting = ""
    while True:
        try:
            line = input("   ...> " if waiting else "r1flow> ")
        except EOFError:
            return
        except KeyboardInterrupt:
            print()
            waiting = ""
            continue
        waiting = f"{waiting}\n{line}".strip()
        if waiting in (".quit", ".exit"):
            return
        if not waiting.startswith(("@", ".")) and not waiting.endswith(";"):
            continue
        question, waiting = waiting, ""
        try:
            sql, parameters = _read(question)
            with connect(database, files=files) as connection:  # again for every question: there may be a new snapshot
                write_table(ask(connection, *expand(sql, parameters, known)), form, None, console)
        except (QueryError, ValueError) as error:
            console.print(f"error: {error}", style="red", highlight=False, markup=False)


def _read(question: str) -> tuple[str, dict[str, str]]:
    if question.startswith("@"):
        name, *pairs = shlex.split(question.rstrip(";"))
        return name, parameters_of(pairs)
    if question == ".tables":
        views = "SELECT view_name, 'view', comment FROM duckdb_views() WHERE NOT internal"
        return f"SELECT table_name AS name, 'table' AS kind, comment FROM duckdb_tables() UNION ALL {views} ORDER BY kind, name", {}
    if question == ".queries":
        return "@queries", {}
    if match := re.fullmatch(r"\.columns (\w+)", question):
        return "SELECT column_name, data_type, comment FROM duckdb_columns() WHERE table_name = $name", {"name": match[1]}
    if question.startswith("."):
        raise QueryError(HELP)
    return question, {}


def parameters_of(pairs: list[str]) -> dict[str, str]:
    """`name=value` arguments. Raises QueryError if one is no such pair."""
    for pair in pairs:
        if not re.match(r"\w+=", pair):
            raise QueryError(f"{pair!r}: write parameters as name=value")
    return {key: value for key, _, value in (pair.partition("=") for pair in pairs)}


def _names(database: Path, files: bool) -> list[str]:
    with connect(database, files=files) as connection:
        found = connection.execute("SELECT DISTINCT unnest([table_name, column_name]) FROM duckdb_columns() WHERE NOT internal").fetchall()
    return sorted(name for (name,) in found)
