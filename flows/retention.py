"""What of a workspace can go: stages that no kept run, no promoted checkpoint and no running process needs."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows.ancestry import Made, read
from flows.promote import promoted
from rl_core.errors import InputError
from tasks.lease import holder, refuse_if_busy
from tasks.records import SPEC, STATE, read_record
from tasks.workspace import Workspace


@dataclass(frozen=True)
class Garbage:
    """A directory that can go."""

    directory: Path
    why: str
    size: int  # bytes


def garbage(workspace: Workspace, keep_runs: int) -> list[Garbage]:
    """Directories of stages that nothing needs.

    Kept are those of the last `keep_runs` finished runs of each experiment and of its last run however it ended, of promoted checkpoints,
    of what is being worked on, and what any of these was made of.
    """
    kept = _with_ancestors(workspace, _wanted(workspace, keep_runs))
    found = []
    for path in sorted(workspace.root.glob(f"*/*/{SPEC}")):
        directory = path.parent
        if directory not in kept:
            why = "superseded" if ".superseded-" in directory.name else "no kept run needs it"
            found.append(Garbage(directory, why, sum(file.stat().st_size for file in directory.rglob("*") if file.is_file())))
    return found


def remove(items: list[Garbage]) -> None:
    """Delete them. What somebody has begun to work on meanwhile stays, and is an error after all others have gone."""
    busy: InputError | None = None
    for item in items:
        try:
            refuse_if_busy(item.directory)
        except InputError as error:
            busy = error
            continue
        shutil.rmtree(item.directory)
    if busy:
        raise busy


def _wanted(workspace: Workspace, keep_runs: int) -> Iterator[Path]:
    for experiment in workspace.experiments():
        runs = [_record(path) for path in reversed(workspace.run_records(experiment))]
        done = [run for run in runs if run["state"] == "done"][:keep_runs]
        for run in [*runs[:1], *done]:
            for stage in run["stages"].values():
                yield workspace.root / experiment / stage["directory"]
    for entry in promoted(workspace).values():
        yield workspace.root / entry["stage"]
        if "judged" in entry:  # by its samples the next candidate is compared
            yield workspace.root / entry["judged"]
    for path in workspace.root.glob(f"*/*/{STATE}"):
        if holder(path):
            yield path.parent


def _record(path: Path) -> dict[str, Any]:
    """A run's record, with what is asked of it here.

    Raises:
        InputError: it cannot be read, so nobody knows which stages it needs.
    """
    record = read_record(path)
    if record is None:
        raise InputError(
            f"{path}: the record of a run cannot be read, so nothing is known of the stages that it needs; "
            "bring it back from a backup, or move it out of the workspace to let its stages go"
        )
    return record


def _with_ancestors(workspace: Workspace, directories: Iterator[Path]) -> set[Path]:
    found: set[Path] = set()
    waiting = list(directories)
    while waiting:
        directory = waiting.pop()
        if directory in found or not (directory / SPEC).exists():
            continue
        found.add(directory)
        made: Made = read(directory)
        waiting += made.inputs(workspace)
    return found
