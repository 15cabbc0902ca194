from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tasks.process import process_mark, this_process
from tasks.stage.lease import Lease, LeaseLost, StageBusy, holder, orphan, state_lock
from tasks.stage.records import STATE
from tasks.stage.spec import StageSpec
from tasks.workspace import read_sealed, write_record

GONE = {"pid": 2**22 + 1, "born": 0.0}  # no such process
ELSEWHERE = {"host": "elsewhere", "boot": "another", "namespace": "pid:[2]"}


@pytest.fixture
def directory(spec_of: Callable[..., StageSpec]) -> Path:
    found = spec_of().directory
    found.mkdir(parents=True)
    return found


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Signs of life every 0.05 s, and an owner is given up after 0.5 s."""
    for name, seconds in {"HEARTBEAT": 0.05, "STALE": 0.3, "WATCH": 0.2}.items():
        monkeypatch.setattr(f"tasks.stage.lease.{name}", seconds)


def leave(directory: Path, silent: float = 0.0, **state: Any) -> Path:
    """A lease of another process, whose file is `silent` seconds old by the file system's clock."""
    owner = {"id": "x", **this_process()} | state.pop("owner")
    path = directory / STATE
    write_record(path, {"owner": owner, "started": 0, "heartbeat": time.time(), "state": "running"} | state)
    os.utime(path, (time.time() - silent,) * 2)
    return path


@pytest.mark.parametrize(
    "owner",
    [
        {"pid": os.getpid(), "born": 0.0},  # the number went to another process
        GONE,
        {"boot": this_process()["boot"], **GONE},
    ],
)
def test_the_lease_of_a_process_that_would_be_seen_and_is_not_is_taken_at_once(directory: Path, owner: dict[str, Any]) -> None:
    leave(directory, owner=owner)
    lease = Lease(directory)
    began = time.monotonic()
    lease.take()
    assert time.monotonic() - began < 2
    lease.release("done")


@pytest.mark.parametrize(
    "owner",
    [
        ELSEWHERE,
        {"namespace": "pid:[2]", **GONE},  # another container of this host
        {"boot": "another", **GONE},  # another machine of this name
        {"host": "elsewhere", "pid": os.getpid()},
    ],
)
@pytest.mark.parametrize("clock", [-7200, -90, 0, 90, 7200])
def test_an_owner_elsewhere_that_gives_signs_of_life_keeps_its_lease_whatever_the_clocks_say(
    directory: Path, owner: dict[str, Any], clock: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = leave(directory, owner=owner, silent=1)
    now = time.time
    monkeypatch.setattr("tasks.stage.lease.time.time", lambda: now() + clock)  # of whoever comes
    with pytest.raises(StageBusy, match="in work since"):
        Lease(directory).take()
    assert holder(path)


@pytest.mark.usefixtures("hurried")
def test_a_silent_owner_elsewhere_is_watched_before_it_is_given_up(directory: Path) -> None:
    leave(directory, owner=ELSEWHERE, silent=100)
    assert holder(directory / STATE) is None
    lease = Lease(directory)
    began = time.monotonic()
    lease.take()
    assert time.monotonic() - began >= 0.2
    lease.release("done")


@pytest.mark.usefixtures("hurried")
def test_a_silent_owner_that_gives_a_sign_while_it_is_watched_keeps_its_lease(directory: Path) -> None:
    path = leave(directory, owner=ELSEWHERE, silent=100)

    def come_back() -> None:
        time.sleep(0.1)
        write_record(path, read_sealed(path) | {"heartbeat": 1.0})

    thread = Thread(target=come_back)
    thread.start()
    with pytest.raises(StageBusy, match="on elsewhere"):
        Lease(directory).take()
    thread.join()


def test_the_trainer_of_a_killed_owner_is_ended_before_another_starts(directory: Path) -> None:
    left = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"], start_new_session=True)
    leave(directory, owner=GONE, trainer=process_mark(left.pid))
    assert orphan(read_sealed(directory / STATE)) == left.pid
    lease = Lease(directory)
    lease.take()
    assert left.wait(5) == -15
    lease.release("done")


def test_a_trainer_in_another_container_is_not_taken_for_a_process_here(directory: Path) -> None:
    leave(directory, owner={"namespace": "pid:[2]"}, trainer=process_mark(os.getpid()))
    assert orphan(read_sealed(directory / STATE)) is None


def take_over(directory: Path) -> dict[str, Any]:
    state: dict[str, Any] = read_sealed(directory / STATE)
    state |= {"owner": state["owner"] | {"id": "another"}}
    write_record(directory / STATE, state)
    return state


def test_who_lost_the_lease_writes_nothing_not_even_how_it_ended(directory: Path) -> None:
    lease = Lease(directory)
    lease.take()
    state = take_over(directory)
    lease.note(trainer={"pid": 1})
    with pytest.raises(LeaseLost, match="took this stage over"):  # at once, not with the next sign of life
        lease.require()
    lease.release("failed")
    assert read_sealed(directory / STATE) == state


def test_a_stage_that_was_set_aside_is_lost(directory: Path) -> None:
    lease = Lease(directory)
    lease.take()
    directory.rename(directory.with_name("aside"))
    with pytest.raises(LeaseLost):
        lease.require()
    lease.release("failed")
    assert not directory.exists()


@pytest.mark.usefixtures("hurried")
def test_the_thread_that_keeps_a_lost_lease_ends(directory: Path) -> None:
    lease = Lease(directory)
    lease.take()
    state = take_over(directory)
    deadline = time.monotonic() + 5
    while not lease.lost and time.monotonic() < deadline:
        time.sleep(0.02)
    assert lease.lost
    assert read_sealed(directory / STATE) == state


def test_an_unreadable_state_is_no_proof_of_another_owner(directory: Path) -> None:
    lease = Lease(directory)
    lease.take()
    (directory / STATE).write_text("{")
    lease.require()
    lease.release("done")
    assert read_sealed(directory / STATE)["state"] == "done"


@pytest.mark.follows("let it go on, or end it")
def test_a_process_suspended_in_the_door_is_named_not_waited_for(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.stage.lease.LOCK_WAIT", 0.1)
    with state_lock(directory), pytest.raises(StageBusy, match=rf"{directory.name}.lock; let it go on, or end it"):
        Lease(directory).take()
    Lease(directory).take()  # it went on
