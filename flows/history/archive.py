"""A run as one file for another machine: recipe, stages with their settings, metrics, samples, report, and a checkpoint.

The archive lists every file with its sha256 in `bundle.json`, its first member. Taking one in checks all of it before anything is placed,
and never overwrites.
"""

import hashlib
import io
import json
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flows.history.archive_check import FORMAT, INDEX, check_contents, check_index
from flows.history.lineage import read
from flows.history.references import step_of
from rl_core.errors import InputError
from rl_core.files import in_one_piece
from rl_core.nearest import nearest
from rl_core.training.checkpoint import ONLY_TO_TRAIN
from tasks.command.outputs import OUT
from tasks.format import storage
from tasks.kinds import kinds_that_make
from tasks.stage.digests import Digests
from tasks.stage.records import MANIFEST, MLFLOW, SPEC, STATE, read_record
from tasks.stage.spec import JOB, read_manifest
from tasks.workspace import RECORDS, Workspace

LOCAL = {STATE, JOB, MLFLOW}  # about this machine: who works here, paths, which server knows what
LARGEST_INDEX = 50_000_000  # bytes


def export(workspace: Workspace, run: dict[str, Any], output: Path, *, checkpoint: str | None, whole: bool) -> list[str]:
    """Write a run's archive; returns what is in it, by stage.

    Args:
        checkpoint: the stage whose last checkpoint goes along, or STAGE/step-N; default: the last stage that has any.
        whole: everything, so that the other machine reuses the stages instead of only looking at them.

    Raises:
        InputError: a stage of the run is not finished or has gone, or a file of it is damaged.
        OSError: the archive cannot be written; it names the archive.
    """
    root = workspace.root / run["experiment"]
    stages = {name: root / entry["directory"] for name, entry in run["stages"].items() if read_manifest(root / entry["directory"])}
    if not stages:
        raise InputError(f"run {run['run']}: no stage is finished, so there is nothing to take along")
    trained = [name for name in stages if run["stages"][name]["kind"] in kinds_that_make("checkpoint")]
    chosen, _, step = (checkpoint or (trained[-1] if trained else "")).partition("/")
    if checkpoint and chosen not in trained:
        raise InputError(f"--checkpoint {checkpoint}: no finished stage with a checkpoint; {nearest(checkpoint, trained)}")
    along = step_of(read(stages[chosen]), step, f"--checkpoint {checkpoint}") if step else None
    files = {f"{RECORDS}/{run['run']}.json": root / RECORDS / f"{run['run']}.json"}
    made: dict[str, Any] = {}  # what the stages' manifests say of the files
    for name, directory in stages.items():
        manifest = read_manifest(directory) or {"result": {}, "outputs": {}}
        last = directory / str(manifest["result"].get("checkpoint"))
        made |= {f"{directory.name}/{inside}": output["sha256"] for inside, output in manifest["outputs"].items()}
        for path in _wanted(directory, (along or last) if name == chosen else None, whole=whole):
            files[f"{directory.name}/{path.relative_to(directory).as_posix()}"] = path
    digests = Digests(workspace.digests)
    found = {name: {"bytes": path.stat().st_size, "sha256": digests.of(path, again=True)} for name, path in files.items()}
    if rotten := [name for name, file in found.items() if file["sha256"] != made.get(name, file["sha256"])]:
        digests.save()  # so that the next run sees it, too
        raise InputError(f"{files[rotten[0]]}: was changed after it was made; first r1flow resume {run['experiment']}/{run['run']}")
    index = {"format": FORMAT, "experiment": run["experiment"], "run": run["run"], "whole": whole, "files": found}
    try:
        with in_one_piece(output) as aside, tarfile.open(aside, "w") as archive:
            text = json.dumps(index, indent=1).encode()
            member = tarfile.TarInfo(INDEX)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text))
            for name, path in files.items():
                archive.add(path, name, recursive=False)
    except OSError as error:
        error.filename = str(output)  # an error while writing names no file
        raise
    return [f"{name}{' with its checkpoint' if name == chosen or whole else ''}" for name in stages]


