from __future__ import annotations

import json
from pathlib import Path

import pytest

from rl_core.fence import Fence
from rl_core.training.journal import Journal, read_steps

GOOD = [json.dumps({"step": step, "reward": step / 10}) for step in range(1, 5)]
DAMAGED = ['{"step": 2, "rew', "", "null", "[1]", '{"reward": 1}', '{"step": "2"}', "\x00\x00", '{"step": 2}x']


@pytest.mark.parametrize("damaged", DAMAGED)
def test_damaged_lines_are_left_out_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str], damaged: str) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text("\n".join([GOOD[0], damaged, *GOOD[2:], '{"step": 5, "rew']))  # the last one was cut off as it was written
    assert [row["step"] for row in read_steps(path)] == [1, 3, 4]
    Journal(tmp_path, 9, Fence(None)).rewind(3)
    assert path.read_text() == f"{GOOD[0]}\n{GOOD[2]}\n"
    assert "1 damaged line(s) are left out" in capsys.readouterr().err


def test_a_whole_file_is_cut_at_the_step_without_a_word(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text("".join(f"{line}\n" for line in GOOD))
    Journal(tmp_path, 9, Fence(None)).rewind(2)
    assert path.read_text() == f"{GOOD[0]}\n{GOOD[1]}\n"
    assert capsys.readouterr().err == ""
    assert list(read_steps(tmp_path / "none.jsonl")) == []
