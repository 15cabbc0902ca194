"""What happens to a workspace while nobody works in it. Each event says what it did."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

from tests.end_to_end.chaos.site import Missed, Site

Strike = Callable[[Site, random.Random], str]

CLOCKS = (-86_400, -3_600, -90, 90, 3_600, 86_400)  # seconds
NAMES = ("runs", "two words", "what?", "läufe", "工作区", "a#b%20c&d=e", "it's; [one]")
# Files that are finished, by what they are; of stages only those that a manifest vouches for.
FLIPPED = {
    "checkpoint": "chaos/*-????????/checkpoints/step-*/*",
    "cell": "cells/*/*.*",
    "rollout file": "chaos/*-????????/rollouts/step-*.parquet",
    "samples": "chaos/*-????????/samples/*/*.parquet",
    "prompts": "chaos/*-????????/*.parquet",
    "metrics": "chaos/*-????????/metrics.jsonl",
    "manifest": "chaos/*-????????/manifest.json",
    "stage's record": "chaos/*-????????/s*.json",
    "MLflow's notes": "chaos/*-????????/mlflow.json",
    "run record": "chaos/runs/*.json",
}


def flip(site: Site, rng: random.Random) -> str:
    """One bit of a file, which is newer then."""
    there = [kind for kind, pattern in FLIPPED.items() if any(site.workspace.glob(pattern))]
    if site.is_done("scores"):  # no run reads its cells again
        there = [kind for kind in there if kind != "cell"]
    if not there:
        raise Missed
    kind = rng.choice(there)
    path = rng.choice(sorted(site.workspace.glob(FLIPPED[kind])))
    content = bytearray(path.read_bytes())
    position = rng.randrange(len(content) * 8)
    content[position // 8] ^= 1 << position % 8
    path.write_bytes(content)
    if kind == "checkpoint" and path.parent != max(path.parent.parent.glob("step-*")):
        site.damaged.add((path.parents[2].name.rpartition("-")[0], int(path.parent.name.removeprefix("step-"))))
    return f"{kind}: bit {position} of {path.relative_to(site.workspace)}"


def move(site: Site, rng: random.Random) -> str:
    """Rename the workspace, put a copy in its place, or leave a link to it."""
    if not site.workspace.exists():
        raise Missed
    old = site.workspace
    new = site.disk / f"{rng.choice(NAMES)} {site.started}"
    how = rng.choice(("renamed", "copied", "linked"))
    match how:
        case "renamed":
            old.rename(new)
        case "copied":
            shutil.copytree(old, new, symlinks=False)
            _remove(old)
        case "linked":
            new.symlink_to(old, target_is_directory=True)
    site.workspace = new
    return f"{how} to {new.name}"


def skew(site: Site, rng: random.Random) -> str:
    """The clock of the next runs' host is wrong."""
    site.clock = rng.choice(CLOCKS)
    return f"{site.clock:+} s"


def change_host(site: Site, rng: random.Random) -> str:
    """The next runs are on the other of two hosts."""
    site.host = "two" if site.host == "one" else "one"
    return f"to {site.host}"


def _remove(workspace: Path) -> None:
    if workspace.is_symlink():
        target = Path(os.readlink(workspace))
        workspace.unlink()
        workspace = target
    if workspace.is_symlink():
        _remove(workspace)
    else:
        shutil.rmtree(workspace)


BETWEEN: dict[str, Strike] = {"flip a bit": flip, "move the workspace": move, "set the clock": skew, "change the host": change_host}