def take_in(workspace: Workspace, source: Path) -> tuple[str, list[str]]:
    """Place an archive's run in the workspace; returns `EXPERIMENT/RUN` and the stages that were not there yet.

    Raises:
        InputError: no such archive, a foreign or damaged one, one with paths that lead out of it, or too little space.
    """
    workspace.create()
    with tempfile.TemporaryDirectory(dir=workspace.root, prefix=".import-") as folder:
        try:
            with tarfile.open(source, "r:") as archive:
                members = iter(archive)
                first = next(members, None)
                if first is None or first.name != INDEX or not first.isfile() or first.size > LARGEST_INDEX:
                    raise InputError(f"{source}: not an archive of r1flow export (its first file is not {INDEX})")
                index = check_index(archive.extractfile(first).read(), source)  # type: ignore[union-attr]
                needed = sum(file["bytes"] for file in index["files"].values())
                if needed > shutil.disk_usage(folder).free:
                    raise InputError(f"{source}: holds {storage(needed)}, more than is free in {workspace.root}; free space")
                _unpack(archive, members, index["files"], Path(folder), source)
                check_contents(Path(folder), index, source)
        except (OSError, tarfile.TarError) as error:
            raise InputError(f"{source}: not a whole archive of r1flow export ({error}); copy or export it again") from error
        return f"{index['experiment']}/{index['run']}", _place(Path(folder), workspace.root / index["experiment"])


def _wanted(directory: Path, checkpoint: Path | None, *, whole: bool) -> Iterator[Path]:
    """Files of a stage that go along: without `whole`, of checkpoints that one alone, and no rollouts, databases and output of commands."""
    for path in sorted(directory.rglob("*")):
        inside = path.relative_to(directory)
        if not path.is_file() or path.is_symlink() or inside.as_posix() in LOCAL or any(part.startswith(".") for part in inside.parts):
            continue
        kind = inside.parts[0]
        if not whole and (kind in ("rollouts", OUT) or path.suffix == ".duckdb" or path.name in ONLY_TO_TRAIN):
            continue
        if not whole and kind == "checkpoints" and (checkpoint is None or checkpoint not in path.parents):
            continue
        yield path


def _unpack(
    archive: tarfile.TarFile, members: Iterator[tarfile.TarInfo], files: dict[str, dict[str, Any]], folder: Path, source: Path
) -> None:
    found = set()
    for member in members:
        listed = files.get(member.name)
        if listed is None or not member.isfile() or member.size != listed["bytes"]:
            raise InputError(f"{source}: {member.name!r} is not in its list of files, or not as listed; do not trust it")
        target = folder / member.name
        target.parent.mkdir(parents=True, exist_ok=True)
        with archive.extractfile(member) as content, target.open("wb") as file:  # type: ignore[union-attr]
            shutil.copyfileobj(content, file)
        with target.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != listed["sha256"]:
            raise InputError(f"{source}: {member.name} does not match its digest; copy or export it again")
        found.add(member.name)
    if missing := sorted(files.keys() - found):
        raise InputError(f"{source}: {missing[0]} is missing, it was cut off; copy or export it again")


def _place(folder: Path, experiment: Path) -> list[str]:
    """Rename stage by stage; stages that exist already are left as they are."""
    experiment.mkdir(exist_ok=True)
    placed = []
    for path in sorted(folder.iterdir()):
        if path.name == RECORDS:
            (experiment / RECORDS).mkdir(exist_ok=True)
            for record in path.iterdir():
                if not (experiment / RECORDS / record.name).exists():
                    record.rename(experiment / RECORDS / record.name)
        elif not (experiment / path.name).exists() and read_record(path / SPEC) and read_record(path / MANIFEST):
            path.rename(experiment / path.name)
            placed.append(path.name)
    return placed
