"""The files that a running trainer writes (progress for people, metrics for analytics), and the signal that stops it."""

import json
import resource
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from rl_core.errors import InputError
from rl_core.fence import Fence
from rl_core.files import in_one_piece, write_json
from rl_core.training.step_digests import damaged, first_damaged, forget_after, note_step

LAST_STEP = 2**31 - 1  # of a trainer, and of an INTEGER in SQL: what is above is no step
STOPPED = 75  # exit code after an orderly stop (EX_TEMPFAIL): run again to go on


class Stopped(Exception):
    """SIGTERM or SIGINT came; the checkpoint is written."""


class Journal:
    """`progress.jsonl` (live), `metrics.jsonl` (one line per step) and `result.json` of one stage directory.

    Each call raises LeaseLost, and writes nothing, if another process has taken the stage over.
    """

    def __init__(self, output: Path, total: int, fence: Fence) -> None:
        self.output = output
        self.total = total
        self.fence = fence

    def rewind(self, step: int) -> None:
        """Drop the metrics after `step`: a resumed run writes them again."""
        self.fence.require()
        forget_after(self.output, step)
        path = self.output / "metrics.jsonl"
        if held := _content(path):
            lines = held.split(b"\n")
            found = [(line, _row_of(line)) for line in lines]
            if damaged := sum(row is None for line, row in found[:-1]):
                print(f"warning: {path}: {damaged} damaged line(s) are left out", file=sys.stderr, flush=True)
            with in_one_piece(path) as aside:
                aside.write_bytes(b"".join(line + b"\n" for line, row in found if row is not None and row["step"] <= step))

    def first_damaged(self) -> int | None:
        """The first step whose metrics or rollouts are not as they were when it was finished; None if all are."""
        return first_damaged(self.output, _lines(self.output / "metrics.jsonl"))

    def log(self, step: int, metrics: dict[str, float]) -> None:
        """Record a finished step, whose rollouts are written."""
        line = self._append("metrics.jsonl", {"step": step, **metrics})
        note_step(self.output, step, line)
        self.progress(step, metrics)

    def progress(self, step: int, metrics: dict[str, float]) -> None:
        self._append("progress.jsonl", {"time": time.time(), "step": step, "total": self.total, "metrics": metrics})

    def finish(self, result: dict[str, Any]) -> None:
        self.fence.require()
        write_json(self.output / "result.json", result | {"peak_memory_bytes": peak_memory()})

    def _append(self, name: str, row: dict[str, Any]) -> bytes:
        """Returns the line, without its end."""
        self.fence.require()
        line = json.dumps(row)
        with (self.output / name).open("a") as file:
            file.write(line + "\n")
        return line.encode()


def read_steps(path: Path) -> Iterator[dict[str, Any]]:
    """Rows of a `metrics.jsonl`. A last line that is still being written is left out, and so are damaged ones."""
    for line in _content(path).split(b"\n")[:-1]:
        if (row := _row_of(line)) is not None:
            yield row


def _content(path: Path) -> bytes:
    """Of a file that may be missing. Raises InputError if it is a directory, or nothing that can be read as a file."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
    except PermissionError:
        raise
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; remove it, and run again to go on") from error


def damaged_steps(output: Path, after: int = 0) -> Iterator[int]:
    """The steps of an unfinished stage, from a step on, whose metrics or rollouts are not as they were when they were finished."""
    return damaged(output, _lines(output / "metrics.jsonl"), after)


def _lines(path: Path) -> dict[int, bytes]:
    """Those of a `metrics.jsonl` by step."""
    lines = _content(path).split(b"\n")
    return {row["step"]: line for line in lines if (row := _row_of(line)) is not None}


def _row_of(line: bytes) -> dict[str, Any] | None:
    """The row of a step; None for a line that is damaged."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    step = row.get("step") if isinstance(row, dict) else None
    return row if type(step) is int and 0 <= step <= LAST_STEP else None


class StopRequest:
    """Turns SIGTERM and SIGINT into a flag that loops ask for between steps."""

    def __init__(self) -> None:
        self.requested = False
        self.install()

    def install(self) -> None:
        """Take the signals (again, after a library took them away)."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._request)

    def _request(self, number: int, frame: FrameType | None) -> None:
        self.requested = True


def peak_memory() -> int:
    """Largest resident size of this process and of any finished child, in bytes."""
    return 1024 * max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
