"""The folders in which local Rays keep their logs and sockets: Ray leaves them in the temporary directory, whatever became of it.

Each of ours has a mark. It is removed when its Ray ends, and where the process was killed, when the next one starts.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

MARK = ".r1flow"


def mark_session() -> Path:
    """Mark the folder of the Ray that this process has started; returns it."""
    from ray._private.worker import global_worker

    node: Any = global_worker.node
    session = Path(node.get_session_dir_path())
    with suppress(OSError):
        (session / MARK).write_text(_numbers())
    return session


def remove_session(session: Path) -> None:
    """Remove the folder of a Ray that has ended."""
    shutil.rmtree(session, ignore_errors=True)


def remove_dead_sessions(root: Path | None = None) -> None:
    """Remove marked folders whose process is gone, as far as it would be seen from here.

    Args:
        root: Ray's folder of sessions; by default the one in the temporary directory.
    """
    if not Path("/proc/self/ns/pid").is_symlink():  # another system than Linux: who lives cannot be seen
        return
    for mark in (root or Path(tempfile.gettempdir(), "ray")).glob(f"session_*_*/{MARK}"):
        number = mark.parent.name.rpartition("_")[2]  # of the process that started it
        with suppress(OSError):
            if mark.read_text() == _numbers() and number.isdecimal() and not Path("/proc", number).exists():
                remove_session(mark.parent)


def _numbers() -> str:
    """What the numbers of processes here belong to: containers that share a temporary directory have their own."""
    return os.readlink("/proc/self/ns/pid")
