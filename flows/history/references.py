"""What a person names: a stage, one of its checkpoints, some of its scores. One reader for every command that takes such a name.

| form | what |
|---|---|
| `EXPERIMENT/STAGE` | the stage as the last run has it that has one; its last checkpoint |
| `EXPERIMENT/ID/STAGE`, `ID/STAGE` | the same of one run |
| `…/STAGE/step-6` | that checkpoint |
| `…/STAGE/CHECKPOINT`, `…/STAGE/CHECKPOINT/BENCHMARK` | scores, of an eval stage |
| `NAME@alias` | what was promoted under that name |
| a path | the directory of a stage or checkpoint, from here or from the workspace |
"""

import re
from pathlib import Path
from typing import Any

from flows.history.lineage import Made, Subject, read
from flows.history.promote import promoted
from rl_core.errors import InputError
from rl_core.nearest import listed, near, nearest
from rl_core.training.checkpoint import checkpoints
from tasks.kinds import kinds_that_make
from tasks.stage.records import SCORES, SPEC, read_record
from tasks.workspace import Workspace

STEP = re.compile(r"(?:step-)?0*(\d+)")
CHECKPOINTS = "checkpoints"


def find(workspace: Workspace, what: str) -> Subject:
    """The stage that is meant, with the checkpoint or the scores of it that are named.

    Raises InputError if there is no such stage, checkpoint or score; the message names those that are there.
    """
    if path := _path_in_stage(workspace, what):
        directory, inside = path
        made = read(directory)
        step = inside[1:2] if inside[:1] == (CHECKPOINTS,) else [part for part in inside[:1] if part.startswith("step-")]
        return Subject(made, step_of(made, step[0], what) if step else None)
    if "@" in what:
        return _promoted(workspace, what)
    if Path(what).expanduser().exists():
        raise InputError(f"{what}: no stage or checkpoint of a workspace; write EXPERIMENT/STAGE, or the directory of one")
    made, narrower = _named_stage(workspace, what)
    if not narrower:
        return Subject(made)
    if made.spec["kind"] in kinds_that_make("scores"):
        return _scores(made, narrower, what)
    if made.spec["kind"] not in kinds_that_make("checkpoint"):
        raise InputError(f"{what}: {made.name} is a stage of kind {made.spec['kind']}, which has neither checkpoints nor scores")
    if narrower[0] == CHECKPOINTS and len(narrower) > 1:
        narrower = narrower[1:]
    if len(narrower) > 1:
        raise InputError(f"{what}: nothing of a checkpoint has a name; write {'/'.join(what.split('/')[: -len(narrower) + 1])}")
    return Subject(made, step_of(made, narrower[0], what))


def names_stage(workspace: Workspace, what: str) -> bool:
    """Whether a name is meant for something in the workspace, be it there or not, rather than for a model directory or hub id."""
    from flows.recipe.load import shipped

    if "@" in what or _path_in_stage(workspace, what):
        return True
    if Path(what).expanduser().is_dir():
        return False
    first, slash, _ = what.partition("/")
    known = {*workspace.experiments(), *shipped(), *(path.stem for path in workspace.run_records())}
    return bool(slash) and (first in known or bool(near(first, workspace.experiments())))


def evaluation(workspace: Workspace, what: str) -> str | None:
    """The directory of the evaluation that is meant, as `evals.comparability.open_result` takes it: `DIR` or `DIR:CHECKPOINT`.

    None where a run is meant: `EXPERIMENT`, `EXPERIMENT/ID` or `ID`.

    Raises InputError if it names a stage that is not there or is no evaluation.
    """
    name, colon, checkpoint = what.partition(":")
    path = _path_in_stage(workspace, name)
    if not path:
        if Path(name).is_dir():
            return what
        first, _, rest = name.partition("/")
        if not rest or first not in workspace.experiments() or rest in {record.stem for record in workspace.run_records(first)}:
            return None
    subject = find(workspace, f"{name}/{checkpoint}" if colon and not path else name)
    if subject.stage.spec["kind"] not in (scoring := kinds_that_make("scores")):
        kinds = " or ".join(scoring)
        raise InputError(
            f"{what}: {subject.stage.name} is a stage of kind {subject.stage.spec['kind']}; runs are compared, or stages of kind {kinds}"
        )
    if subject.benchmark:
        raise InputError(f"{what}: all benchmarks of a checkpoint are compared; write {what.removesuffix(f'/{subject.benchmark}')}")
    chosen = checkpoint or subject.of
    return f"{subject.stage.directory}{f':{chosen}' if chosen else ''}"


