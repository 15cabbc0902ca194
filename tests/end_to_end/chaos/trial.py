"""Rounds of events: a fresh workspace, runs that are struck until the round's events are spent, and a look at what came of it."""

from __future__ import annotations

import json
import random
import shutil
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.end_to_end.chaos.between import BETWEEN
from tests.end_to_end.chaos.disk import small_disk
from tests.end_to_end.chaos.during import DURING
from tests.end_to_end.chaos.outcome import check_nothing_left, differences, made, without_lost
from tests.end_to_end.chaos.site import STAGES, Broken, Missed, Site

WEIGHTS = {
    "kill": 5,
    "suspend": 4,
    "take over": 4,
    "fill the disk": 3,
    "flip a bit": 5,
    "move the workspace": 4,
    "set the clock": 2,
    "change the host": 1,
}
A_ROUND = 8  # events
A_RUN = (2, 4)  # events that one run is drawn
GIVEN_UP = 5.0  # seconds after which a run of another host that was killed does not seem to be at work: 4 in `elsewhere.py`
NOISE = ("Traceback (most recent call last)", "nanobind: leaked")
TRIES = 4  # undisturbed runs that a round may need to end well


@dataclass
class Event:
    kind: str
    round: int
    what: str
    outcome: str = ""  # of the run that it struck, or that came next


@dataclass
class Report:
    events: list[Event] = field(default_factory=list)
    missed: Counter[str] = field(default_factory=Counter)  # drawn when there was nothing to strike
    faults: dict[int, str] = field(default_factory=dict)  # by round
    compared: int = 0  # outputs, tables and curves of a run

    def table(self) -> str:
        """By kind: events that struck, what their runs did, and whether their rounds ended bit for bit as undisturbed ones."""
        columns = ("struck", "run went on", "run ended, next went on", "bit for bit", "not")
        lines = [f"{'':<20}" + "".join(f"{column:>{len(column) + 3}}" for column in columns)]
        for kind in sorted({event.kind for event in self.events}):
            events = [event for event in self.events if event.kind == kind]
            on = sum(event.outcome == "done" for event in events)
            wrong = sum(event.round in self.faults for event in events)
            row = (len(events), on, len(events) - on, len(events) - wrong, wrong)
            lines.append(f"{kind:<20}" + "".join(f"{n:>{len(c) + 3}}" for n, c in zip(row, columns, strict=True)))
        return "\n".join(lines)


def run_chaos(
    events: int, seed: int, *, ray: bool, folder: Path, stages: tuple[str, ...] = STAGES, kinds: tuple[str, ...] = tuple(WEIGHTS)
) -> Report:
    """Strike until that many events have struck; faults of a round are in the report, and the next round goes on.

    Raises:
        Broken: the undisturbed run failed.
    """
    calm = Site(folder / "calm", stages, ray)
    run = calm.start()
    if calm.finish(run) != 0:
        raise Broken(f"the undisturbed run failed; see {run.log}")
    wanted = made(calm)
    check_nothing_left(calm)
    manifests = {stage: calm.directory(stage) for stage in stages}
    seconds = {name: json.loads((path / "manifest.json").read_text())["seconds"] for name, path in manifests.items() if path}
    report, rng = Report(compared=len(wanted)), random.Random(seed)
    number = 0
    while len(report.events) < events:
        number += 1
        site = Site(folder / f"round-{number:02}", stages, ray, seconds=seconds)
        with small_disk(site.disk):
            trial = Trial(site, number, report, random.Random(rng.random()), kinds)
            try:
                trial.strike(min(A_ROUND, events - len(report.events)))
                trial.settle()
                lost = {(stage, step) for stage, step in site.damaged if not site.has_checkpoint(stage, step)}
                if different := differences(without_lost(wanted, lost), without_lost(made(site), lost)):
                    raise Broken(f"not as undisturbed: {different[:8]}")
                check_nothing_left(site)
                print(f"round {number}: bit for bit as undisturbed", flush=True)
            except Broken as fault:
                site.give_up()
                report.faults[number] = str(fault)
                print(f"round {number}: FAULT {fault}", flush=True)
                shutil.copytree(site.disk, folder / f"round-{number:02}" / "found", symlinks=True, ignore_dangling_symlinks=True)
    return report


class Trial:
    """One round."""

    def __init__(self, site: Site, number: int, report: Report, rng: random.Random, kinds: tuple[str, ...]) -> None:
        self.site, self.number, self.report, self.rng, self.kinds = site, number, report, rng, kinds
        self.began = time.monotonic()

    def strike(self, events: int) -> None:
        """Start runs and strike them until that many events have struck, or nothing is left to strike."""
        goal = len(self.report.events) + events
        while len(self.report.events) < goal:
            done = all(map(self.site.is_done, self.site.stages))  # then there is nothing to strike at work
            kinds = [kind for kind in self.kinds if kind in BETWEEN] if done else self.kinds
            if not kinds:
                return
            drawn = self.rng.choices(kinds, [WEIGHTS[kind] for kind in kinds], k=self.rng.randint(*A_RUN))
            self.go(drawn[: goal - len(self.report.events)])

    def settle(self) -> None:
        """Run on undisturbed until the run is done.

        Raises:
            Broken: it does not come to that.
        """
        if len(self.site.hosts) > 1:
            time.sleep(GIVEN_UP)
        for _ in range(TRIES):
            if self.go([]) == 0:
                return
        raise Broken(f"{TRIES} undisturbed runs failed one after another; see the last logs in {self.site.folder}")

    def go(self, drawn: list[str]) -> int:
        """One run with its events; returns its exit code.

        Raises:
            Broken: it prints what is not meant for a person.
        """
        first = len(self.report.events)
        for kind in filter(BETWEEN.__contains__, drawn):
            self._strike(kind, BETWEEN[kind])
        self.site.run = self.site.start()
        for kind in filter(DURING.__contains__, drawn):
            self._strike(kind, DURING[kind])
        run = self.site.run
        code = self.site.finish(run)
        lines = [line for line in run.output.splitlines() if line.strip()]
        outcome = "done" if code == 0 else f"ended with {code}: {lines[-1] if lines else ''}"
        print(f"{self._when()} {run.log.name}: {outcome}", flush=True)
        for event in self.report.events[first:]:
            event.outcome = outcome
        if noise := next((text for text in NOISE if text in run.output), None):
            raise Broken(f"a run prints {noise!r}; see {run.log}")
        return code

    def _strike(self, kind: str, event: Callable[[Site, random.Random], str]) -> None:
        try:
            what = event(self.site, self.rng)
        except Missed:
            self.report.missed[kind] += 1
            return
        self.report.events.append(Event(kind, self.number, what))
        print(f"{self._when()} {kind}: {what}", flush=True)

    def _when(self) -> str:
        return f"round {self.number} {time.monotonic() - self.began:7.2f} s "
