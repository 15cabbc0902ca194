"""Carries out the command of a stage: `python -m tasks.command.supervise JOB.json`.

The command need not know of leases and owners. This process keeps them for it: it ends the command with everything
that it has started when the run asks for that, or is gone. What the command starts stays below this process even if its parent ends or it
makes a session of its own, on Linux, where orphans can be adopted.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from rl_core.config.jobs import Job
from rl_core.fence import OWNER, Fence
from rl_core.files import write_json
from rl_core.job_process import run_job
from tasks.process import GRACE, POLL

if TYPE_CHECKING:
    import psutil

ENDED = ".command.json"  # how the command ended; hidden, for it is no output of the stage
PATIENCE = GRACE - 2  # seconds from SIGTERM to SIGKILL: before this process is killed itself
LEFT_OVER = 2.0  # the same for what a command leaves behind that has ended
ADOPT_ORPHANS = 36  # PR_SET_CHILD_SUBREAPER of Linux
# As on GitHub's runners: the first command that fails ends the script, also one before a pipe.
BASH = ("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c")


class CommandJob(Job):
    """What this process is told."""

    command: str
    directory: Path
    env: dict[str, str | None]  # None: a variable that the command does not get


def carry_out(job: CommandJob) -> None:
    """Run the command until it ends, or until a signal stops this process; then write its exit code to `ENDED` in the job's output."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with suppress(OSError, AttributeError):  # not on Linux
        ctypes.CDLL(None).prctl(ADOPT_ORPHANS, 1, 0, 0, 0)
    env = {name: value for name, value in (os.environ | job.env).items() if value is not None and name != OWNER}
    # In the group of this process: whoever finds this one killed kills the group.
    child = subprocess.Popen([*BASH, job.command], cwd=job.directory, env=env, stdin=subprocess.DEVNULL)
    while child.poll() is None and not stop.is_set():
        time.sleep(POLL)
    stopped = child.returncode is None
    end_all(PATIENCE if stopped else LEFT_OVER)
    code = child.wait()
    Fence(job.lease).require()
    write_json(job.output / ENDED, {"exit": code, "stopped": stopped})


def end_all(patience: float) -> None:
    """SIGTERM to all that this process has started, as Ctrl-C reaches all processes of a terminal; SIGKILL to what is left."""
    import psutil

    for process in _alive():
        with suppress(psutil.Error):
            process.terminate()
    deadline = time.monotonic() + patience
    while _alive() and time.monotonic() < deadline:
        time.sleep(POLL)
    while left := _alive():  # what one of them has started meanwhile, too
        for process in left:
            with suppress(psutil.Error):
                process.kill()
        time.sleep(POLL)


def _alive() -> list[psutil.Process]:
    import psutil

    found = []
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            if process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


if __name__ == "__main__":
    sys.exit(run_job(sys.argv[1:], CommandJob, carry_out))
