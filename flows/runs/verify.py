"""Whether what a workspace holds is as it was written.

Everything is held against the digests that were kept when it was written: of outputs in a stage's manifest, of checkpoints in their
`files.json`, of cells and records in themselves. Files are read even if size and time are as they were, for a bad disk changes neither.
Nothing is changed; only the remembered digests are, so that `plan` and `resume` see what was found. What is being written is not judged,
nor is what nothing is made of: logs, progress, job files, and what was set aside.
"""

import json
import re
import shlex
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from evals.cells import CELL, PARTIAL, SAMPLES, DamagedCell, damaged_lines, fingerprint_of, read_cell
from flows.history.archive_check import STAGE_DIRECTORY
from flows.history.promote import promoted, promoted_file
from flows.recipe.schema import NAME
from flows.runs.status import describe
from flows.runs.verify_databases import check_mlflow, check_prefect, check_warehouse
from rl_core.errors import InputError
from rl_core.nearest import nearest
from rl_core.training.checkpoint import FILES, damaged_files
from rl_core.training.journal import damaged_steps
from tasks.command.outputs import OUT
from tasks.format import storage
from tasks.kinds import KINDS
from tasks.stage.digests import Digests
from tasks.stage.lease import holder, orphan
from tasks.stage.records import MANIFEST, MLFLOW, SPEC, STATE, WRITTEN, read_record
from tasks.stage.spec import damage, directory_name, read_manifest
from tasks.workspace import RESERVED, Workspace

State = Literal["sound", "damaged", "unfinished", "in work"]
SHOWN = 8  # damaged files of a stage that are named
UNREADABLE = "is cut, of another version, or does not match its digest"
MISSING = "is missing"


@dataclass(frozen=True)
class Finding:
    """What was found in one stage, cell, record or database."""

    state: State
    what: str  # a path in the workspace
    text: str
    remedy: str | None = None  # a command


