"""Which process: a number alone goes to another one when it is free again, and means another one in another container."""

from __future__ import annotations

import os
import signal
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psutil


def this_process() -> dict[str, Any]:
    """The mark of this process, with where it runs."""
    return {**_where(), **process_mark(os.getpid())}


def process_mark(pid: int) -> dict[str, Any]:
    """The mark of a process that this one can see."""
    import psutil

    return {"pid": pid, "born": _start_time(psutil.Process(pid))}


def is_here(mark: dict[str, Any]) -> bool:
    """Whether a process with this mark would be seen from here, so that one that is not seen has ended.

    The host's name is no proof: containers and clones share it. The same start of the system and the same namespace of process numbers
    are. A mark without them was made by an older version, which had only the name.
    """
    here = _where()
    return all(mark.get(key, here[key]) == here[key] for key in here)


def is_alive(mark: dict[str, Any]) -> bool:
    """Whether the marked process, which would be seen from here, still runs."""
    import psutil

    try:
        process = psutil.Process(mark["pid"])
        return abs(_start_time(process) - mark["born"]) < 1 and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, KeyError, TypeError, ValueError, OverflowError):  # also a mark that is none
        return False


def _where() -> dict[str, str]:
    """Host, start of its system, and namespace of process numbers; the latter two are empty where the system has no such files."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        namespace = os.readlink("/proc/self/ns/pid")
    except OSError:
        boot = namespace = ""
    return {"host": socket.gethostname(), "boot": boot, "namespace": namespace}


def _start_time(process: psutil.Process) -> float:
    """Seconds from the start of the system to that of the process: unlike the time of day, this cannot be set."""
    import psutil

    return process.create_time() - psutil.boot_time()


GRACE = 20.0  # seconds from SIGTERM to the end; orchestrators kill 30 s after they asked
POLL = 0.2


def end_group(leader: int, grace: float = GRACE) -> None:
    """SIGTERM to the leader, time to leave, SIGKILL to its group and to its descendants in other groups."""
    import psutil

    try:
        descendants = psutil.Process(leader).children(recursive=True)
    except psutil.Error:
        descendants = []
    try:
        with suppress(ProcessLookupError):
            os.kill(leader, signal.SIGTERM)
        deadline = time.monotonic() + grace
        while time.monotonic() < deadline and not _has_exited(leader):
            time.sleep(POLL / 4)
    finally:  # also when a second Ctrl-C comes
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(leader, signal.SIGKILL)
        for process in descendants:
            with suppress(psutil.Error):
                process.kill()


def _has_exited(pid: int) -> bool:
    """Does not reap the process: until then no other process gets its number, or that of its group."""
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:  # no child of ours: an orphan of an earlier owner
        import psutil

        with suppress(psutil.Error):
            return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
        return True
