"""Files that are written in one piece: a reader, and a process that is killed, finds the old content or the new."""

import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def in_one_piece(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to; what is there at the end is on the disk, and in the place of `path`.

    Nothing is left of it after an error.
    """
    aside = path.with_name(f".{path.name}.{uuid.uuid4().hex}.partial")
    try:
        yield aside
        with aside.open("rb") as written:
            os.fsync(written.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def write_json(path: Path, content: Any) -> None:
    with in_one_piece(path) as aside:
        aside.write_text(json.dumps(content, indent=1, allow_nan=False), encoding="utf-8")
