"""What happens to the site's run while it is at work. Each event waits for its moment and says what it did."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import suppress

import psutil

from tests.end_to_end.chaos.disk import filled
from tests.end_to_end.chaos.site import OWN_PROCESS, PATIENCE, Broken, Missed, Run, Site

UNDER_LIMIT, OVER_LIMIT = (0.5, 3.0), (7.0, 10.0)  # seconds of a suspension; the lease's limit is 4 and a watch of 2
BUSY = ("in work since", "a process that is suspended holds", "another process took this stage over", "another process has taken this")
STRUCK = "killed by SIGKILL"  # an earlier event has ended the run's trainer, and it gives way to nobody


def kill(site: Site, rng: random.Random) -> str:
    """SIGKILL to the flow, its trainer, or a process of Ray."""
    stage = site.moment(rng)
    target = _target(site, stage, rng)
    with suppress(psutil.Error):
        site.process(target, rng).kill()
        return f"the {target} in {stage}"
    raise Missed


def suspend(site: Site, rng: random.Random) -> str:
    """SIGSTOP and SIGCONT, with less or more than the lease's limit between."""
    stage = site.moment(rng)
    target = _target(site, stage, rng)
    seconds = rng.uniform(*rng.choice((UNDER_LIMIT, OVER_LIMIT)))
    with suppress(psutil.Error):
        process = site.process(target, rng)
        process.suspend()
        time.sleep(seconds)
        process.resume()
        return f"the {target} in {stage} for {seconds:.1f} s"
    raise Missed


def take_over(site: Site, rng: random.Random) -> str:
    """A run on another host wants the stage: of a run that is alive, or suspended, or suspended with its trainer.

    Raises:
        Broken: the one that gives way does not say why.
    """
    stage = site.moment(rng)
    first, other = site.run, "two" if site.host == "one" else "one"
    how = rng.choice(("alive", "suspended", "suspended with its trainer"))
    stopped: list[psutil.Process] = []
    with suppress(psutil.Error, Missed):
        for target in {"alive": (), "suspended": ("flow",), "suspended with its trainer": ("flow", "trainer")}[how]:
            stopped.append(site.process(target, rng))
            stopped[-1].suspend()
    second = site.start(host=other)
    if stopped:
        _wait_until_it_works(site, second)
    site.pass_time(second, rng.uniform(0, 3))
    for process in stopped:
        with suppress(psutil.Error):
            process.resume()
    deadline = time.monotonic() + PATIENCE
    while first.alive and second.alive and time.monotonic() < deadline:
        site.pass_time(first, 0.1)
    first_goes_on = first.alive or first.process.returncode == 0
    site.run, gone = (first, second) if first_goes_on else (second, first)
    site.host = site.host if first_goes_on else other
    if site.finish(gone) != 0 and not any(reason in gone.output for reason in (*BUSY, STRUCK)):
        raise Broken(f"a run that gives way to another one does not say so; see {gone.log}")
    return f"{stage} of a run that is {how}; the {'first' if first_goes_on else 'second'} one goes on"


def fill(site: Site, rng: random.Random) -> str:
    """No room on the disk from some moment on, for a while or until the run has ended."""
    stage = site.moment(rng)
    left = rng.choice((0, 4_000, 60_000, 400_000))
    with filled(site, left):
        site.pass_time(site.run, rng.choice((2.0, 20.0)))
    return f"{left:,} bytes left in {stage}"


def _target(site: Site, stage: str, rng: random.Random) -> str:
    if stage not in OWN_PROCESS:
        return "flow"
    return rng.choice(["trainer", "flow", *(["ray worker", "ray worker", "ray head"] if stage == "warm" and site.ray else [])])


def _wait_until_it_works(site: Site, run: Run) -> None:
    """Until a run has taken a stage, or has ended."""
    deadline = time.monotonic() + PATIENCE
    while run.alive and time.monotonic() < deadline and not any(site.works_on(run, stage) for stage in site.stages):
        site.pass_time(run, 0.1)


DURING: dict[str, Callable[[Site, random.Random], str]] = {"kill": kill, "suspend": suspend, "take over": take_over, "fill the disk": fill}
