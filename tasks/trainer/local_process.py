"""Long stages as processes of their own: started, followed and stopped.

The process is the leader of its own group and session, so that Ctrl-C in the terminal does not reach it behind our back. To stop it we
send SIGTERM to the leader alone: it writes its checkpoint, with its own workers still alive, and leaves. Whatever is left of the group
after that is killed.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from rl_core.errors import InputError
from rl_core.fence import OWNER
from tasks.interrupts import go_on
from tasks.process import POLL, _has_exited, end_group, process_mark
from tasks.stage.lease import Lease, StageFailed
from tasks.stage.spec import LOG, PROGRESS, StageStopped

STOPPED = 75  # exit code of a trainer that stopped in order, with its checkpoint written
BAD_INPUT = 2


@dataclass(frozen=True)
class Progress:
    """Where a stage stands."""

    step: int
    total: int  # 0 where it is not known
    metrics: dict[str, float]
    time: float  # seconds since the epoch
    text: str = ""  # what a program of others wrote last

    @property
    def where(self) -> str:
        """`step 3 of 10`; what was written last where no step is known."""
        return f"step {self.step}{f' of {self.total}' if self.total else ''}" if self.step or self.total else self.text


def run_module(module: str, job: Path, lease: Lease, on_progress: Callable[[Progress], None]) -> None:
    """Run `python -m MODULE JOB` in the lease's directory and follow it to its end."""
    run_process([sys.executable, "-m", module, str(job)], lease, on_progress)


def run_process(command: list[str], lease: Lease, on_progress: Callable[[Progress], None]) -> None:
    """Run a command, its output in `log.txt`, its `progress.jsonl` read as it grows.

    Raises:
        InputError: exit code 2, with the process's own line.
        StageStopped: exit code 75: somebody else told it to stop.
        StageFailed: any other exit code, or death by a signal.
    """
    progress = Tail(lease.directory / PROGRESS)
    code, begin = follow_process(command, lease, lambda: report(progress, on_progress))
    report(progress, on_progress)
    judge(code, lease.directory, begin)


def follow_process(command: list[str], lease: Lease, look: Callable[[], None]) -> tuple[int, int]:
    """Run a command, its output in `log.txt`; returns its exit code, and where its output begins there.

    On any exception here (Ctrl-C, a cancelled flow run, a lost lease) the process is stopped, with time for its checkpoint.

    Args:
        look: called again and again while it runs.
    """
    directory = lease.directory
    with (directory / LOG).open("ab") as log:
        log.write(f"--- {datetime.now():%Y-%m-%d %H:%M:%S} {' '.join(command)}\n".encode())
        log.flush()
        begin = log.tell()
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=os.environ | {"PYTHONUNBUFFERED": "1", OWNER: str(os.getpid())},
        )
        try:
            lease.note(trainer=process_mark(process.pid))
            while not _has_exited(process.pid):
                go_on()
                lease.require()
                look()
                time.sleep(POLL)
        except BaseException:
            end_group(process.pid)
            raise
        finally:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)  # stragglers; the leader is a zombie, so the number is still ours
            process.wait()
    lease.require()
    return process.returncode, begin


class Tail:
    """The whole JSON lines that are added to a file from now on."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.position = path.stat().st_size if path.exists() else 0

    def read(self) -> Iterator[dict[str, Any]]:
        """Lines added since the last call; a last line without its end waits for the next."""
        with suppress(OSError), self.path.open("rb") as file:
            file.seek(self.position)
            text = file.read()
            whole = text[: text.rfind(b"\n") + 1]
            self.position += len(whole)
            for line in whole.splitlines():
                with suppress(ValueError, RecursionError):  # an earlier attempt may have left half a line before the first one
                    yield json.loads(line)


def report(progress: Tail, on_progress: Callable[[Progress], None]) -> None:
    """Pass on the last of the steps that were added."""
    lines = [line for line in progress.read() if isinstance(line, dict) and line.keys() >= {"step", "total", "metrics", "time"}]
    if lines:
        last = lines[-1]
        on_progress(Progress(last["step"], last["total"], last["metrics"], last["time"]))


def written(log: Path, begin: int) -> list[str]:
    """The lines of a log from a place on, without empty ones; of a progress bar, which goes back in its line, each state is one."""
    with log.open("rb") as file:
        file.seek(begin)
        return [line for line in file.read().decode(errors="replace").splitlines() if line.strip()]


def judge(code: int, directory: Path, begin: int) -> None:
    """Raise what the exit code of a trainer means; its output is what `log.txt` has from `begin` on."""
    if code == 0:
        return
    log = directory / LOG
    lines = written(log, begin)
    if code == BAD_INPUT:
        message = next((line for line in reversed(lines) if line.startswith("error: ")), None)
        if message:
            raise InputError(message.removeprefix("error: "))
    if code == STOPPED:
        raise StageStopped(f"stage {directory.name}: stopped by a signal, with its checkpoint written; run again to go on")
    how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    killed = code == -signal.SIGKILL  # of which its log says nothing
    memory = "; if memory ran out, lower resources.tokens_per_batch" if killed else ""
    last = f": {lines[-1]}" if lines and not killed else ""
    raise StageFailed(f"stage {directory.name}: {how}{last}{memory}; the whole log is {log}; run again to go on from the last checkpoint")
