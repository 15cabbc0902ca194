"""The rows of a file of any format: JSON lines, JSON, CSV, Parquet, the zip archives of Inspect."""

import csv
import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from evals.analytics.external.response import ExternalFileError, Row
from rl_core.data.json_text import parse_json
from rl_core.errors import first_line

LONGEST = 2**31 - 1  # characters of a cell of a CSV file
ZSTANDARD = 93  # a method of compression that `zipfile` of Python 3.11 does not know
Notes = dict[str, dict[Path, None]]  # files by note, in the order of discovery
TORCH = (".pt", ".pth", ".pkl", ".bin")


@dataclass
class File:
    """A file that is being read.

    Attributes:
        mapping: columns by role (`ROLES` in table.py) as the user named them, such as {"response": "text"}; a reward may be several
            columns with commas between.
        form: the format as a person calls it; default: it is recognised.
        head: what a JSON file or an archive has besides its rows.
        row: number of the row that was read last, from 1.
        columns: whether `mapping` can name its columns; known once its format is.
        notes: what a reader of the result should know, with the files it is about.
    """

    path: Path
    mapping: Mapping[str, str] = field(default_factory=dict)
    form: str | None = None
    head: Row = field(default_factory=dict)
    row: int = 0
    columns: bool = True
    notes: Notes = field(default_factory=dict)

    def note(self, text: str) -> None:
        self.notes.setdefault(text, {})[self.path] = None

    def rows(self) -> Iterator[Row]:
        """Rows in their order. Raises ExternalFileError if the file is broken or of a kind that is not read."""
        for row in self._read():
            self.row += 1
            if not isinstance(row, dict):
                raise ExternalFileError(f"{self.path}, row {self.row}: not an object with columns")
            yield row
        if not self.row:
            raise ExternalFileError(f"{self.path}: has no rows")

    def _read(self) -> Iterator[Any]:
        path = self.path
        if not path.is_file():
            raise ExternalFileError(f"{path}: {'a directory; name its files' if path.is_dir() else 'no such file'}")
        try:
            match path.suffix:
                case ".parquet":
                    yield from _parquet(path)
                case ".csv":
                    csv.field_size_limit(LONGEST)
                    with path.open(newline="", encoding="utf-8") as file:
                        yield from csv.DictReader(file)
                case ".json":
                    yield from self._json()
                case ".eval":
                    yield from self._archive()
                case suffix if suffix in TORCH:
                    raise ExternalFileError(
                        f"{path}: a torch or pickle file, such as a rollout dump of slime, is not read: it could run code; "
                        "write its samples as JSON lines with prompt, response and reward"
                    )
                case _:
                    yield from _lines(path)
        except OSError as error:
            raise ExternalFileError(f"{path}: cannot be read: {first_line(error)}") from error
        except (ValueError, csv.Error, zipfile.BadZipFile) as error:
            if isinstance(error, ExternalFileError):
                raise
            raise ExternalFileError(f"{path}: not a readable {path.suffix or 'JSON lines'} file: {first_line(error)}") from error

    def _json(self) -> Iterator[Any]:
        try:
            content = parse_json(self.path.read_text(encoding="utf-8"))
        except json.JSONDecodeError as error:
            if error.msg != "Extra data":
                raise
            yield from _lines(self.path)  # JSON lines that are called .json
            return
        if isinstance(content, dict):
            lists = {name: part for name, part in content.items() if isinstance(part, list)}
            name = "samples" if "samples" in lists else next(iter(lists), None)  # such as {"data": [rows]}
            if name is None:
                raise ExternalFileError(f"{self.path}: holds no list of rows")
            self.head = {key: part for key, part in content.items() if key != name}
            content = lists[name]
        yield from content

    def _archive(self) -> Iterator[Any]:
        with zipfile.ZipFile(self.path) as archive, self.path.open("rb") as raw:
            names = archive.namelist()
            head = next((name for name in ("header.json", "_journal/start.json") if name in names), None)
            if head is None:
                raise ExternalFileError(f"{self.path}: an archive, but no log of Inspect (it has no header.json)")
            self.head = parse_json(_member(archive, archive.getinfo(head), raw))
            for name in sorted(names):
                if name.startswith("samples/") and name.endswith(".json"):
                    yield parse_json(_member(archive, archive.getinfo(name), raw))


def _parquet(path: Path) -> Iterator[Any]:
    import pyarrow.parquet as pq

    for batch in pq.ParquetFile(path).iter_batches(4096):
        yield from batch.to_pylist()


def _lines(path: Path) -> Iterator[Any]:
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                try:
                    row = parse_json(line)
                except ValueError as error:
                    raise ExternalFileError(f"{path}, line {number}: not JSON ({error})") from error
                if not isinstance(row, dict):
                    raise ExternalFileError(f"{path}, line {number}: not a JSON object")
                yield row


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, raw: BinaryIO) -> str:
    """A file of an archive, also where it is compressed with Zstandard."""
    if info.compress_type != ZSTANDARD:
        return archive.read(info).decode()
    import pyarrow as pa

    raw.seek(info.header_offset + 26)
    lengths = raw.read(4)  # of the name and the extra field, after which the data begins
    raw.seek(int.from_bytes(lengths[:2], "little") + int.from_bytes(lengths[2:], "little"), 1)
    with pa.CompressedInputStream(pa.BufferReader(raw.read(info.compress_size)), "zstd") as stream:
        return bytes(stream.read()).decode()
