"""Whether an archive of a run is what it claims to be, and stays inside of its experiment.

Whoever made it may lie: about names, which become directories, about digests, and about which stage a directory holds. That its numbers
were measured nobody can check.
"""

import json
import re
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from flows.recipe.schema import NAME
from rl_core.errors import InputError
from rl_core.seal import unseal
from tasks.stage.records import MANIFEST, SPEC, File, Manifest, Run, Spec
from tasks.stage.spec import directory_name
from tasks.workspace import RECORDS, RESERVED

INDEX = "bundle.json"
FORMAT = 1
LONGEST_NAME = 200  # bytes of a part of a path: file systems take 255, and some files get longer names while they are written
STAGE_DIRECTORY = rf"{NAME.strip('^$')}-[0-9a-f]{{8}}"

# What an archive's own JSON files must have. What else they hold, later versions may add.


class _Index(BaseModel):
    format: int = Field(strict=True)
    experiment: str
    run: str = Field(pattern=r"^[0-9]{8}-[0-9]{6}-[0-9]{3}(-[0-9]+)?$")
    files: dict[str, File]


def check_index(content: bytes, source: Path) -> dict[str, Any]:
    """The archive's list of files. Raises InputError if it is broken, of another format, or names something outside of its experiment."""
    index: dict[str, Any] = _parsed(_Index, content, INDEX, source)
    if index["format"] != FORMAT:
        raise InputError(f"{source}: format {index['format']}, this r1flow reads {FORMAT}; update the older of the two")
    experiment, run = index["experiment"], index["run"]
    if not re.fullmatch(NAME, experiment) or experiment in RESERVED or len(experiment) > LONGEST_NAME:
        raise InputError(
            f"{source}: the experiment's name {experiment!r} leads out of the archive, or is none that a recipe may have; do not trust it"
        )
    for name in index["files"]:
        if not _is_inside(name):
            raise InputError(f"{source}: the path {name!r} leads out of the archive; do not trust it")
        if name != f"{RECORDS}/{run}.json" and not re.fullmatch(STAGE_DIRECTORY, name.partition("/")[0]):
            raise InputError(f"{source}: {name!r} is neither the run's record nor in a stage's directory; do not trust it")
    return index


def check_contents(folder: Path, index: dict[str, Any], source: Path) -> None:
    """Whether the record and the stages are those of the experiment, and each stage's manifest is of the files that came with it."""
    name = f"{RECORDS}/{index['run']}.json"
    if name not in index["files"]:
        raise InputError(f"{source}: the record of its run is missing; export the run again")
    record = _parsed(Run, (folder / name).read_bytes(), name, source)
    if (record["experiment"], record["run"]) != (index["experiment"], index["run"]):
        raise InputError(f"{source}: the record in it is of another run, {record['experiment']}/{record['run']}; do not trust it")
    for stage, entry in record["stages"].items():
        if entry["directory"] != directory_name(stage, entry["fingerprint"]) or not re.fullmatch(STAGE_DIRECTORY, entry["directory"]):
            raise InputError(f"{source}: the directory {entry['directory']!r} of {stage!r} leads out of the experiment; do not trust it")
    for directory in sorted(path for path in folder.iterdir() if path.name != RECORDS):
        _check_stage(directory, index, source)


def _check_stage(directory: Path, index: dict[str, Any], source: Path) -> None:
    files = index["files"]
    read: list[dict[str, Any]] = []
    for shape, name in ((Spec, SPEC), (Manifest, MANIFEST)):
        if f"{directory.name}/{name}" not in files:
            raise InputError(f"{source}: {directory.name} has no {name}; export the run again")
        read.append(_parsed(shape, (directory / name).read_bytes(), f"{directory.name}/{name}", source))
    spec, manifest = read
    named = directory_name(spec["stage"], spec["fingerprint"])
    if spec["experiment"] != index["experiment"] or directory.name != named or manifest["fingerprint"] != spec["fingerprint"]:
        raise InputError(f"{source}: {directory.name} holds another stage than it is named for; do not trust it")
    result = manifest["result"]
    for name in [*manifest["outputs"], *result.get("checkpoints", []), *([result["checkpoint"]] if "checkpoint" in result else [])]:
        if not _is_inside(name):
            raise InputError(f"{source}: the manifest of {directory.name} names {name!r}, which leads out of it; do not trust it")
    for name, output in manifest["outputs"].items():
        listed = files.get(f"{directory.name}/{name}")
        if listed is not None and listed["sha256"] != output["sha256"]:
            raise InputError(f"{source}: {directory.name}/{name} is not what its manifest says; do not trust it")


def _is_inside(name: str) -> bool:
    """Whether a path is relative, stays below where it starts, and can be shown and written anywhere."""
    parts = PurePosixPath(name).parts
    odd = not name.isprintable() or "\\" in name or name.startswith("/") or any(len(part.encode()) > LONGEST_NAME for part in parts)
    return bool(parts) and not odd and not any(part.startswith(".") for part in parts)


def _parsed(shape: type[BaseModel], content: bytes, name: str, source: Path) -> dict[str, Any]:
    """JSON of an archive, of the wanted shape; what else it has is left in."""
    try:
        parsed = json.loads(content)
        shape.model_validate(parsed)
        found = unseal(parsed)
        if found is None:
            raise ValueError("it does not match its own digest")
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(key)[:40] for key in first["loc"])
        raise InputError(f"{source}: {name} is broken ({where}: {first['msg']}); export the run again") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{source}: {name} is broken ({error}); export the run again") from error
    return found
