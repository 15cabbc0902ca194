"""What a stage will cost: tokens, time, memory and disk, from its settings, its model and the machine.

A time is a range. It comes from a finished stage of the same kind, model, engine and machine where the workspace has one; else it is
computed (tasks/costs, and the kind of the stage). Where the model or the device is not known, it is left open.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from evals.engines import ENGINES
from flows.recipe.schema import Recipe, Stage
from rl_core.config.model import ScratchModel
from tasks.costs.formulas import SPREAD, Memory
from tasks.costs.machine import Machine, this_machine
from tasks.costs.models import Model, describe_model
from tasks.kind import Stated
from tasks.kinds import MODEL_KINDS
from tasks.stage.records import MANIFEST, SPEC, STATE, read_record
from tasks.stage.spec import StageSpec
from tasks.workspace import Workspace

MEASURED_SPREAD = 1.5  # of a measured time: the machine may be busier, responses longer


@dataclass(frozen=True)
class Range:
    """A time in seconds that is not known better."""

    low: float
    high: float

    def __add__(self, other: Range) -> Range:
        return Range(self.low + other.low, self.high + other.high)


@dataclass(frozen=True)
class Estimate:
    """Costs of a stage; None where nothing is known."""

    tokens: int | None = None  # at most
    seconds: Range | None = None
    memory: float | None = None  # bytes
    of_gpu: bool = False  # the memory is that of one GPU; else of all processes
    disk: float = 0  # bytes
    basis: str = ""


def estimates(recipe: Recipe, specs: dict[str, StageSpec], workspace: Workspace, machine: Machine | None = None) -> dict[str, Estimate]:
    """Costs of every stage, on this machine or another."""
    model = describe_model(recipe.model)
    past = list(_past(workspace)) if machine is None else []
    return {name: _estimate(recipe, name, specs[name], model, past, machine) for name in specs}


def machine_of(stage: Stage, machine: Machine | None) -> Machine:
    """What a stage runs on: the machine that was named, a Ray cluster (of which nothing is known here), or this machine."""
    return machine or (Machine(None) if MODEL_KINDS[stage.kind].cluster(stage) else this_machine())


def token_budget(recipe: Recipe, name: str) -> int | None:
    """The most tokens that a stage can see or write; None for stages that count none."""
    stage = recipe.stages[name]
    kind = MODEL_KINDS.get(stage.kind)
    return kind.tokens(stage, recipe.prompts(name)) if kind else None


def _estimate(
    recipe: Recipe, name: str, spec: StageSpec, model: Model | None, past: list[dict[str, Any]], named: Machine | None
) -> Estimate:
    stage = recipe.stages[name]
    kind = MODEL_KINDS.get(stage.kind)
    stated = kind.stated(stage) if kind else Stated()
    if stated is not None:
        same = next((entry for entry in past if (entry["experiment"], entry["stage"]) == (recipe.name, name)), None)
        if same is None and stated.seconds:
            return Estimate(seconds=_around(stated.seconds, 1.0), memory=stated.memory, of_gpu=bool(stated.gpus), basis="stated")
        seconds = _around(same["seconds"], MEASURED_SPREAD) if same else None
        return Estimate(seconds=seconds, memory=stated.memory, of_gpu=bool(stated.gpus), basis=_measured(same))
    assert kind is not None
    prompts, machine = recipe.prompts(name), machine_of(stage, named)
    tokens = kind.tokens(stage, prompts)
    costs = Estimate(tokens, None, memory_needed(stage, model, machine), machine.gpus != 0, kind.disk(stage, model, tokens))
    alike = [entry for entry in past if entry["pace"] == spec.pace and entry["tokens"] and entry["budget"]]
    similar = next((entry for entry in alike if entry["stage"] == name), None) or next(iter(alike), None)
    if similar:
        # As much of the budget will be used as was then, as fast.
        seconds = similar["seconds"] * tokens / similar["budget"]
        return replace(costs, seconds=_around(seconds, MEASURED_SPREAD), basis=_measured(similar))
    if model is None:
        return replace(costs, basis="unknown: nothing tells the model's size")
    middle = kind.seconds(stage, model, machine, prompts)
    if middle is None:
        return replace(costs, basis="unknown: no figures of what it runs on")
    if machine.gpus:  # formulas count with as many as the stage asks for: the work would be shared by those that are there
        middle *= max(1.0, kind.gpus(stage) / machine.gpus)
    return replace(costs, seconds=_around(middle, SPREAD), basis=f"computed{', the size guessed from the name' if model.guessed else ''}")


def _around(seconds: float, spread: float) -> Range:
    return Range(seconds / spread, seconds * spread)


def _measured(similar: dict[str, Any] | None) -> str:
    return f"measured: {similar['experiment']}/{similar['stage']}" if similar else ""


def pace(recipe: Recipe, name: str) -> str | None:
    """What two stages must have in common for the speed of one to be that of the other; None for stages that count no tokens."""
    stage = recipe.stages[name]
    kind = MODEL_KINDS.get(stage.kind)
    if kind is None:
        return None
    model = recipe.model.model_dump_json() if isinstance(recipe.model, ScratchModel) else recipe.model
    return "; ".join([stage.kind, model, kind.cluster(stage) or this_machine().label, *kind.pace(stage)])


def engine_share(stage: Stage, machine: Machine) -> float | None:
    """The share of a GPU's memory that an engine takes, whatever the model needs; the rest of it is cache."""
    engine = ENGINES.get(getattr(stage, "engine", ""))
    return stage.resources.engine_memory if machine.gpus != 0 and engine and engine.takes_share else None


def memory_needed(stage: Stage, model: Model | None, machine: Machine) -> float | None:
    """Bytes: of one of the GPUs, or of all processes on a machine without any."""
    kind, gpus = MODEL_KINDS[stage.kind], machine.gpus != 0
    needed = kind.memory(stage, model, gpus=gpus) if model else None
    if needed is None:
        return None
    share = engine_share(stage, machine)
    if share is not None:
        needed = Memory(needed.states, needed.working, max(needed.engine, share * (machine.gpu_memory or 0)))
    return kind.total_memory(stage, needed, gpus=gpus, share=share is not None)


def _past(workspace: Workspace) -> Iterator[dict[str, Any]]:
    """What finished stages of the workspace took, the newest first; not those that were made in several attempts."""
    manifests = sorted(workspace.root.glob(f"*/*/{MANIFEST}"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in manifests:
        manifest, spec, state = read_record(path), read_record(path.parent / SPEC), read_record(path.parent / STATE)
        if manifest is None or "seconds" not in manifest or spec is None or (state is not None and state.get("attempt", 1) > 1):
            continue
        of_spec = {"experiment": spec["experiment"], "budget": spec.get("token_budget"), "pace": spec.get("pace")}
        yield of_spec | {"stage": manifest["stage"], "seconds": manifest["seconds"], "tokens": manifest["result"].get("tokens")}


def derived(recipe: Recipe) -> dict[str, str]:
    """What follows from the settings of stages and is not written in them."""
    found = {}
    for name, stage in recipe.stages.items():
        kind = MODEL_KINDS.get(stage.kind)
        if text := kind.derived(stage, recipe.prompts(name)) if kind else None:
            found[name] = text
    return found
