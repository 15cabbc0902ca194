"""An attempt at a stage's command: started, followed, stopped, judged; and what earlier attempts left."""

from __future__ import annotations

import shutil
import signal
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rl_core.addresses import without_secrets
from rl_core.errors import InputError
from rl_core.files import write_json
from rl_core.training.journal import Journal
from tasks.command.outputs import OUT, Metrics, find
from tasks.command.supervise import ENDED, CommandJob
from tasks.format import visible
from tasks.kind import Work
from tasks.stage.lease import StageFailed
from tasks.stage.spec import JOB, LOG, StageSpec, StageStopped
from tasks.trainer.local_process import Progress, follow_process, written
from tasks.workspace import read_json

EARLIER = ".earlier"  # folder of what earlier attempts left, until the stage is done; hidden, for it is no output
RESUMED = "R1FLOW_RESUME"  # variable that tells a command that an earlier attempt's output is there
GLANCE = 2.0  # seconds between two looks at metrics and log
TAIL = 4096  # bytes at the end of the log in which its last line is looked for
LONGEST = 300  # characters of a line of the log in an error


class Running:
    """The command of a stage in its directory."""

    def __init__(self, spec: StageSpec, work: Work, journal: Journal, metrics: Metrics | None) -> None:
        self._spec = spec
        self._work = work
        self._journal = journal
        self._metrics = metrics
        self._out = spec.directory / OUT
        self._looked = 0.0
        self._step = -1
        self._text = ""
        self._sizes: dict[Path, int] = {}

    @property
    def _ended(self) -> dict[str, Any]:
        found = read_json(self._spec.directory / ENDED)
        return found if isinstance(found, dict) else {}

    @property
    def ended_well(self) -> bool:
        """Whether an attempt has ended with exit code 0."""
        return self._ended.get("exit") == 0 and not self._ended.get("stopped")

    @property
    def refused(self) -> dict[str, Any] | None:
        """The outputs that could not be taken of it."""
        return self._ended.get("refused")

    def refuse(self, outputs: dict[str, Any]) -> None:
        """Note that these outputs are not there."""
        write_json(self._spec.directory / ENDED, self._ended | {"refused": outputs})

    def attempt(self, command: str, *, resume: str | None, directory: Path, env: dict[str, str | None]) -> None:
        """Run a command to its end, each in words that bash reads.

        Args:
            resume: the command in its place where an earlier attempt has left something; None: that is set aside.

        Raises:
            StageFailed: it did not end well.
            StageStopped: somebody else stopped it.
        """
        self._work.lease.require()
        left = self._out.is_dir() and any(self._out.iterdir())
        again = left and resume is not None
        if not again:
            self._journal.rewind(-1)
            if left:
                self._set_aside()
        self._out.mkdir(exist_ok=True)
        (self._spec.directory / ENDED).unlink(missing_ok=True)
        job = CommandJob(
            command=resume if again and resume is not None else command,
            directory=directory.resolve(),
            env=env | ({RESUMED: "1"} if again else {RESUMED: None}),
            output=self._spec.directory,
            lease=self._work.lease.held,
        )
        path = self._spec.directory / JOB
        write_json(path, job.model_dump(mode="json"))
        self._say(f"{directory.resolve()}$ {without_secrets(job.command)}")
        code, begin = follow_process([sys.executable, "-m", "tasks.command.supervise", str(path)], self._work.lease, self._look)
        self._judge(code, begin, resume is not None)

    def forget_earlier(self) -> None:
        """Remove what earlier attempts left: the stage is done."""
        self._work.lease.require()
        shutil.rmtree(self._spec.directory / EARLIER, ignore_errors=True)

    def _set_aside(self) -> None:
        target = self._spec.directory / EARLIER / f"{OUT}-{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
        target.parent.mkdir(exist_ok=True)
        self._out.rename(target)
        self._say(f"what an earlier attempt left is in {target} until the stage is done; this one starts in an empty directory")

    def _say(self, text: str) -> None:
        """A line of ours in the log."""
        with (self._spec.directory / LOG).open("a", encoding="utf-8") as log:
            log.write(f"--- {text}\n")

    def _look(self) -> None:
        """Pass on new steps and the last line of the log."""
        now = time.monotonic()
        if now - self._looked < GLANCE:
            return
        self._looked = now
        values, text = self._new_steps(), self._last_line()
        if values is not None or text != self._text:
            self._text = text
            self._work.follow(Progress(max(self._step, 0), self._journal.total, values or {}, time.time(), text))

    def _new_steps(self) -> dict[str, float] | None:
        """Read steps that were added to the files of metrics; returns the values of the last."""
        from evals.analytics.external.metrics import read_metrics

        if self._metrics is None:
            return None
        sizes = {path: path.stat().st_size for path in find(self._metrics.path, self._spec.directory)}
        if sizes == self._sizes:
            return None
        self._sizes = sizes
        values = None
        with suppress(InputError):  # a file that is being written; at the end it is read strictly
            for step, values in read_metrics(sizes, self._metrics.step, self._metrics.names).items():
                if step > self._step:
                    self._journal.log(step, values)
                    self._step = step
        return values

    def _last_line(self) -> str:
        with (self._spec.directory / LOG).open("rb") as log:
            log.seek(max(0, log.seek(0, 2) - TAIL))
            lines = [line for line in log.read().decode(errors="replace").splitlines() if line.strip()]
        return visible(without_secrets(lines[-1])).strip() if lines and not lines[-1].startswith("---") else ""

    def _judge(self, code: int, begin: int, resumes: bool) -> None:
        """Raise what the end of the command means."""
        name, log, ended = self._spec.directory.name, self._spec.directory / LOG, self._ended
        again = "run again to go on" if resumes else "run again to start it anew"
        if "exit" not in ended:
            lines = [line for line in written(log, begin) if line.startswith("error: ")]
            why = lines[-1].removeprefix("error: ") if lines else f"the process that carries out its command ended with exit code {code}"
            raise StageFailed(f"stage {name}: {without_secrets(why)}; the whole log is {log}; {again}")
        if ended["stopped"]:
            raise StageStopped(f"stage {name}: its command was stopped by a signal; {again}")
        if exit_code := ended["exit"]:
            number = -exit_code if exit_code < 0 else exit_code - 128
            killed = number in signal.valid_signals()
            how = f"was killed by {signal.Signals(number).name}" if killed else f"ended with exit code {exit_code}"
            lines = written(log, begin)
            last = f": {visible(without_secrets(lines[-1].strip()))[:LONGEST]}" if lines else ""
            memory = "; the memory may have run out" if number == signal.SIGKILL else ""
            raise StageFailed(f"stage {name}: its command {how}{last}{memory}; the whole log is {log}; {again}")
