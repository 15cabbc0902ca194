"""From a checkpoint or score back to the raw data: every stage it was made by, every setting, as text and as a recipe.

A stage's `spec.json` names what went in by fingerprint, and a fingerprint is a directory, so the chain needs no database.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows.recipe.load import check
from flows.recipe.schema import Recipe
from flows.runs.stage_warnings import stage_warnings
from rl_core.errors import InputError
from rl_core.nearest import listed
from rl_core.training.checkpoint import checkpoints
from tasks.format import count
from tasks.kind import MODEL
from tasks.kinds import kinds_that_make
from tasks.stage.records import SCORES, SPEC, read_record
from tasks.stage.spec import read_manifest, stage_directory
from tasks.workspace import Workspace

LISTS = {"data", "checkpoints", "of"}  # roles that name several stages


@dataclass(frozen=True)
class Made:
    """A finished stage, as its directory says."""

    directory: Path
    spec: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.spec["stage"])

    @property
    def result(self) -> dict[str, Any]:
        """What its manifest says; empty if it is unfinished."""
        found: dict[str, Any] = (read_manifest(self.directory) or {}).get("result", {})
        return found

    def inputs(self, workspace: Workspace) -> Iterator[Path]:
        for group in self.spec["identity"]["inputs"].values():
            for stage, fingerprint in group.items():
                yield stage_directory(workspace.root, self.spec["experiment"], stage, fingerprint)


@dataclass(frozen=True)
class Subject:
    """What a person asked about: a stage, or a checkpoint of it, or some of its scores."""

    stage: Made
    checkpoint: Path | None = None
    of: str | None = None  # checkpoint whose scores are meant
    benchmark: str | None = None

    def weights(self) -> Path:
        """The checkpoint that is named, else the last one of the stage.

        Raises InputError if the stage has none, or is not finished and none is named.
        """
        made = self.stage
        if self.checkpoint is not None:
            return self.checkpoint
        if made.spec["kind"] not in (trained := kinds_that_make("checkpoint")):
            kinds = " or ".join(trained)
            raise InputError(f"{made.name}: the stage has no checkpoint, for it is of kind {made.spec['kind']}; name one of kind {kinds}")
        if "checkpoint" not in made.result and read_manifest(made.directory):
            raise InputError(f"{made.name}: the stage has no checkpoint, for its `outputs.checkpoint` is not set")
        if "checkpoint" not in made.result:
            there = [f"{made.spec['experiment']}/{made.name}/{path.name}" for path in checkpoints(made.directory / "checkpoints")]
            raise InputError(f"{made.name}: the stage is not done, so it has no last checkpoint yet; those so far: {listed(there)}")
        last = made.directory / str(made.result["checkpoint"])
        if not last.is_dir():  # an exported run brings one checkpoint along
            others = listed(path.name for path in checkpoints(last.parent))
            raise InputError(f"{last}: the last checkpoint of {made.name} is not here; there are {others}")
        return last


def read(directory: Path) -> Made:
    """Raises InputError if the directory is no stage's."""
    spec = read_record(directory / SPEC)
    if not spec:
        raise InputError(f"{directory / SPEC}: missing or not readable; run its stage again: r1flow run RECIPE --force STAGE")
    return Made(directory, spec)


def chain(workspace: Workspace, stage: Made) -> list[Made]:
    """A stage and everything it was made of, data first. Raises InputError if a directory in between is gone."""
    found: dict[Path, Made] = {}
    waiting = [stage]
    while waiting:
        made = waiting.pop()
        if made.directory not in found:
            found[made.directory] = made
            waiting += map(read, made.inputs(workspace))
    return sorted(found.values(), key=lambda made: made.spec["position"])


def rebuild(stages: list[Made]) -> Recipe:
    """The recipe that makes a chain of stages: its fingerprints are theirs."""
    last = stages[-1].spec
    document: dict[str, Any] = {"name": last["experiment"], "seed": last["seed"], "stages": {}}
    for made in stages:
        spec = made.spec
        if spec["model"] is not None:
            document["model"] = spec["model"]
        references: dict[str, Any] = {}
        for role, group in spec["identity"]["inputs"].items():
            names = list(group)
            if role in LISTS:
                references[role] = [MODEL, *names] if spec["model"] is not None and role == "checkpoints" else names
            else:
                references[role] = names[0] if names else MODEL
        document["stages"][made.name] = {"kind": spec["kind"]} | references | spec["settings"]
    document.setdefault("model", "none: no stage of this chain needs one")
    return check(document)


def described(workspace: Workspace, subject: Subject) -> Iterator[str]:
    """The chain in lines: each stage with what it read, its settings, and what it made; last the checkpoint or scores asked about."""
    from tasks.tracking.stage_run import flatten

    for made in chain(workspace, subject.stage):
        spec, manifest = made.spec, read_manifest(made.directory)
        state = "done" if manifest else "unfinished"
        yield f"{made.name} ({spec['kind']}, {state}): {made.directory.relative_to(workspace.root)}"
        for role, group in spec["identity"]["inputs"].items():
            names = [*([MODEL] if spec["model"] is not None and role in ("start", "checkpoints") and not group else []), *group]
            yield f"  {role}: {', '.join(names)}"
        if spec["model"] is not None:
            yield f"  model: {spec['model']}"
        for name, digest in spec["identity"].get("files", {}).items():
            yield f"  file: {name} sha256 {digest[:16]}"
        settings = {key: value for key, value in spec["settings"].items() if key != "resources"}
        yield "  " + ", ".join(f"{name} {value}" for name, value in flatten(settings) if value is not None)
        for name in ("train.parquet", "test.parquet"):
            if manifest and (output := manifest["outputs"].get(name)):
                rows, source = made.result.get(name.removesuffix(".parquet")), made.result.get("source", "unknown")
                size = "?" if rows is None else count(rows)
                yield f"  -> {name}: {size} rows ({source}), sha256 {output['sha256'][:16]}"
        for checkpoint in made.result.get("checkpoints", []):
            whole = _wholeness(made.directory / checkpoint)
            digest = manifest["outputs"].get(f"{checkpoint}/model.safetensors", {}).get("sha256", "") if manifest else ""
            yield f"  -> {checkpoint}: {whole}, model.safetensors sha256 {digest[:16]}"
        yield from (f"  warning: {text}" for text in stage_warnings(made.directory))
    if subject.checkpoint:
        yield f"checkpoint {subject.checkpoint}"
    yield from _scores(subject)


def _wholeness(checkpoint: Path) -> str:
    """Whether a checkpoint is as it was written; an exported run comes with one, and that without its optimizer."""
    from rl_core.training.checkpoint import OPTIMIZER, verify

    if not checkpoint.exists():
        return "not here"
    try:
        if verify(checkpoint):
            return "whole"
        light = not (checkpoint / OPTIMIZER).exists() and verify(checkpoint, to_train=False)
    except PermissionError as error:
        return f"not looked at, for you may not read {Path(error.filename).name}"
    return "whole, without its optimizer" if light else "DAMAGED"


def _scores(subject: Subject) -> Iterator[str]:
    for score in (read_record(subject.stage.directory / SCORES) or {"scores": []})["scores"]:
        if subject.of in (None, score["checkpoint"]) and subject.benchmark in (None, score["benchmark"]):
            part = score["subset"] or score["benchmark"]
            interval = f" [{100 * score['low']:.1f}, {100 * score['high']:.1f}]" if score.get("low") is not None else ""
            text = f"{score['checkpoint']}, {part}, {score['mode']} {score['metric']}"
            yield f"score {text}: {100 * score['value']:.1f}{interval} on {score['problems']} problems"
