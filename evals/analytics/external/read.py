"""The responses of a file of any framework."""

from collections.abc import Iterator
from itertools import chain

from evals.analytics.external.files import File
from evals.analytics.external.formats import Format, formats
from evals.analytics.external.response import ExternalFileError, Response, Row
from evals.analytics.external.table import ROLES, table
from rl_core.nearest import nearest

ANY_TABLE = Format("table", recognises=lambda row, file: True, read=table(ROLES), columns=True)


def format_called(name: str) -> Format:
    """The format that a person calls so. Raises ExternalFileError with the nearest name."""
    known = {one.name.lower().replace("-", "_").replace(" ", "_"): one for one in (*formats(), ANY_TABLE)}
    called = name.lower().replace("-", "_").replace(" ", "_")
    if called not in known:
        raise ExternalFileError(f"no format of rollouts is called {name!r}; {nearest(called, known)}")
    return known[called]


def read_responses_of(file: File) -> Iterator[Response]:
    """The responses of one file, whose notes and form are known after the last.

    Raises ExternalFileError if the file is broken or empty, has no column for the response or no generated text.
    """
    rows = file.rows()
    first = next(rows)
    found = _format_of(first, file)
    file.columns = found.columns
    if file.mapping and not found.columns:
        raise ExternalFileError(
            f"{file.path}: --map names columns of tables; this is a file of {found.name}, whose form is known: leave it out"
        )
    try:
        yield from found.read(chain([first], rows), file)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        if isinstance(error, ExternalFileError):
            raise
        kind = "" if found is ANY_TABLE else f" as a file of {found.name}"
        raise ExternalFileError(f"{file.path}, row {file.row}: cannot be read{kind} ({type(error).__name__}: {error})") from error


def _format_of(first: Row, file: File) -> Format:
    """That of a file with this first row."""
    if file.form:
        found = format_called(file.form)
        if not found.recognises(first, file):
            columns = ", ".join(first)
            raise ExternalFileError(
                f"{file.path}, row 1: not as {found.name} writes it, with {columns}; leave `format` out: it is recognised"
            )
        return found
    # Who names the column of the response has a table.
    return ANY_TABLE if "response" in file.mapping else next((one for one in formats() if one.recognises(first, file)), ANY_TABLE)
