"""Files are the old or the new, never half of one."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from rl_core.files import in_one_piece, write_json


def test_new_content_is_there_at_the_end_and_not_before(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with in_one_piece(path) as aside:
        aside.write_text("new")
        assert path.read_text() == "old"
        assert aside.parent == tmp_path  # else it could not take its place at once
        assert aside.name.startswith(".")  # which no reader of a stage's directory takes for an output
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_leaves_the_old_content_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"a": [1]})
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, {"a": [1, math.nan]})

    def interrupted() -> None:
        with in_one_piece(path) as aside:
            aside.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert json.loads(path.read_text()) == {"a": [1]}
    assert list(tmp_path.iterdir()) == [path]


def test_two_writers_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with in_one_piece(path) as first, in_one_piece(path) as second:
        first.write_text("first")
        second.write_text("second")
    assert path.read_text() == "first"  # whose block ends last
