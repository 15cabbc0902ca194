"""Who may work in a stage's directory: one process at a time, whatever the clocks of their hosts say.

`state.json` names the owner, who rewrites it every few seconds. An owner that can be seen from here is asked for directly. Of any other
one only the signs of life are known: their age is taken from the file system's clock, which all who share the directory share, and nobody
is given up whose signs still come while they are watched for a while. An owner that was only suspended finds another name in the file when
it goes on: it, and the trainer that works for it (`rl_core/fence.py`), then write nothing any more.
"""

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from rl_core.config.jobs import HeldLease
from rl_core.errors import InputError
from rl_core.fence import is_held
from tasks.process import end_group, is_alive, is_here, this_process
from tasks.ray_cluster import connect, end_job
from tasks.stage.records import STATE, read_record
from tasks.workspace import write_record

HEARTBEAT = 5.0  # seconds between signs of life
STALE = 60.0  # seconds without one after which an owner that cannot be seen from here may be gone
WATCH = 4 * HEARTBEAT  # seconds for which its signs of life are watched for before it is given up
LOCK_WAIT = 30.0  # seconds to wait for another process that is just taking or renewing a lease


class StageBusy(InputError):
    """Another process works on this stage."""


class StageFailed(RuntimeError):
    """A stage ended without what it should have made; one line."""


class LeaseLost(StageFailed):
    """Another process has taken the stage over; nothing of it may be written any more."""


class Lease:
    """The right to work in a stage's directory, kept alive by a thread until it is given back."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.lost = False
        self._owner = {"id": uuid.uuid4().hex, **this_process()}
        self._state: dict[str, Any] = {"started": time.time()}
        self._writing = threading.Lock()
        self._released = threading.Event()

    @property
    def held(self) -> HeldLease:
        """What a process that works for the owner needs to see that it still may."""
        return HeldLease(file=self.directory / STATE, owner=self._owner["id"])

    def take(self) -> None:
        """Raises StageBusy if another process holds the lease. Takes `WATCH` seconds where an owner elsewhere seems to be gone."""
        abandoned = _watch(self.directory / STATE)
        with state_lock(self.directory):
            before = read_record(self.directory / STATE) or {}
            if before != abandoned:
                refuse_if_busy(self.directory)
            _end_orphan(before)
            self._state["previous"] = {key: before[key] for key in ("state", "heartbeat", "error", "attempt") if key in before}
            self._state["attempt"] = before.get("attempt", 0) + 1
            self._save(state="running")
        threading.Thread(target=self._keep, name=f"lease of {self.directory.name}", daemon=True).start()

    def note(self, **facts: Any) -> None:
        """Add facts to `state.json`, such as the trainer's process."""
        self._renew(**facts)

    def release(self, state: Literal["done", "failed", "stopped"], error: str | None = None) -> None:
        """Stop the heartbeat and record how the attempt ended."""
        self._released.set()
        self._renew(state=state, error=error)

    def require(self) -> None:
        """Raises LeaseLost if the lease was taken over, as after a long suspension of this process."""
        if self._is_lost():
            raise LeaseLost(f"{self.directory}: another process took this stage over while this one was suspended")

    def _is_lost(self) -> bool:
        # The file itself is asked: after a suspension the thread that renews it may not have run yet.
        self.lost = self.lost or not is_held(self.held)
        return self.lost

    def _keep(self) -> None:
        while not self._released.wait(HEARTBEAT) and not self.lost:
            with suppress(OSError, StageBusy):  # a full disk or a lock that is held: the next sign of life may succeed
                self._renew()

    def _renew(self, **facts: Any) -> None:
        """Rewrite the file, unless it names another owner."""
        with self._writing:
            if self._released.is_set() and "state" not in facts:
                return
            with state_lock(self.directory):
                if not self._is_lost():
                    self._save(**facts)

    def _save(self, **facts: Any) -> None:
        self._state |= {"owner": self._owner, "heartbeat": time.time(), **facts}
        write_record(self.directory / STATE, self._state)


def holder(path: Path, content: dict[str, Any] | None = None) -> dict[str, Any] | None:
    """The owner that works on what a `state.json` or a run's record is about; None if there is none or it seems to be gone.

    Args:
        content: what the file holds, where it has been read already.
    """
    state = read_record(path) if content is None else content
    if not state or state.get("state") != "running":
        return None
    owner: dict[str, Any] = state["owner"]
    if is_here(owner):
        return owner if is_alive(owner) else None
    return owner if _age(path) < STALE else None


def orphan(state: dict[str, Any]) -> int | None:
    """The process of a trainer that is still at work though its owner is gone; None if there is none that can be seen."""
    trainer = state.get("trainer")
    if state.get("state") == "running" and trainer and "pid" in trainer and is_here(state["owner"]) and is_alive(trainer):
        return int(trainer["pid"])
    return None


def refuse_if_busy(directory: Path) -> None:
    """Raises StageBusy if another process works on the stage."""
    state = read_record(directory / STATE)
    owner = holder(directory / STATE, state)
    if state and owner:
        since = datetime.fromtimestamp(state["started"]).strftime("%H:%M:%S")
        raise StageBusy(
            f"stage {directory.name}: in work since {since} by process {owner['pid']} on {owner['host']}; "
            "wait for it (`r1flow status`), stop it, or use another --workspace"
        )


@contextmanager
def state_lock(directory: Path) -> Iterator[None]:
    """One process at a time past the check of a lease.

    Raises StageBusy if another process has held it for `LOCK_WAIT` seconds, as one does that was suspended meanwhile.
    """
    from filelock import FileLock, Timeout

    directory.parent.mkdir(parents=True, exist_ok=True)
    path = directory.with_name(f".{directory.name}.lock")
    try:
        with FileLock(path, timeout=LOCK_WAIT):
            yield
    except Timeout as error:
        raise StageBusy(f"stage {directory.name}: a process that is suspended holds {path}; let it go on, or end it") from error


def _age(path: Path) -> float:
    """Seconds since a file was written, both moments by the clock of its file system."""
    probe = path.with_name(f".{path.name}.{uuid.uuid4().hex}.now")
    try:
        probe.touch()
        now = probe.stat().st_mtime
        probe.unlink()
    except OSError:  # a read-only disk
        now = time.time()
    with suppress(OSError):
        return now - path.stat().st_mtime
    return 0.0


def _watch(path: Path) -> dict[str, Any] | None:
    """The state of an owner elsewhere that gave no sign of life for `STALE` seconds and then, watched, for `WATCH` more; else None.

    Raises StageBusy if it gave one.
    """
    state = read_record(path)
    if not state or state.get("state") != "running" or is_here(state["owner"]) or holder(path, state):
        return None
    until = time.monotonic() + WATCH
    while time.monotonic() < until:
        time.sleep(min(HEARTBEAT / 5, WATCH))
        if read_record(path) != state:
            refuse_if_busy(path.parent)
            return None
    return state


def _end_orphan(state: dict[str, Any]) -> None:
    """End a trainer whose owner was killed: two in one directory would spoil each other's checkpoints.

    Raises StageFailed if it may still run.
    """
    trainer = state.get("trainer")
    if trainer and "job" in trainer:
        address, job = trainer["address"], trainer["job"]
        if not end_job(connect(address), job):
            raise StageFailed(f"job {job} of {address}, of an earlier attempt, does not stop; end it: ray job stop {job}")
    elif (pid := orphan(state)) is not None:
        end_group(pid)
