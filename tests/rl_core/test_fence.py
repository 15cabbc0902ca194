from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from rl_core.config.jobs import HeldLease
from rl_core.fence import Fence, LeaseLost, is_held
from rl_core.training.checkpoint import checkpoints, save_checkpoint
from rl_core.training.journal import Journal

# A process that works for a stage: it notes SIGTERM, and ends then or never.
WORKER = """
import os, signal, sys, time
from pathlib import Path
import rl_core.fence as fence
from rl_core.config.jobs import HeldLease
fence.GRACE, fence.SILENCE = 1.0, 2.0
directory, patient = Path(sys.argv[1]), sys.argv[2] == "patient"
def leave(*_):
    (directory / "told").touch()
    if patient:
        os._exit(75)
signal.signal(signal.SIGTERM, leave)
fence.end_with_owner(HeldLease(file=directory / "state.json", owner="me"))
(directory / "worker").write_text(str(os.getpid()))
while True:
    time.sleep(0.1)
"""


@pytest.fixture
def lease(tmp_path: Path) -> HeldLease:
    write(tmp_path / "state.json", "me")
    return HeldLease(file=tmp_path / "state.json", owner="me")


def write(path: Path, owner: str) -> None:
    path.write_text(json.dumps({"owner": {"id": owner}, "heartbeat": time.time()}))


def test_a_lease_is_held_while_its_file_names_the_owner(lease: HeldLease) -> None:
    assert is_held(lease)
    lease.file.write_text("{")  # a disk in trouble, not another owner
    assert is_held(lease)
    write(lease.file, "another")
    assert not is_held(lease)
    lease.file.unlink()
    assert not is_held(lease)


def test_nothing_is_written_into_a_stage_of_another_owner(lease: HeldLease, tmp_path: Path) -> None:
    fence = Fence(lease)
    journal = Journal(tmp_path, 3, fence)
    journal.log(1, {"reward": 1.0})
    save_checkpoint(tmp_path / "checkpoints", 1, lambda path: None, {"step": 1}, keep_last=1, fence=fence)
    write(lease.file, "another")
    before = sorted(tmp_path.rglob("*"))
    for attempt in (
        lambda: journal.log(2, {"reward": 1.0}),
        lambda: journal.rewind(0),
        lambda: journal.finish({}),
        lambda: save_checkpoint(tmp_path / "checkpoints", 2, lambda path: None, {"step": 2}, keep_last=1, fence=fence),
    ):
        with pytest.raises(LeaseLost, match="another process has taken this stage over"):
            attempt()
    assert sorted(tmp_path.rglob("*")) == before
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 1


def test_a_checkpoint_that_was_being_written_at_the_takeover_is_not_put_in_place(lease: HeldLease, tmp_path: Path) -> None:
    with pytest.raises(LeaseLost):
        save_checkpoint(tmp_path, 1, lambda path: write(lease.file, "another"), {"step": 1}, keep_last=1, fence=Fence(lease))
    assert checkpoints(tmp_path) == []


# Starts the worker as a run does, or as a cluster does, which names no owner.
PARENT = """
import os, subprocess, sys, time
environment = {key: value for key, value in os.environ.items() if key != "R1FLOW_OWNER"}
if sys.argv[1] == "run":
    environment["R1FLOW_OWNER"] = str(os.getpid())
subprocess.Popen([sys.executable, "-c", *sys.argv[2:]], env=environment, start_new_session=True)
time.sleep(300)
"""


@dataclass
class Pair:
    """A parent and the worker that it started."""

    directory: Path
    parent: subprocess.Popen[bytes]
    worker: psutil.Process

    def ends(self, within: float) -> bool:
        """Whether the worker ends in so many seconds."""
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            if not self.worker.is_running() or self.worker.status() == psutil.STATUS_ZOMBIE:
                return True
            time.sleep(0.05)
        return False

    @property
    def told(self) -> bool:
        """Whether the worker was asked to write its checkpoint."""
        return (self.directory / "told").exists()


@pytest.fixture
def pair_of(lease: HeldLease, tmp_path: Path) -> Iterator[Callable[[str, str], Pair]]:
    pairs: list[Pair] = []

    def pair_of(starter: str, manner: str) -> Pair:
        command = [sys.executable, "-c", PARENT, starter, WORKER, str(tmp_path), manner]
        parent = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}, start_new_session=True)
        deadline = time.monotonic() + 60
        while not (tmp_path / "worker").exists() or not (tmp_path / "worker").read_text():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        pairs.append(Pair(tmp_path, parent, psutil.Process(int((tmp_path / "worker").read_text()))))
        return pairs[-1]

    yield pair_of
    for pair in pairs:
        pair.parent.kill()
        pair.parent.wait()
        with suppress(psutil.Error):
            pair.worker.kill()


@pytest.mark.parametrize("manner", ["patient", "stubborn"])
def test_a_process_whose_owner_is_killed_is_told_and_ends(pair_of: Callable[[str, str], Pair], manner: str) -> None:
    pair = pair_of("run", manner)
    pair.parent.kill()
    pair.parent.wait()
    assert pair.ends(10)
    assert pair.told


@pytest.mark.slow
def test_a_process_of_a_suspended_owner_works_on_until_the_stage_is_taken_over(
    pair_of: Callable[[str, str], Pair], lease: HeldLease
) -> None:
    pair = pair_of("run", "patient")
    pair.parent.send_signal(signal.SIGSTOP)
    assert not pair.ends(4)  # longer than a cluster's process would wait for a sign of life
    write(lease.file, "another")
    assert pair.ends(10)


@pytest.mark.slow
def test_a_process_on_a_cluster_ends_when_its_owner_gives_no_sign_of_life(pair_of: Callable[[str, str], Pair], lease: HeldLease) -> None:
    pair = pair_of("cluster", "patient")
    for _ in range(8):
        write(lease.file, "me")
        assert not pair.ends(0.5)
    assert pair.ends(10)
    assert pair.told
