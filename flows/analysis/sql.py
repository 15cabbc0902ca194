"""`r1flow sql`: one question, a script, or a conversation."""

import sys
from pathlib import Path

from evals.analytics.query import run
from evals.analytics.saved_queries import expand, saved_queries
from flows.analysis.sql_shell import interactive, parameters_of
from flows.analysis.tables import write_table
from flows.console import make_console
from tasks.workspace import Workspace


def answer(
    query: str | None,
    parameters: tuple[str, ...],
    *,
    form: str,
    output: Path | None,
    script: Path | None,
    allow_files: bool,
    database: Path | None,
    workspace: Workspace,
) -> None:
    """Answer in the format asked for. Raises InputError if the database, the SQL or a parameter is wrong."""
    own = workspace.root / "queries"
    file = database or workspace.warehouse
    if script is not None:
        parameters = (*([query] if query else []), *parameters)  # with --file every argument is one
        query = sys.stdin.read() if str(script) == "-" else script.read_text(encoding="utf-8")
    elif query is None and not sys.stdin.isatty():
        query = sys.stdin.read()
    if query is None:
        interactive(file, own, form, files=allow_files)
        return
    sql, values = expand(query, parameters_of(list(parameters)), saved_queries(own))
    write_table(run(file, sql, values, files=allow_files), form, output, make_console())
