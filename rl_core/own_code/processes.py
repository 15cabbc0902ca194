"""Processes that run a user's own code, started when there is work, and killed with their children at a call's deadline."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

LOAD = 60.0  # seconds to start a process and to import what a function needs
KEPT = 8192  # bytes of what one call prints


class Failure(NamedTuple):
    """Why a call gave nothing."""

    why: str  # one line
    trace: str = ""  # of the user's code
    late: bool = False  # it missed its deadline


class Reply(NamedTuple):
    """What came of a call: a value as JSON has it, or a failure."""

    value: Any
    failure: Failure | None
    printed: str


class OwnWorkers:
    """Runs calls of `rl_core.own_code.calls` one after another in each of `workers` processes; a context manager.

    A process has a group and a scratch directory of its own, bounded memory, and ends with its owner. What it cannot do is come to this
    process: nothing is imported here, and replies are JSON.
    """

    def __init__(self, code: Sequence[Path], workers: int, deadline: float) -> None:
        """`code`: directories of copies (`sources.write`). `deadline`: seconds per response, without the time that an import takes."""
        self.code, self.deadline = code, deadline
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="own code")
        self._mine = threading.local()
        self._all: set[_Process] = set()
        self._scratch = tempfile.mkdtemp(prefix="r1flow-own-code-")
        self._closed = False

    def __enter__(self) -> OwnWorkers:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Kill the processes; calls that wait fail."""
        self._closed = True
        for process in list(self._all):
            process.kill()
        self._threads.shutdown(cancel_futures=True)
        for process in list(self._all):  # started meanwhile
            process.kill()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def describe(self, name: str) -> Reply:
        """Load what a name stands for; see `calls.describe`."""
        return self._threads.submit(self._loaded, name).result()

    def call(self, call: str, name: str, arguments: dict[str, Any], responses: int = 1) -> Future[Reply]:
        """Ask for a call of the loaded code `name`, which has the deadline of so many responses."""
        return self._threads.submit(self._ask, call, name, arguments, responses * self.deadline)

    def _ask(self, call: str, name: str, arguments: dict[str, Any], deadline: float) -> Reply:
        loaded = self._loaded(name)
        if loaded.failure:
            return loaded
        reply = self._process().ask({"call": call, "arguments": {"name": name, **arguments}}, deadline)
        return reply._replace(printed=loaded.printed + reply.printed)

    def _loaded(self, name: str) -> Reply:
        process = self._process()
        if name in process.loaded:
            return Reply(process.loaded[name], None, "")
        reply = process.ask({"call": "describe", "arguments": {"name": name}}, LOAD)
        if reply.failure is None:
            process.loaded[name] = reply.value
        return reply

    def _process(self) -> _Process:
        """That of this thread; another one where it has died."""
        process: _Process | None = getattr(self._mine, "process", None)
        if process is None or process.dead:
            if process is not None:
                self._all.discard(process)
            process = self._mine.process = _Process(self.code, Path(tempfile.mkdtemp(dir=self._scratch)))
            self._all.add(process)
            if self._closed:
                process.kill()
        return process


class _Process:
    def __init__(self, code: Sequence[Path], scratch: Path) -> None:
        self.loaded: dict[str, Any] = {}
        self.dead = False
        self._lock = threading.Lock()
        replies, theirs = os.pipe()
        command = [
            sys.executable,
            "-u",
            "-m",
            "rl_core.own_code.worker",
            str(theirs),
            str(scratch),
            *(str(path.resolve()) for path in code),
        ]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=[theirs],
            start_new_session=True,
        )
        os.close(theirs)
        self._replies = os.fdopen(replies, "rb", buffering=0)

    def ask(self, request: dict[str, Any], deadline: float) -> Reply:
        """Carry out a request; a process that does not reply in time is killed."""
        end, reply, printed = time.monotonic() + deadline, b"", _Printed()
        assert self._process.stdin
        assert self._process.stdout
        with suppress(OSError):  # it is dead, which is seen below
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
        why, late = None, f"it did not return within {deadline:g} s"
        while not reply.endswith(b"\n"):
            left = end - time.monotonic()
            ready = select.select([self._replies, self._process.stdout], [], [], max(0.0, left))[0]
            if not ready:
                why = late
                break
            if self._process.stdout in ready:
                self._read(printed)
            if self._replies in ready:
                part = self._replies.read(65536)
                if not part:
                    why = self._how_it_ended()
                    break
                reply += part
            if left <= 0:  # it prints without an end
                why = late
                break
        if why:
            self.kill()
        while self._process.stdout in select.select([self._process.stdout], [], [], 0)[0] and self._read(printed):
            pass
        if why:
            return Reply(None, Failure(why, late=why == late), printed.text())
        found = json.loads(reply)
        failure = Failure(found["why"], found["trace"]) if "why" in found else None
        return Reply(found.get("value"), failure, printed.text())

    def _read(self, printed: _Printed) -> bool:
        assert self._process.stdout
        part = os.read(self._process.stdout.fileno(), 65536)
        printed.kept += part[: KEPT - len(printed.kept)]
        printed.size += len(part)
        return bool(part)

    def _how_it_ended(self) -> str:
        for _ in range(20):
            # Not reaped yet: until then its number is that of its group, which `kill` ends.
            ended = os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if ended and ended.si_code == os.CLD_EXITED:
                return f"it ended its process (exit code {ended.si_status})"
            if ended:
                return f"its process was killed ({signal.Signals(ended.si_status).name})"
            time.sleep(0.05)
        return "it closed the files of its process"

    def kill(self) -> None:
        """End the process and all that it started."""
        with self._lock:
            if not self.dead:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
            self.dead = True


@dataclass
class _Printed:
    kept: bytes = b""
    size: int = 0

    def text(self) -> str:
        more = f"\n… and {self.size - len(self.kept):,} bytes more" if self.size > len(self.kept) else ""
        return self.kept.decode(errors="replace") + more
