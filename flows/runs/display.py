"""What a person sees while a run goes on: live lines at a terminal, one line per stage elsewhere."""

from __future__ import annotations

import time
from collections import deque
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console

from flows.planning.plan import PlannedStage
from tasks.format import clock, count
from tasks.stage.spec import StageSpec
from tasks.trainer.local_process import Progress

if TYPE_CHECKING:
    from rich.live import Live

PACE = 20  # last reports from which the time left is taken
SHOWN = 60  # characters of a line that a program of others writes


class Display:
    """Progress of a run. A context manager; outside of a terminal it prints when a stage begins and ends, nothing between."""

    def __init__(self, console: Console, stages: int) -> None:
        self.console = console
        self._stages = stages
        self._number = 0
        self._live: Live | None = None
        self._begun = time.monotonic()
        self._reports: deque[Progress] = deque(maxlen=PACE)
        self._label = ""

    def __enter__(self) -> Display:
        if self.console.is_terminal:
            from rich.live import Live

            self._live = Live("", console=self.console, refresh_per_second=2, transient=True, get_renderable=self._line)
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._live:
            self._live.stop()
            self._live = None

    def reused(self, stage: PlannedStage) -> None:
        self._number += 1
        self.console.print(f"[dim]{self._head(stage)} reused[/dim]", highlight=False)

    def begin(self, stage: PlannedStage) -> None:
        self._number += 1
        self._begun = time.monotonic()
        self._reports.clear()
        self._label = self._head(stage)
        if not self._live:
            self.console.print(self._label, highlight=False)

    def end(self, stage: PlannedStage, note: str = "") -> None:
        took = clock(time.monotonic() - self._begun)
        self._label = ""
        self.console.print(f"{self._head(stage)} done in {took}{f': {note}' if note else ''}", highlight=False)

    def progress(self, spec: StageSpec, progress: Progress) -> None:
        if self._reports and progress.step < self._reports[-1].step:
            self._reports.clear()
        self._reports.append(progress)

    def warn(self, message: str) -> None:
        from rich.markup import escape

        self.console.print(f"[yellow]warning:[/yellow] {escape(message)}", highlight=False, soft_wrap=True)

    def _head(self, stage: PlannedStage) -> str:
        return f"{self._number:>2}/{self._stages} {stage.spec.stage:<12} {stage.spec.kind:<8}"

    def _line(self) -> str:
        if not self._label:
            return ""
        parts = [self._label, clock(time.monotonic() - self._begun)]
        if self._reports:
            last = self._reports[-1]
            parts.append(f"step {last.step}/{last.total}" if last.total else last.where[:SHOWN])
            parts += [text.format(_short(last.metrics[name])) for name, text in _METRICS.items() if name in last.metrics]
            first = self._reports[0]
            if last.total and last.step > first.step:
                parts.append(f"{clock((last.total - last.step) * (last.time - first.time) / (last.step - first.step))} left")
        return "  ".join(parts)


_METRICS = {
    "reward": "reward {}",
    "loss": "loss {}",
    "accuracy": "accuracy {}",
    "correct": "correct {}",
    "response_tokens": "length {}",
    "tokens_per_second": "{} tokens/s",
}


def _short(value: float) -> str:
    return count(round(value)) if abs(value) >= 100 else f"{value:.2f}"
