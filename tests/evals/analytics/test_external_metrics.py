from __future__ import annotations

import json
from pathlib import Path

import pytest

from evals.analytics.external.metrics import read_metrics
from evals.analytics.external.response import ExternalFileError

WANTED = {1: {"loss": 2.0, "reward": 0.5}, 2: {"loss": 1.5, "reward": 1.0}}
ROWS = [{"step": step, **values} for step, values in WANTED.items()]
# As trainers write them.
FILES = {
    "own.jsonl": "".join(json.dumps(row) + "\n" for row in ROWS),
    "own.json": json.dumps(ROWS),
    "own.csv": "step,loss,reward,phase\n1,2.0,0.5,warm\n2,1.5,1,\n",
    "by_step.json": json.dumps({str(step): values for step, values in WANTED.items()}),
    "columns.json": json.dumps({"step": [1, 2], "loss": [2.0, 1.5], "reward": [0.5, 1.0]}),
    "verl.jsonl": "".join(json.dumps({"step": step, "data": values}) + "\n" for step, values in WANTED.items()),
    # transformers: the state of a trainer; the last entry is about the whole run
    "trainer_state.json": json.dumps(
        {"global_step": 2, "max_steps": 2, "log_history": [ROWS[0], {"loss": 1.5, "step": 2}, {"reward": 1.0, "step": 2}], "is_local": True}
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_every_form(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(FILES[name])
    assert read_metrics([tmp_path / name]) == WANTED


def test_later_files_add_to_earlier_ones(tmp_path: Path) -> None:
    first, second = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    first.write_text('{"step": 2, "loss": 9, "kl": 1}\n{"step": 1, "loss": 3}\n')
    second.write_text('{"step": 2, "loss": 2}\n')
    assert list(read_metrics([first, second]).items()) == [(1, {"loss": 3.0}), (2, {"loss": 2.0, "kl": 1.0})]


def test_names_and_nested_values(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('{"n": 3, "data": {"actor/entropy": 0.5}, "time": {"gen": 2}, "note": "x", "good": true}\n{"n": 1.5}\n{"a": 1}\n')
    assert read_metrics([path], "n", {"entropy": "actor/entropy"}) == {3: {"entropy": 0.5, "time/gen": 2.0}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"loss": 1}\n', r"no row has a column with the step \(step, global_step, global_steps\); name it as `step`"),
        ("", "no row has a column with the step"),
        ('{"step": 1, "loss"', "cannot be read as metrics"),
        ('{"step": -1}\n{"step": "x"}\n{"step": true}\n[1]\n7\n', "no row has a column with the step"),
        ("[" * 100_000, "cannot be read as metrics"),
    ],
)
@pytest.mark.follows("name it as `step` of the metrics")
def test_what_is_no_metrics(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(text)
    with pytest.raises(ExternalFileError, match=message):
        read_metrics([path])
    if text.startswith('{"loss"'):
        assert read_metrics([path], "loss") == {1: {}}


def test_a_file_of_bytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ExternalFileError, match=r"x\.json: cannot be read as metrics"):
        read_metrics([path])
