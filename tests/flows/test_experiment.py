"""Runs that end before they are done: by Ctrl-C, and on a full disk. `tests/end_to_end` has whole ones."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.end_to_end.command import finish, start

MINI = Path(__file__).parents[1] / "fixtures" / "mini.yaml"

pytestmark = pytest.mark.slow


@pytest.mark.usefixtures("with_databases")
@pytest.mark.follows("stopped by a signal, with its checkpoint written; run again to go on")
def test_ctrl_c_keeps_the_checkpoint_and_the_next_run_goes_on(tmp_path: Path) -> None:
    command = ("run", str(MINI), "--until", "cold", "--set", "cold.steps=200", "--set", "cold.checkpoint_every=1000")
    process = start(tmp_path, *command)
    progress = wait_for_step(tmp_path, process)
    os.killpg(process.pid, signal.SIGINT)
    output = process.communicate(timeout=60)[0]
    assert process.returncode == 130, output
    assert "goes on from the last checkpoint" in output
    assert "Traceback" not in output
    assert json.loads((progress.parent / "state.json").read_text())["state"] == "stopped"
    stopped_at = json.loads(progress.read_text().splitlines()[-1])["step"]
    assert (progress.parent / "checkpoints" / f"step-{stopped_at:06d}").is_dir()
    with sqlite3.connect(tmp_path / ".prefect" / "prefect.db") as database:
        assert database.execute("SELECT state_name FROM flow_run").fetchall() != [("Completed",)]
    finish(start(tmp_path, *command))
    steps = [json.loads(line)["step"] for line in (progress.parent / "metrics.jsonl").read_text().splitlines()]
    assert steps == list(range(1, 201))


@pytest.fixture
def disk(databases: Path, tmp_path: Path) -> Iterator[Path]:
    """A file system of 300 MB, with a workspace."""
    place = tmp_path / "disk"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300m", "tmpfs", str(place)], capture_output=True, check=False).returncode:
        pytest.skip("only who may mount has a disk to fill")
    shutil.copytree(databases, place, dirs_exist_ok=True)
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.mark.follows("make room, and the same command goes on")
def test_a_disk_that_fills_up_is_one_line_and_with_room_the_run_goes_on(disk: Path) -> None:
    command = ("run", str(MINI), "--until", "cold", "--set", "cold.steps=60", "--set", "cold.checkpoint_every=20")
    process = start(disk, *command)
    wait_for_step(disk, process)
    with suppress(OSError), (disk / "filler").open("wb", buffering=0) as filler:
        while True:
            filler.write(bytes(1 << 20))
    output = process.communicate(timeout=120)[0]
    assert process.returncode == 1, output
    assert "Traceback" not in output
    assert f"the disk of {disk} is full; make room, and the same command goes on" in output.splitlines()[-1]
    (disk / "filler").unlink()
    finish(start(disk, *command))
    [metrics] = disk.glob("mini/cold-????????/metrics.jsonl")
    assert [json.loads(line)["step"] for line in metrics.read_text().splitlines()] == list(range(1, 61))


def wait_for_step(workspace: Path, process: subprocess.Popen[str]) -> Path:
    """Wait until the trainer has done a step; returns its progress file."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and process.poll() is None:
        for path in workspace.glob("mini/cold-*/progress.jsonl"):
            lines = path.read_text().splitlines()
            if len(lines) > 2:
                return path
        time.sleep(0.05)
    raise AssertionError("the trainer made no step")
