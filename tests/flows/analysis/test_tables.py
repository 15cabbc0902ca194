from __future__ import annotations

import io
from pathlib import Path

import pyarrow as pa
from rich.console import Console

from flows.analysis.tables import WIDTH, write_table

RESPONSE = "<think>\nFirst, Zoey says that Liam is a knave.\n</think>\n<answer>" + "(1) Zoey is a knight " * 10 + "</answer>"


def shown(table: pa.Table, width: int = 100) -> list[str]:
    text = io.StringIO()
    write_table(table, "table", None, Console(file=text, width=width))
    return text.getvalue().splitlines()


def test_a_single_row_is_shown_whole_with_its_lines() -> None:
    lines = shown(pa.table({"stage": ["warm"], "response": [RESPONSE]}))
    assert lines == ["stage", "  warm", "response", *(f"  {line}" for line in RESPONSE.splitlines())]


def test_a_single_row_that_fits_is_a_table() -> None:
    assert [line.rstrip() for line in shown(pa.table({"stage": ["warm"], "rollouts": [64]}))] == ["stage  rollouts", "warm         64"]


def test_cells_are_whole_where_the_terminal_is_wide_enough() -> None:
    text = "Did a stage collapse, and when? The worst step of each, and how bad it was"
    lines = shown(pa.table({"name": ["@collapse", "@cost"], "question": [text, "What did it cost?"]}))
    assert lines[1].rstrip() == f"@collapse  {text}"
    assert len(lines) == 3


def test_of_several_rows_long_cells_are_cut_and_that_is_said() -> None:
    lines = shown(pa.table({"stage": ["warm", "cold"], "response": [RESPONSE, "short"]}))
    assert len(lines) == 4
    assert lines[1].split()[-1].endswith("…")
    assert len(lines[1].removeprefix("warm   ").rstrip()) == WIDTH
    assert lines[-1] == "… 1 long cells are cut; --format json gives them whole"


def test_markdown_is_not_cut(tmp_path: Path) -> None:
    write_table(pa.table({"response": [RESPONSE]}), "markdown", tmp_path / "out.md", Console())
    assert "(1) Zoey is a knight " * 10 in (tmp_path / "out.md").read_text()


HOSTILE = "\x1b[2J\x1b]0;title\x07[/red] \u202egnp.exe\r\x9b31m"


def test_what_a_model_writes_moves_no_cursor_and_is_no_markup() -> None:
    for rows in (1, 3):
        for value in (HOSTILE, HOSTILE * 20):
            text = "\n".join(shown(pa.table({"[/red]\x1b[1m": [value] * rows, "n": [1] * rows})))
            assert not set(text) & set("\x1b\x07\r\x9b\u202e")
            assert "\\x1b[2J\\x1b]0;title\\x07[/red] \\u202egnp.exe" in text
            assert "[/red]\\x1b[1m" in text


def test_no_cell_of_a_csv_is_a_formula(tmp_path: Path) -> None:
    cells = ["=1+1", "@SUM(A1)", "+cmd|' /C calc'!A0", "-2+3", "\t=1", "-5", "+1,000.5", "a=b", "<think>"]
    write_table(pa.table({"=evil()": cells}), "csv", tmp_path / "out.csv", Console())
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert lines == ["'=evil()", "'=1+1", "'@SUM(A1)", "'+cmd|' /C calc'!A0", "'-2+3", "'\t=1", "-5", '"+1,000.5"', "a=b", "<think>"]
