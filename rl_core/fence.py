"""Whether a process that works for a stage still may.

Its owner (`tasks/stage/lease.py`) may have been killed, or suspended for so long that another host took the stage over. In the first case
the process ends by itself, with its checkpoint; in the second it writes nothing any more, for what is there belongs to somebody else.
"""

import json
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

from rl_core.config.jobs import HeldLease
from rl_core.errors import InputError

OWNER = "R1FLOW_OWNER"  # environment variable: number of the process that started this one and waits for it
LOOK = 0.5  # seconds between two looks at the owner
GRACE = 19.0  # seconds from SIGTERM to SIGKILL: with a look before it, 20 from the owner's end
SILENCE = 60.0  # seconds without a sign of life of an owner on another host


class LeaseLost(InputError):
    """Another process has taken the stage over."""


class Fence:
    """Passed before each write into the stage's directory."""

    def __init__(self, lease: HeldLease | None) -> None:
        """`lease`: None where nobody else writes there."""
        self.lease = lease

    def require(self) -> None:
        """Raises LeaseLost if the stage belongs to another process now."""
        if self.lease and not is_held(self.lease):
            raise LeaseLost(f"{self.lease.file.parent}: another process has taken this stage over; nothing more is written here")


def is_held(lease: HeldLease) -> bool:
    """Whether the lease's file still names its owner. A file that is there but cannot be read says nothing: its disk is in trouble."""
    try:
        return bool(json.loads(lease.file.read_text(encoding="utf-8"))["owner"]["id"] == lease.owner)
    except FileNotFoundError:  # the stage was set aside
        return False
    except (OSError, ValueError, KeyError, TypeError):
        return True


def end_with_owner(lease: HeldLease | None) -> None:
    """From now on, end this process when its owner is gone or has lost the stage: SIGTERM first, and after `GRACE` the whole group.

    The owner is known by its number where it started this process; where a cluster did, by the signs of life in the lease's file.
    """
    owner = os.environ.get(OWNER)
    if owner or lease:
        watch = _Watch(int(owner) if owner else None, lease)
        threading.Thread(target=watch.run, name="watch of the owner", daemon=True).start()


class _Watch:
    def __init__(self, parent: int | None, lease: HeldLease | None) -> None:
        self.parent, self.lease = parent, lease
        self.sign, self.heard = b"", time.monotonic()

    def run(self) -> None:
        while not (reason := self._reason_to_end()):
            time.sleep(LOOK)
        print(f"warning: {reason}; this process ends", file=sys.stderr, flush=True)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(GRACE)
        _kill_all()

    def _reason_to_end(self) -> str | None:
        if self.parent and os.getppid() != self.parent:
            return "the run that started this process is gone"
        if self.lease and not is_held(self.lease):
            return "another process has taken this stage over"
        if self.lease and not self.parent and self._silent(self.lease.file):
            return f"the run that this process works for has given no sign of life for {SILENCE:.0f} s"
        return None

    def _silent(self, file: Path) -> bool:
        try:
            sign = file.read_bytes()
        except OSError:
            sign = self.sign
        if sign != self.sign:
            self.sign, self.heard = sign, time.monotonic()
        return time.monotonic() - self.heard > SILENCE


def _kill_all() -> None:
    """SIGKILL to what this process has started, in whatever group, and to itself with its group if it leads one."""
    import psutil

    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            process.kill()
    (os.killpg if os.getpgrp() == os.getpid() else os.kill)(os.getpid(), signal.SIGKILL)
