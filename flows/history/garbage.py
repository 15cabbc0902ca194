"""What of a workspace can go: stages that no kept run, no promoted checkpoint and no running process needs."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows.history.lineage import read
from flows.history.promote import promoted
from rl_core.errors import InputError
from tasks.stage.lease import holder, refuse_if_busy
from tasks.stage.records import SPEC, STATE, read_record
from tasks.workspace import RECORDS, Workspace


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

    Raises:
        InputError: a record of a run or of a stage cannot be read, so nobody knows what is needed.
        OSError: a directory cannot be read.
    """
    kept = _with_ancestors(workspace, _wanted(workspace, keep_runs))
    found = []
    for path in sorted(workspace.root.glob(f"*/*/{SPEC}")):
        directory = path.parent
        if directory not in kept:
            if (state := directory / STATE).exists() and read_record(state) is None:
                raise InputError(f"{state}: cannot be read, so nobody knows whether the stage is in work; remove the file if it is not")
            why = "superseded" if ".superseded-" in directory.name else "no kept run needs it"
            found.append(Garbage(directory, why, sum(file.stat().st_size for file in directory.rglob("*") if file.is_file())))
    return found


def remove(items: list[Garbage]) -> None:
    """Delete them. A stage on which work has begun since is kept; it is an error after all others are deleted."""
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
        _require_records(workspace.root / experiment / RECORDS)
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
    """A run's record, with what is asked of it here. Raises InputError if it cannot be read, so nobody knows which stages it needs."""
    record = read_record(path)
    if record is None:
        raise InputError(
            f"{path}: the record of a run cannot be read, so nothing is known of the stages that it needs; "
            "bring it back from a backup, or move it out of the workspace to let its stages go"
        )
    return record


def _require_records(folder: Path) -> None:
    """Raises an error if the records of runs are missing or cannot be read: a search for them would find none without an error."""
    try:
        os.listdir(folder)
    except FileNotFoundError as error:
        raise InputError(
            f"{folder}: the records of runs have gone, so nothing is known of the stages that they need; bring them back from a backup, "
            "or make the directory, empty, to let the stages go"
        ) from error


def _with_ancestors(workspace: Workspace, directories: Iterator[Path]) -> set[Path]:
    found: set[Path] = set()
    waiting = list(directories)
    while waiting:
        directory = waiting.pop()
        if directory in found or not directory.exists():  # what an earlier `gc` deleted
            continue
        found.add(directory)
        waiting += read(directory).inputs(workspace)
    return found
