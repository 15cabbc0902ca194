"""The plan: which stages will run, which are reused, and why."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from flows.planning.estimate import pace, token_budget
from flows.planning.model_files import model_files
from flows.recipe.load import load_recipe
from flows.recipe.request import RunRequest
from flows.recipe.schema import Recipe, RecipeError
from flows.recipe.smoke import STAND_IN, apply_profile, data_directory, existing, stand_ins
from rl_core.config.model import ScratchModel
from rl_core.nearest import nearest
from rl_core.own_code.sources import digests as text_digests
from tasks.kind import MODEL
from tasks.kinds import KINDS
from tasks.stage.digests import Digests
from tasks.stage.fingerprint import differences, fingerprint, meaning
from tasks.stage.records import SPEC, read_record
from tasks.stage.spec import StageSpec, Upstream, read_manifest, why_not_done
from tasks.workspace import Workspace

Action = Literal["run", "continue", "reuse", "skip"]


@dataclass(frozen=True)
class PlannedStage:
    """One line of a plan."""

    spec: StageSpec
    action: Action
    reasons: list[str]  # why it runs; empty if reused
    anew: bool  # what is in the directory is set aside first

    @property
    def runs(self) -> bool:
        return self.action in ("run", "continue")


@dataclass(frozen=True)
class Plan:
    """Every stage of a recipe in the order of execution."""

    recipe: Recipe
    request: RunRequest
    workspace: Workspace
    stages: list[PlannedStage]

    @property
    def stand_ins(self) -> list[str]:
        """The sets and benchmarks in whose place made-up problems are used."""
        return stand_ins(self.recipe) if any(stage.spec.data_dir == STAND_IN for stage in self.stages) else []

    @property
    def to_run(self) -> list[PlannedStage]:
        return [stage for stage in self.stages if stage.runs]


def make_plan(request: RunRequest) -> Plan:
    """Plan a request. Writes nothing but remembered digests, and those only into a workspace that is there.

    Raises InputError if the recipe or the request is wrong, a file is missing, or with `rerun_from` an earlier stage would have to run.
    """
    recipe = apply_profile(load_recipe(request.recipe, request.changes), request.profile)
    workspace = Workspace.at(request.workspace)
    data_dir = data_directory(existing(request.data_dir), request.profile)
    digests = Digests(workspace.digests)
    named = [("--from", request.rerun_from), ("--until", request.until), *(("--force", name) for name in request.force)]
    for option, name in named:
        if name and name not in recipe.stages:
            raise RecipeError(f"{option} {name}: the recipe has no such stage; {nearest(name, recipe.stages)}")
    specs = make_specs(recipe, workspace, data_dir, digests)
    meant = _meant(recipe, request)
    forced = set(request.force) | ({request.rerun_from} if request.rerun_from else set())
    stages: dict[str, PlannedStage] = {}
    for name, spec in specs.items():
        reasons, anew = _why(spec, stages, forced, digests)
        action: Action = "reuse" if not reasons else "run" if anew or not (spec.directory / SPEC).exists() else "continue"
        stages[name] = PlannedStage(spec, action if name in meant else "skip", reasons, anew)
    if request.rerun_from:
        _require_ancestors(recipe, request.rerun_from, stages)
    digests.save()
    return Plan(recipe, request, workspace, list(stages.values()))


def make_specs(recipe: Recipe, workspace: Workspace, data_dir: Path | None, digests: Digests) -> dict[str, StageSpec]:
    """The stages with their fingerprints, in the order of execution."""
    specs: dict[str, StageSpec] = {}
    for name in recipe.order():
        specs[name] = _make_spec(recipe, name, specs, workspace, data_dir, digests)
    return specs


def _make_spec(
    recipe: Recipe, name: str, before: dict[str, StageSpec], workspace: Workspace, data_dir: Path | None, digests: Digests
) -> StageSpec:
    stage = recipe.stages[name]
    references = recipe.references(name)
    upstream = {role: [_upstream(before[other]) for other in names if other != MODEL] for role, names in references.items()}
    takes_model = any(MODEL in names for names in references.values())
    # Settings that execution needs; kind and references have their own places.
    kind = recipe.kind(name)
    outside = {"kind", *kind.roles}
    files = kind.files(stage, f"stages.{name}", data_dir)
    identity: dict[str, Any] = {
        "kind": stage.kind,
        "version": kind.version,
        "seed": recipe.seed,
        "settings": {key: value for key, value in meaning(stage).items() if key not in outside},
        "inputs": {role: {other.stage: other.fingerprint for other in group} for role, group in upstream.items()},
        "files": {name: digests.of(path) for name, path in _by_name(files, data_dir).items()},
    }
    identity["files"] |= {called: digests.of(path) for called, path in kind.own_files(stage, f"stages.{name}").items()}
    code = kind.code(stage, f"stages.{name}")
    identity |= {section: text_digests(files) for section, files in code.items()} | kind.identity(stage, recipe.seed)
    if takes_model and isinstance(recipe.model, ScratchModel):
        identity["model"] = meaning(recipe.model)
    elif takes_model and isinstance(recipe.model, str):
        # A directory is what is in it, wherever it lies; a hub id is its name.
        weights = model_files(recipe.model)
        identity["files"] |= {f"model/{path.name}": digests.of(path) for path in weights}
        identity["model"] = "a directory" if weights else recipe.model
    return StageSpec(
        experiment=recipe.name,
        stage=name,
        kind=stage.kind,
        position=len(before),
        seed=recipe.seed,
        settings=stage.model_dump(mode="json", exclude=outside),
        identity=identity,
        fingerprint=fingerprint(identity),
        workspace=workspace.root,
        upstream=upstream,
        model=recipe.model if takes_model else None,
        data_dir=data_dir,
        code={place: text for files in code.values() for place, text in files.items()},
        held_out=held_out(recipe) if kind.avoids_held_out else (),
        token_budget=token_budget(recipe, name),
        pace=pace(recipe, name),
    )


def _by_name(files: Iterable[Path], data_dir: Path | None) -> dict[str, Path]:
    """Files by their place in the data directory; a user's own by their names, with as much of their folders as tells them apart."""
    found: dict[str, Path] = {}
    for path in files:
        if data_dir and path.is_relative_to(data_dir):
            name = str(path.relative_to(data_dir))
        else:
            names = ("/".join(path.parts[-count:]) for count in range(1, len(path.parts) + 1))
            name = next(name for name in names if found.get(name, path) == path)
        found[name] = path
    return found