def _path_in_stage(workspace: Workspace, what: str) -> tuple[Path, tuple[str, ...]] | None:
    """The directory of the stage that a path leads into, and the path from there, be its end there or not.

    From here, else from the workspace: `lineage` and `gc` print such.
    """
    given = Path(what).expanduser()
    for start in (Path(), workspace.root):
        if given.parts and (start / given.parts[0]).exists():
            path = (start / given).resolve()
            if stage := next((parent for parent in (path, *path.parents) if (parent / SPEC).is_file()), None):
                return stage, path.relative_to(stage).parts
    return None


def _promoted(workspace: Workspace, what: str) -> Subject:
    name, _, narrower = what.partition("/")
    known = promoted(workspace)
    if name not in known:
        raise InputError(f"{name}: nothing is promoted under this name in {workspace.root}; {nearest(name, known)}")
    if narrower:
        raise InputError(f"{what}: {name} is one checkpoint; write {name}")
    checkpoint = workspace.root / known[name]["checkpoint"]
    return Subject(read(workspace.root / known[name]["stage"]), checkpoint)


def _named_stage(workspace: Workspace, what: str) -> tuple[Made, list[str]]:
    """The stage of a name, and the rest of the name."""
    first, *rest = what.rstrip("/").split("/")
    experiments = workspace.experiments()
    records = {path.stem: path for path in workspace.run_records(first if first in experiments else "*")}
    run: dict[str, Any] | None = None
    if first in experiments and rest and rest[0] in records:
        run, rest = read_record(records[rest[0]]), rest[1:]
    elif first not in experiments and first in records:
        run = read_record(records[first])
    elif first not in experiments:
        raise InputError(f"{what}: no experiment {first!r} in {workspace.root}; {nearest(first, experiments)}")
    experiment = str(run["experiment"]) if run else first
    runs = [run] if run else [read_record(path) for path in reversed(workspace.run_records(experiment))]
    found: dict[str, Path] = {}
    for record in runs:
        for stage, entry in ((record or {}).get("stages") or {}).items():
            if (workspace.root / experiment / entry["directory"] / SPEC).exists():
                found.setdefault(stage, workspace.root / experiment / entry["directory"])
    if not rest:
        raise InputError(f"{what}: the name of a run; add a stage of it: {listed(f'{what}/{stage}' for stage in found)}")
    if rest[0] not in found:
        raise InputError(f"{what}: no such stage in {workspace.root / experiment}; {nearest(rest[0], found)}")
    return read(found[rest[0]]), rest[1:]


def step_of(made: Made, name: str, what: str) -> Path:
    """The checkpoint `step-N` of a stage, however many zeros are written.

    Raises InputError if there is none; the message begins with `what` and names those that are there.
    """
    there = checkpoints(made.directory / CHECKPOINTS)
    wanted = STEP.fullmatch(name)
    for path in there:
        found = STEP.fullmatch(path.name)
        if wanted and found and found[1] == wanted[1]:
            return path
    raise InputError(f"{what}: {made.name} has no checkpoint {name}; there are {listed(path.name for path in there)}")


def _scores(made: Made, narrower: list[str], what: str) -> Subject:
    scores = (read_record(made.directory / SCORES) or {"scores": []})["scores"]
    if not scores:
        raise InputError(f"{what}: {made.name} is not done, so it has no scores yet")
    for key, name in zip(("checkpoint", "benchmark"), narrower, strict=False):
        known = list(dict.fromkeys(score[key] for score in scores))
        if name not in known:
            raise InputError(f"{what}: {made.name} has no scores of the {key} {name}; {nearest(name, known)}")
        scores = [score for score in scores if score[key] == name]
    if len(narrower) > 2:
        raise InputError(f"{what}: nothing of a benchmark has a name; write {'/'.join(what.split('/')[: 2 - len(narrower)])}")
    return Subject(made, of=narrower[0], benchmark=(*narrower, None)[1])
