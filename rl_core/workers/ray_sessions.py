"""The folders in which local Rays keep their logs and sockets: Ray leaves them in the temporary directory, whatever became of it.

A process leaves a mark before it starts a Ray, whose folder's name will end with the number of that process. The folder is removed when
the Ray ends, and where the process was killed, even while Ray was starting, when the next one starts.
"""

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

MARK = ".r1flow_"  # and the number of the process


def mark_sessions(root: Path | None = None) -> None:
    """Say that this process starts a Ray.

    Args:
        root: Ray's folder of sessions; by default the one in the temporary directory.
    """
    with suppress(OSError):
        folder = root or _root()
        folder.mkdir(exist_ok=True)
        (folder / f"{MARK}{os.getpid()}").write_text(_numbers())


def session_folder() -> Path:
    """The folder of the Ray that this process has started."""
    from ray._private.worker import global_worker

    node: Any = global_worker.node
    return Path(node.get_session_dir_path())


def remove_session(session: Path) -> None:
    """Remove the folder of this process's Ray, which has ended, and the mark."""
    shutil.rmtree(session, ignore_errors=True)
    with suppress(OSError):
        (session.parent / f"{MARK}{os.getpid()}").unlink(missing_ok=True)


def remove_dead_sessions(root: Path | None = None) -> None:
    """Remove folders of processes that left a mark and are gone, as far as they would be seen from here.

    Args:
        root: Ray's folder of sessions; by default the one in the temporary directory.
    """
    if not Path("/proc/self/ns/pid").is_symlink():  # not Linux: which processes run cannot be seen
        return
    for mark in (root or _root()).glob(f"{MARK}*"):
        number = mark.name.removeprefix(MARK)
        with suppress(OSError):
            if mark.read_text() == _numbers() and number.isdecimal() and not Path("/proc", number).exists():
                for session in mark.parent.glob(f"session_*_{number}"):
                    shutil.rmtree(session, ignore_errors=True)
                mark.unlink()


def _root() -> Path:
    return Path(tempfile.gettempdir(), "ray")


def _numbers() -> str:
    """What the numbers of processes here belong to: containers that share a temporary directory have their own."""
    return os.readlink("/proc/self/ns/pid")
