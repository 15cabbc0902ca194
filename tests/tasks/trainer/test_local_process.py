from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from rl_core.errors import InputError
from tasks.process import end_group
from tasks.stage.lease import Lease, StageFailed
from tasks.stage.spec import StageStopped
from tasks.trainer.local_process import Progress, Tail, run_process

TRAINER = Path(__file__).parents[2] / "fixtures" / "trainer.py"


def run(mode: str, lease: Lease, on_progress: Callable[[Progress], None] = lambda progress: None) -> None:
    run_process([sys.executable, str(TRAINER), mode, str(lease.directory)], lease, on_progress)


def test_progress_is_followed_and_output_kept(lease: Lease) -> None:
    (lease.directory / "progress.jsonl").write_text('{"time": 0, "step": 2, "total": 3, "metrics": {}}\n')  # of an earlier attempt
    seen: list[Progress] = []
    run("good", lease, seen.append)
    assert (seen[-1].step, seen[-1].total, seen[-1].metrics) == (3, 3, {"reward": 1.5})
    assert all(progress.time > 0 for progress in seen)
    assert "all went well" in (lease.directory / "log.txt").read_text()


def test_bad_input_keeps_the_trainers_own_line(lease: Lease) -> None:
    with pytest.raises(InputError, match=r"^data/train.jsonl: row 7 is not JSON; repair or remove it$"):
        run("bad-input", lease)


def test_a_crash_names_the_error_and_the_log(lease: Lease) -> None:
    with pytest.raises(StageFailed, match=r"exit code 1: RuntimeError: out of luck; the whole log is .*log.txt"):
        run("crash", lease)


def test_an_orderly_stop_from_outside(lease: Lease) -> None:
    with pytest.raises(StageStopped, match="run again to go on"):
        run("told-to-stop", lease)


class Cancelled(BaseException):
    """As an orchestrator raises it in the main thread."""


def cancel(progress: Progress) -> None:
    raise Cancelled


def test_a_cancelled_trainer_writes_its_checkpoint_and_leaves_nobody_behind(lease: Lease) -> None:
    begun = time.monotonic()
    with pytest.raises(Cancelled):
        run("patient", lease, cancel)
    assert time.monotonic() - begun < 10
    assert (lease.directory / "checkpoint").read_text() == "saved"
    assert_gone(int((lease.directory / "child").read_text()))


def test_a_stubborn_trainer_is_killed_with_its_workers(lease: Lease, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(end_group, "__defaults__", (1.0,))
    with pytest.raises(Cancelled):
        run("stubborn", lease, cancel)
    assert not (lease.directory / "checkpoint").exists()
    assert_gone(int((lease.directory / "child").read_text()))


def test_a_trainer_killed_from_outside_is_a_failure_that_names_the_signal(lease: Lease) -> None:
    def kill() -> None:
        path = lease.directory / "state.json"
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and not (lease.directory / "child").exists():
            time.sleep(0.05)
        psutil.Process(json.loads(path.read_text())["trainer"]["pid"]).kill()

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(StageFailed, match="killed by SIGKILL; if memory ran out"):
        run("patient", lease)
    killer.join()
    assert_gone(int((lease.directory / "child").read_text()))


def test_a_line_is_read_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "progress.jsonl"
    tail = Tail(path)
    assert list(tail.read()) == []
    path.write_text('{"step": 1}\n{"st')
    assert list(tail.read()) == [{"step": 1}]
    with path.open("a") as file:
        file.write('ep": 2}\n')
    assert list(tail.read()) == [{"step": 2}]


def assert_gone(pid: int) -> None:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return
        time.sleep(0.05)
    raise AssertionError(f"process {pid} still runs")
