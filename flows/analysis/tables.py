"""The answer of a SQL query, on a terminal or in a file."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from rl_core.errors import InputError
from tasks.format import visible

if TYPE_CHECKING:
    import pyarrow as pa
    from rich.console import Console

SHOWN = 100  # rows on a terminal
WIDTH = 60  # characters of one cell there, where a table is too wide; a single row is shown whole
FILE_WIDTH = 400  # characters of a line in a file


def write_table(table: pa.Table, form: str, output: Path | None, console: Console) -> None:
    """Write a table as `table`, `csv`, `json` (an array of objects), `markdown` or `parquet`.

    Raises:
        InputError: Parquet would go to a terminal.
        OSError: the file cannot be written; it names the file.
    """
    if form == "parquet" and output is None and sys.stdout.isatty():
        raise InputError("--format parquet is binary: give --output FILE, or redirect")
    if output is None:
        if form == "table":
            _print_rows(table, console)
        else:
            _write(table, form, sys.stdout.buffer)
            sys.stdout.buffer.flush()
        return
    try:
        if form == "table":
            with output.open("w", encoding="utf-8") as text:
                _print_rows(table, type(console)(file=text, width=FILE_WIDTH))
        else:
            with output.open("wb") as file:
                _write(table, form, file)
    except OSError as error:
        error.filename = str(output)  # an error while writing names no file
        raise


def _write(table: pa.Table, form: str, file: BinaryIO) -> None:
    if form == "parquet":
        import pyarrow.parquet as pq

        pq.write_table(table, file)
        return
    if form == "json":
        file.write((json.dumps(table.to_pylist(), default=str, ensure_ascii=False, indent=1) + "\n").encode())
        return
    if form == "markdown":
        rows = [table.column_names, ["---"] * table.num_columns, *([_line(value) for value in row.values()] for row in table.to_pylist())]
        cells = [[str(cell).replace("|", "\\|") for cell in row] for row in rows]
        file.write("".join(f"| {' | '.join(row)} |\n" for row in cells).encode())
        return
    import csv
    import io

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(map(_inert, table.column_names))
    writer.writerows([_inert(_flat(row[name])) for name in table.column_names] for row in table.to_pylist())
    file.write(text.getvalue().encode())


def _flat(value: Any) -> Any:
    """Lists and maps as JSON: a CSV cell has no structure."""
    return json.dumps(value, default=str, ensure_ascii=False) if isinstance(value, list | dict) else value


def _inert(value: Any) -> Any:
    """A text that a spreadsheet would take for a formula begins with an apostrophe; numbers are none."""
    formula = isinstance(value, str) and re.match(r"[=+\-@\t\r](?![0-9.,]*$)", value)
    return f"'{value}" if formula else value


def _print_rows(table: pa.Table, console: Console) -> None:
    from rich.table import Table
    from rich.text import Text  # what models write is no markup

    found = table.slice(0, SHOWN).to_pylist()
    rows = [[_line(value) for value in row.values()] for row in found]
    names, cut = table.column_names, 0
    wide = _width(names, rows) > console.width
    if wide and len(rows) > 1:
        cut = sum(len(cell) > WIDTH for row in rows for cell in row)
        rows = [[cell if len(cell) <= WIDTH else f"{cell[: WIDTH - 1]}…" for cell in row] for row in rows]
    if wide and len(rows) == 1:
        for name, value in found[0].items():
            text = "\n".join(f"  {line}" for line in _text(value).splitlines() or [""])
            console.print(visible(name), style="bold", highlight=False, markup=False)
            console.print(Text(text), soft_wrap=True)
    elif _width(names, rows) > console.width:  # too wide: each row as a block of lines
        for number, row in enumerate(rows, start=1):
            console.print(f"row {number}", style="bold", highlight=False)
            for name, cell in zip(names, row, strict=True):
                console.print(Text(f"  {name:<{max(map(len, names))}}  {cell}"), soft_wrap=True)
    else:
        shown = Table(box=None, pad_edge=False, header_style="bold")
        for field in table.schema:
            shown.add_column(Text(visible(field.name)), justify="right" if _is_number(field.type) else "left", no_wrap=True)
        for row in rows:
            shown.add_row(*map(Text, row))
        console.print(shown)
    if table.num_rows > SHOWN:
        console.print(f"{SHOWN} of {table.num_rows:,} rows; --format csv, json or parquet gives all", style="dim", highlight=False)
    elif cut:
        console.print(f"… {cut} long cells are cut; --format json gives them whole", style="dim", highlight=False)


def _width(names: list[str], rows: list[list[str]]) -> int:
    """Characters of a line of the table, two between columns."""
    return sum(max(map(len, column)) + 2 for column in zip(names, *rows, strict=True))


def _is_number(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _text(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else visible(str(_flat(value)))


def _line(value: Any) -> str:
    return " ".join(_text(value).split())