class Verification:
    """One walk over a workspace."""

    def __init__(self, workspace: Workspace, on_progress: Callable[[str], None]) -> None:
        """`on_progress` is called with what is read next."""
        self.workspace = workspace
        self.read = 0  # bytes
        self._on_progress = on_progress
        self._whole: set[Path] = set()  # stages that are done and sound
        self._digests = Digests(workspace.digests)

    def findings(self, experiment: str | None = None) -> Iterator[Finding]:
        """Everything, or the runs, stages and reports of one experiment.

        Raises:
            InputError: there is no such workspace or experiment.
            PermissionError: a file may not be read.
        """
        experiments = self._experiments()
        if not self.workspace.root.is_dir():
            raise InputError(f"{self.workspace.root}: no such workspace; give one by --workspace")
        if experiment is not None and experiment not in experiments:
            raise InputError(f"{self.workspace.root} has no experiment {experiment!r}; {nearest(experiment, experiments)}")
        try:
            for name in [experiment] if experiment is not None else experiments:
                yield from self._experiment(name)
            if experiment is None:
                yield from self._cells()
                yield from self._promoted()
                yield from self._databases(experiments)
        finally:
            self._digests.save()

    def _experiments(self) -> list[str]:
        found = {path.parent.name for path in [*self.workspace.root.glob("*/*-????????"), *self.workspace.root.glob("*/runs")]}
        return sorted(name for name in found - RESERVED if re.fullmatch(NAME, name))

    def _experiment(self, name: str) -> Iterator[Finding]:
        runs: list[dict[str, Any]] = []
        for path in self.workspace.run_records(name):
            run = read_record(path)
            if run is None or run["run"] != path.stem:
                text = f"{UNREADABLE}; nothing can make it again: bring it back from a backup, or put it out of the way"
                yield Finding("damaged", self._name(path), text, f"mv {_quoted(path)} {_quoted(path)}.damaged")
            else:
                runs.append(run)
        if runs:
            yield Finding("sound", f"{name}/runs", f"{len(runs)} {'record of a run' if len(runs) == 1 else 'records of runs'}")
        folder = self.workspace.root / name
        directories = [path for path in sorted(folder.iterdir()) if path.is_dir() and re.fullmatch(STAGE_DIRECTORY, path.name)]
        if runs and runs[-1]["state"] == "done":  # what `gc` keeps in any case
            wanted = [folder / entry["directory"] for entry in runs[-1]["stages"].values() if entry["action"] != "skip"]
            directories += [path for path in wanted if path not in directories]
        for directory in directories:
            if finding := self._stage(directory, runs):
                yield finding
        yield from self._reports(folder)

    def _stage(self, directory: Path, runs: list[dict[str, Any]]) -> Finding | None:
        """None for one that is removed or set aside meanwhile."""
        what = self._name(directory)
        again = self._resume(directory, runs)
        if not directory.is_dir():
            return Finding("damaged", what, MISSING, again)
        if _in_work(directory):
            return Finding("in work", what, describe(directory)[0])
        manifest = read_manifest(directory)
        problems = self._records(directory, manifest)
        if manifest:
            problems |= self._outputs(directory, manifest)
        elif not problems:
            problems = self._unfinished(directory)
        if _in_work(directory) or read_manifest(directory) != manifest:  # a process has begun to work on it
            return Finding("in work", what, describe(directory)[0]) if directory.is_dir() else None
        if problems.keys() == {STATE} and manifest:  # it is never written again
            again = f"rm {_quoted(directory / STATE)}"
        if not manifest and not problems:
            return Finding("unfinished", what, describe(directory)[0], again)
        left_out = [name for name in problems if not (directory / STATE).exists() and problems[name] == MISSING and _stays_behind(name)]
        if len(left_out) < len(problems):
            return Finding("damaged", what, _listed({name: why for name, why in problems.items() if name not in left_out}), again)
        outputs = (manifest or {})["outputs"]
        self._whole.add(directory)
        size = storage(sum(output["bytes"] for name, output in outputs.items() if name not in left_out))
        rest = f"; {len(left_out)} that export left behind are not here" if left_out else ""
        return Finding("sound", what, f"{len(outputs) - len(left_out)} files, {size}{rest}")

    def _records(self, directory: Path, manifest: dict[str, Any] | None) -> dict[str, str]:
        read = {name: read_record(directory / name) for name in (SPEC, STATE, MLFLOW)} | {MANIFEST: manifest}
        problems = {name: UNREADABLE for name, content in read.items() if content is None and (directory / name).exists()}
        if not (directory / SPEC).exists():
            problems[SPEC] = MISSING
        if (read[STATE] or {}).get("state") == "done" and not (directory / MANIFEST).exists():
            problems[MANIFEST] = MISSING
        for name in (SPEC, MANIFEST):
            content = read[name]
            if content and directory_name(content["stage"], content["fingerprint"]) != directory.name:
                problems[name] = "is of another stage"
        return problems

    def _outputs(self, directory: Path, manifest: dict[str, Any]) -> dict[str, str]:
        """Outputs that are not as the manifest says, and checkpoints that the manifest took for whole and are not."""
        problems: dict[str, str] = {}
        outputs = manifest["outputs"]
        for name, recorded in outputs.items():
            self._on_progress(f"{self._name(directory / name)} ({storage(recorded['bytes'])})")
            problems |= damage(directory, manifest | {"outputs": {name: recorded}}, self._digests, again=True)
            self.read += recorded["bytes"]
        for name in outputs:
            checkpoint, _, file = name.rpartition("/")
            if file == FILES and name not in problems:
                with suppress(OSError, ValueError, AttributeError):
                    for inside, recorded in json.loads((directory / name).read_text()).items():
                        path = f"{checkpoint}/{inside}"
                        if path not in problems and outputs.get(path, recorded) != recorded:
                            problems[path] = "had changed before its stage was done"
        return problems

    def _unfinished(self, directory: Path) -> dict[str, str]:
        """What is wrong with what a stage has made so far."""
        problems: dict[str, str] = {}
        for checkpoint in sorted(path for path in directory.glob("checkpoints/step-*") if path.is_dir()):
            self._on_progress(self._name(checkpoint))
            self.read += sum(path.stat().st_size for path in checkpoint.rglob("*") if path.is_file())
            problems |= {f"checkpoints/{checkpoint.name}/{name}": "does not match its digest" for name in damaged_files(checkpoint)}
        for step in damaged_steps(directory):
            problems[f"step {step}"] = "has metrics or rollouts that were changed after they were made"
        return problems

    def _reports(self, folder: Path) -> Iterator[Finding]:
        for path in sorted(folder.glob(f"reports/*/{WRITTEN}")):
            page = path.parent
            record = read_record(path)
            problems = damage(page, {"outputs": record["files"]}, self._digests, again=True) if record else {path.name: UNREADABLE}
            if problems:
                yield Finding("damaged", self._name(page), _listed(problems), self._command("report", f"{folder.name}/{page.name}"))
            else:
                yield Finding("sound", self._name(page), f"{len((record or {})['files'])} files")

    def _cells(self) -> Iterator[Finding]:
        sound = 0
        for directory in sorted(path for path in self.workspace.cells.glob("*") if path.is_dir()):
            self._on_progress(self._name(directory))
            what, again = self._name(directory), f"rm -r {_quoted(directory)}"
            if (directory / PARTIAL).exists() or not (directory / CELL).exists():
                lost = damaged_lines(directory / PARTIAL) if (directory / PARTIAL).exists() else 0
                if lost:
                    text = f"{lost} line(s) do not match their checksums; the evaluation that goes on with it makes them again by itself"
                    yield Finding("damaged", f"{what}/{PARTIAL}", text)
                elif (directory / SAMPLES).exists() and not (directory / PARTIAL).exists():
                    yield Finding("damaged", what, f"{CELL} {MISSING}; an evaluation that needs the cell makes it again", again)
                else:
                    yield Finding("unfinished", what, "an evaluation that needs it goes on with it")
                continue
            try:
                record = read_cell(directory) or {}
                if directory.name != fingerprint_of(record["identity"]):
                    raise DamagedCell(f"{directory} is of another cell")
            except DamagedCell as error:
                text = str(error).removeprefix(f"{directory} ")
                yield Finding("damaged", what, f"{text}; an evaluation that needs the cell makes it again", again)
            else:
                sound += 1
                self.read += sum(path.stat().st_size for path in directory.iterdir())
        if sound:
            yield Finding("sound", "cells", f"{sound} {'cell of an evaluation' if sound == 1 else 'cells of evaluations'}")

    def _promoted(self) -> Iterator[Finding]:
        path = promoted_file(self.workspace)
        try:
            names = promoted(self.workspace)
        except InputError as error:
            yield Finding("damaged", path.name, str(error).removeprefix(f"{path}: "))
            return
        for name, entry in names.items():
            if not (self.workspace.root / entry["stage"]).is_dir():
                yield Finding("damaged", entry["stage"], f"{MISSING}, though {name} is promoted from it")

    def _databases(self, experiments: list[str]) -> Iterator[Finding]:
        self._on_progress(self.workspace.warehouse.name)
        made = [path.parent for path in self.workspace.root.glob(f"*/*/{MANIFEST}") if re.fullmatch(STAGE_DIRECTORY, path.parent.name)]
        kinds = [KINDS.get((read_manifest(directory) or {}).get("kind", "")) for directory in made]
        wanted = any(kind is not None and kind.publishes for kind in kinds)
        yield from self._database(check_warehouse(self.workspace, wanted=wanted), self.workspace.warehouse, ["ingest"])
        self._on_progress(self.workspace.mlflow_file.name)
        resumed = [f"resume {name}" for name in experiments if self.workspace.run_records(name)]
        finished = [path for path in made if path in self._whole]
        yield from self._database(check_mlflow(self.workspace, finished), self.workspace.mlflow_file, resumed)
        self._on_progress(self.workspace.prefect_file.name)
        yield from self._database(check_prefect(self.workspace), self.workspace.prefect_home, [])  # its log must not be left to a new one

    def _database(self, found: tuple[State, str] | None, path: Path, commands: list[str]) -> Iterator[Finding]:
        """`commands` make it again once it is out of the way."""
        if found is None:
            return
        state, text = found
        self.read += path.stat().st_size if path.exists() else 0
        away = [f"mv {_quoted(path)} {_quoted(path)}.damaged"] if path.exists() else []
        remedy = " && ".join([*away, *map(self._command, commands)])
        yield Finding(state, self._name(path), text, (remedy or None) if state == "damaged" else None)

    def _resume(self, directory: Path, runs: list[dict[str, Any]]) -> str | None:
        """The command that makes a stage again: the last run that was about it is resumed."""
        for run in reversed(runs):
            entries = [entry for entry in run["stages"].values() if entry["directory"] == directory.name]
            if entries and entries[0]["action"] != "skip":
                return self._command("resume", f"{run['experiment']}/{run['run']}")
        return None

    def _command(self, *words: str) -> str:
        return f"r1flow {' '.join(words)} --workspace {_quoted(self.workspace.root)}"

    def _name(self, path: Path) -> str:
        return path.relative_to(self.workspace.root).as_posix()


def _in_work(directory: Path) -> bool:
    state = read_record(directory / STATE)
    return bool(state and (holder(directory / STATE, state) or orphan(state)))


def _stays_behind(name: str) -> bool:
    """Whether an export that is not whole can be without an output."""
    return name.startswith(("rollouts/", "checkpoints/", f"{OUT}/")) or name.endswith(".duckdb")


def _listed(problems: dict[str, str]) -> str:
    shown = [f"{name} {why}" for name, why in list(problems.items())[:SHOWN]]
    return "; ".join([*shown, f"and {len(problems) - SHOWN} more"] if len(problems) > SHOWN else shown)


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))