def held_out(recipe: Recipe) -> tuple[dict[str, Any], ...]:
    """The benchmarks that a recipe evaluates, whole: what no training set may hold. Part of no fingerprint: most changes drop nothing."""
    found: dict[str, dict[str, Any]] = {}
    for name, stage in recipe.stages.items():
        for entry in recipe.kind(name).held_out(stage):
            found.setdefault(json.dumps(entry), entry)
    return tuple(found.values())


def _upstream(spec: StageSpec) -> Upstream:
    start = spec.upstream.get("start")
    same: Any = {name: getattr(spec, name) for name in ("stage", "kind", "fingerprint", "directory", "position")}
    return Upstream(**same, start=start[0].stage if start else None)


def _meant(recipe: Recipe, request: RunRequest) -> set[str]:
    """The stages that a request is about, those among them that can be reused included."""
    meant = set(recipe.stages)
    if request.rerun_from:
        following = {request.rerun_from} | recipe.descendants(request.rerun_from)
        meant = following.union(*(recipe.ancestors(name) for name in following))
    if request.until:
        needed = {request.until} | recipe.ancestors(request.until)
        if request.rerun_from and request.rerun_from not in needed:
            raise RecipeError(f"--from {request.rerun_from} --until {request.until}: {request.until} does not need {request.rerun_from}")
        meant &= needed
    for name in request.force:
        if name not in meant:
            raise RecipeError(f"--force {name}: the stage lies outside of --from and --until; leave one of them out")
    return meant


def _why(spec: StageSpec, before: dict[str, PlannedStage], forced: set[str], digests: Digests) -> tuple[list[str], bool]:
    """Why a stage has to run, and whether it starts anew."""
    parents = [before[parent.stage] for parent in spec.parents]
    if spec.stage in forced:
        return ["asked for"], True
    anew = [parent.spec.stage for parent in parents if parent.anew]
    if anew:
        return [f"{name} runs anew" for name in anew], True
    reason = why_not_done(spec, digests)
    if reason is None and (again := KINDS[spec.kind].why_again(spec)):
        return [again[0]], again[1]
    if reason == "not run yet" and (earlier := latest_earlier(spec)):
        return differences(spec.stage, earlier["identity"], spec.identity), False
    if reason:
        return [reason], False
    return [f"{parent.spec.stage} runs again" for parent in parents if parent.reasons], False


def latest_earlier(spec: StageSpec) -> dict[str, Any] | None:
    """What the last made stage of this name was, finished ones first."""
    found = []
    for path in spec.directory.parent.glob(f"{spec.stage}-????????/{SPEC}"):
        document = read_record(path)
        if document and document["stage"] == spec.stage:
            found.append((read_manifest(path.parent) is not None, path.stat().st_mtime, document))
    return max(found, key=lambda item: item[:2])[2] if found else None


def _require_ancestors(recipe: Recipe, stage: str, stages: dict[str, PlannedStage]) -> None:
    missing = [name for name in stages if name in recipe.ancestors(stage) and stages[name].reasons]
    if missing:
        listed = ", ".join(f"{name} ({'; '.join(stages[name].reasons[:3])})" for name in missing)
        raise RecipeError(
            f"--from {stage}: before it would have to run {listed}; start from {missing[0]}, leave --from out, or undo the change"
        )
