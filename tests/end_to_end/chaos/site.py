"""The workspace that is struck: where it lies, the runs that are started in it, and their processes."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.end_to_end.command import ROOT, plain_environment

RECIPE = ROOT / "tests" / "fixtures" / "chaos.yaml"
ELSEWHERE = ROOT / "tests" / "fixtures" / "elsewhere.py"
STAGES = ("puzzles", "cold", "warm", "scores", "cot", "report")
OWN_PROCESS = ("cold", "warm", "scores")  # stages with a trainer, which is a process of its own
PATIENCE = 600.0  # seconds for a run
GLANCE = 0.5  # seconds between two looks at a run's processes, each of which goes over all of the machine's


class Broken(AssertionError):
    """A promise that was not kept."""


class Missed(Exception):
    """There was nothing to strike any more."""


@dataclass
class Run:
    """A run at work, or its end."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    @property
    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            self.process.send_signal(number)


@dataclass
class Site:
    """A workspace below a folder. `workspace` is where it lies now: events move it."""

    folder: Path
    stages: tuple[str, ...]
    ray: bool
    disk: Path = field(init=False)  # in which the workspace is moved, and which can be filled
    workspace: Path = field(init=False)
    run: Run = field(init=False)  # the one that is, or was last, at work
    host: str = "one"
    clock: int = 0  # seconds that the host's is ahead
    processes: set[psutil.Process] = field(default_factory=set)  # every one that a run has started
    shared: set[str] = field(default_factory=set)  # files of shared memory that these have used
    looked: float = 0.0  # when
    started: int = 0  # runs
    runs: list[Run] = field(default_factory=list)  # all of them
    hosts: set[str] = field(default_factory=set)  # on which runs were started
    damaged: set[tuple[str, int]] = field(default_factory=set)  # stage and step of checkpoints before a later one: nobody makes them again
    seconds: dict[str, float] = field(default_factory=dict)  # that a stage takes when nothing disturbs it

    def __post_init__(self) -> None:
        self.disk = self.folder / "disk"
        self.workspace = self.disk / "runs"
        self.disk.mkdir(parents=True, exist_ok=True)

    def start(self, *arguments: str, host: str | None = None) -> Run:
        """`r1flow run` of the recipe, or another command, as on a host."""
        self.started += 1
        self.hosts.add(host or self.host)
        log = self.folder / f"run-{self.started:03}.log"
        until = ["--until", self.stages[-1]] if self.stages != STAGES else []
        command = list(arguments) or ["run", str(RECIPE), "--set", f"warm.resources.ray={str(self.ray).lower()}", *until]
        where = f"{host or self.host}{self.clock:+}" if self.clock else host or self.host
        with log.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, str(ELSEWHERE), where, *command, "--workspace", str(self.workspace)],
                cwd=ROOT,
                env=plain_environment() | {"PYTHONPATH": str(ROOT), "RAY_USAGE_STATS_ENABLED": "0"},
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        run = Run(process, log)
        self.runs.append(run)
        return run

    def finish(self, run: Run) -> int:
        """Wait for a run's end; returns its exit code."""
        self.pass_time(run, PATIENCE)
        if run.alive:
            os.killpg(run.process.pid, signal.SIGKILL)
            raise Broken(f"a run hangs; see {run.log}")
        return run.process.returncode

    def give_up(self) -> None:
        """Kill whatever is still at work."""
        for run in filter(lambda run: run.alive, self.runs):
            for process in [*self.look(run), psutil.Process(run.process.pid)]:
                with suppress(psutil.Error):
                    process.kill()
            run.process.wait()

    def look(self, run: Run) -> list[psutil.Process]:
        """Processes that a run has started and that are there."""
        self.looked = time.monotonic()
        found = []
        with suppress(psutil.Error):
            found = psutil.Process(run.process.pid).children(recursive=True)
        for process in found:
            with suppress(OSError):
                self.shared.update(re.findall(r"/dev/shm/\S+", Path(f"/proc/{process.pid}/maps").read_text()))
        self.processes.update(found)
        return found

    def pass_time(self, run: Run, seconds: float) -> None:
        """Wait, unless the run ends before."""
        deadline = time.monotonic() + seconds
        while run.alive and time.monotonic() < deadline:
            if time.monotonic() > self.looked + GLANCE:
                self.look(run)
            time.sleep(0.05)

    def directory(self, stage: str) -> Path | None:
        return next(iter(sorted(self.workspace.glob(f"chaos/{stage}-????????"))), None)

    def is_done(self, stage: str) -> bool:
        directory = self.directory(stage)
        return directory is not None and (directory / "manifest.json").exists()

    def has_checkpoint(self, stage: str, step: int) -> bool:
        directory = self.directory(stage)
        return directory is not None and (directory / "checkpoints" / f"step-{step:06}").exists()

    def works_on(self, run: Run, stage: str) -> bool:
        """Whether a stage belongs to a run, which may have been killed since."""
        directory = self.directory(stage)
        try:
            state = json.loads((directory / "state.json").read_text()) if directory else {}
            return bool(state["state"] == "running" and state["owner"]["pid"] == run.process.pid)
        except (OSError, ValueError, KeyError, TypeError):
            return False

    def moment(self, rng: random.Random) -> str:
        """Wait for a random moment of a random stage of the run that is still to come; returns the stage.

        Raises:
            Missed: the run ended before.
        """
        ahead = [stage for stage in self.stages if not self.is_done(stage)]
        if not ahead:
            raise Missed
        [stage] = rng.choices(ahead, [self.seconds.get(stage, 5.0) for stage in ahead])
        while self.run.alive and not self.works_on(self.run, stage):
            self.pass_time(self.run, 0.1)
        self.pass_time(self.run, rng.uniform(0, self.seconds.get(stage, 5.0)))
        if not self.run.alive:
            raise Missed
        return stage

    def process(self, target: str, rng: random.Random) -> psutil.Process:
        """A process of the run: its flow, trainer, or one of Ray's.

        Raises:
            Missed: there is none.
        """
        if target == "flow":
            return psutil.Process(self.run.process.pid)
        marks = {"trainer": ("rl_core.train", "evals.run"), "ray worker": ("ray::",), "ray head": ("raylet", "gcs_server")}
        fitting = []
        for process in self.look(self.run):
            with suppress(psutil.Error):
                if any(mark in " ".join(process.cmdline()[:4]) for mark in marks[target]):
                    fitting.append(process)
        if not fitting:
            raise Missed
        return rng.choice(fitting)
