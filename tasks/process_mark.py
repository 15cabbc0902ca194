"""Which process: a number alone goes to another one when it is free again."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psutil


def this_process() -> dict[str, Any]:
    """The mark of this process, host included."""
    return {"host": socket.gethostname(), **process_mark(os.getpid())}


def process_mark(pid: int) -> dict[str, Any]:
    """The mark of a process of this host."""
    import psutil

    return {"pid": pid, "born": _born(psutil.Process(pid))}


def is_alive(mark: dict[str, Any]) -> bool:
    """Whether the marked process of this host still runs."""
    import psutil

    try:
        process = psutil.Process(mark["pid"])
        return abs(_born(process) - mark["born"]) < 1 and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _born(process: psutil.Process) -> float:
    """Seconds from the system's start to the process's: unlike the time of day, nobody sets it."""
    import psutil

    return process.create_time() - psutil.boot_time()
