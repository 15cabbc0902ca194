"""Queries by name: those that are shipped, and those a user keeps as .sql files."""

import re
from dataclasses import dataclass
from pathlib import Path

from evals.analytics.keywords import literal
from evals.analytics.query import QueryError
from rl_core.nearest import nearest

SHIPPED = Path(__file__).parent / "queries"
_PARAMETER = re.compile(r"-- (\w+)(?: = (.*?))?: (.*)")


@dataclass(frozen=True)
class SavedQuery:
    """A query with the question that it answers and its parameters: name to default (None: must be given)."""

    name: str
    question: str
    parameters: dict[str, str | None]
    sql: str


def saved_queries(own: Path) -> dict[str, SavedQuery]:
    """The shipped queries, and those in the directory `own`, which go first."""
    return {path.stem: _read(path) for path in (*sorted(SHIPPED.glob("*.sql")), *sorted(own.glob("*.sql")))}


def _read(path: Path) -> SavedQuery:
    """The comments on top: first the question, then `-- name = default: meaning` for every parameter."""
    text = path.read_text(encoding="utf-8")
    comments = [line for line in text.splitlines() if line.startswith("-- ")]
    found = [match for line in comments[1:] if (match := _PARAMETER.fullmatch(line))]
    question = comments[0].removeprefix("-- ") if comments else ""
    return SavedQuery(path.stem, question, {match[1]: match[2] for match in found}, text)


def expand(text: str, parameters: dict[str, str], known: dict[str, SavedQuery]) -> tuple[str, dict[str, str]]:
    """SQL and parameters of what was typed: `@name` means the saved query, with its defaults where nothing is given, and
    `@queries` for a list of them.

    Raises:
        QueryError: no such query, or a parameter that it does not have or that is missing.
    """
    name = text.strip().rstrip(";")
    if not name.startswith("@"):
        return text, parameters
    if name == "@queries":
        rows = ", ".join(
            f"({literal(f'@{query.name}')}, {literal(query.question)}, {literal(' '.join(query.parameters))})" for query in known.values()
        )
        return f"SELECT * FROM (VALUES {rows}) AS queries(name, question, parameters)", {}
    query = known.get(name[1:])
    if query is None:
        raise QueryError(f"no saved query {name}; {nearest(name, [f'@{other}' for other in known])}")
    for given in parameters:
        if given not in query.parameters:
            raise QueryError(f"{name} has no parameter {given!r}; {nearest(given, query.parameters)}")
    values = query.parameters | parameters
    if missing := [name for name, value in values.items() if value is None]:
        raise QueryError(f"{name} needs {missing[0]}=…")
    return query.sql, {name: value for name, value in values.items() if value is not None}
