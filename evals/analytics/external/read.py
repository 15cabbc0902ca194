"""The responses of a file of any framework."""

from collections.abc import Iterator
from itertools import chain

from evals.analytics.external.files import File
from evals.analytics.external.formats import Format, formats
from evals.analytics.external.response import ExternalFileError, Response
from evals.analytics.external.table import ROLES, table

ANY_TABLE = Format("table", recognises=lambda row, file: True, read=table(ROLES), columns=True)


def read_responses_of(file: File) -> Iterator[Response]:
    """The responses of one file, whose notes and form are known after the last.

    Raises ExternalFileError if the file is broken or empty, has no column for the response or no generated text.
    """
    rows = file.rows()
    first = next(rows)
    # Who names the column of the response has a table.
    found = ANY_TABLE if "response" in file.mapping else next((one for one in formats() if one.recognises(first, file)), ANY_TABLE)
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
