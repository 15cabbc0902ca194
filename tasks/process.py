"""Which process: a number alone goes to another one when it is free again, and means another one in another container."""

from __future__ import annotations

import os
import socket
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

    return {"pid": pid, "born": _born(psutil.Process(pid))}


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
        return abs(_born(process) - mark["born"]) < 1 and process.status() != psutil.STATUS_ZOMBIE
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


def _born(process: psutil.Process) -> float:
    """Seconds from the system's start to the process's: unlike the time of day, nobody sets it."""
    import psutil

    return process.create_time() - psutil.boot_time()
