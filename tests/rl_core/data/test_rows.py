import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rl_core.data.prompts import DataError
from rl_core.data.rows import count_rows, iterate_rows, read_rows

ROWS = [{"q": "a\u2028b", "n": 1}, {"q": '"x", y\n', "n": 2}, {"q": "\ufeffz", "n": 3}]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "rows.jsonl").write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in ROWS) + "\n\n", encoding="utf-8")
    (tmp_path / "lines.json").write_text((tmp_path / "rows.jsonl").read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "rows.json").write_text(json.dumps(ROWS, indent=1))
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "rows.parquet")
    (tmp_path / "rows.csv").write_text('q,n\r\n"a\u2028b",1\r\n"""x"", y\n",2\r\n\ufeffz,3\r\n', encoding="utf-8", newline="")
    return tmp_path


@pytest.mark.parametrize("name", ["rows.jsonl", "lines.json", "rows.json", "rows.parquet", "rows.csv"])
def test_the_same_rows_of_every_kind_of_file(folder: Path, name: str) -> None:
    expected = [row | {"n": str(row["n"])} for row in ROWS] if name.endswith("csv") else ROWS
    assert read_rows(folder / name) == expected
    assert count_rows(folder / name) == (4 if name.endswith("csv") else 3)  # lines of a CSV file: one row takes two


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    for name, text in (("a.jsonl", '{"q": 1}\n'), ("a.json", '[{"q": 1}]'), ("a.csv", "q\n1\n")):
        (tmp_path / name).write_bytes(b"\xef\xbb\xbf" + text.encode())
        assert list(read_rows(tmp_path / name)[0]) == ["q"]


def test_broken_rows_are_named_and_the_others_read(tmp_path: Path) -> None:
    lines, table = tmp_path / "a.jsonl", tmp_path / "a.csv"
    lines.write_bytes(b'{"q": 1}\n\n{"q": 2\n{"q": "\xff"}\n{"q": 3}\n')
    assert [(row.where, row.broken) for row in iterate_rows(lines) if row.broken] == [
        (f"{lines}: row 3", "is not JSON (Expecting ',' delimiter)"),
        (f"{lines}: row 4", "is not UTF-8 text (invalid start byte at its byte 7)"),
    ]
    assert [row.content for row in iterate_rows(lines) if not row.broken] == [{"q": 1}, {"q": 3}]
    table.write_text('a,b\n1,2\n"x\ny",2,3\n\n5\n6,7\n')
    assert [(row.where, row.broken) for row in iterate_rows(table) if row.broken] == [
        (f"{table}: line 3", "has 3 values, and the file has 2 columns"),
        (f"{table}: line 6", "has 1 values, and the file has 2 columns"),
    ]
    assert [row.content for row in iterate_rows(table) if not row.broken] == [{"a": "1", "b": "2"}, {"a": "6", "b": "7"}]


@pytest.mark.follows("{} {}; repair or remove it")
def test_a_broken_row_is_repaired(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"q": 1}\n{"q": \n')
    with pytest.raises(DataError, match=r"a.jsonl: row 2 is not JSON \(Expecting value\); repair or remove it"):
        read_rows(path)
    path.write_text('{"q": 1}\n')
    assert read_rows(path) == [{"q": 1}]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'a,b\n"1,2\n', "not a readable CSV file .* at line 2"),
        (b"a\nb\xe4r\n", "not UTF-8 text .*0xe4.*; save it as UTF-8"),
        ("a\n1\n".encode("utf-16"), "not UTF-8 text"),
        (b"a,b,a\n1,2,3\n", "two columns are called 'a'; rename one of them"),
    ],
)
@pytest.mark.follows("rename one of them", "not a readable CSV file ({} at line {}); repair it")
def test_csv_files_that_cannot_be_read(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_rows(path)
    path.write_text("a,b\n1,2\n")
    assert read_rows(path) == [{"a": "1", "b": "2"}]


def test_a_long_cell_of_a_csv_file(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"a,b\n1,{'x' * 200_000}\n")
    assert len(read_rows(path)[0]["b"]) == 200_000


def test_a_json_file_that_is_neither_list_nor_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"a": 1}')
    with pytest.raises(DataError, match="a list of objects is wanted"):
        read_rows(path)
    path.write_text('[{"a": 1},]')
    with pytest.raises(DataError, match="line 1 is not JSON"):
        read_rows(path)
    assert count_rows(path) == count_rows(tmp_path / "none.jsonl") == 0
