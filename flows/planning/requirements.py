"""What the stages of a plan want of a machine, what of it is not there, and which settings would do with what is there."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from shlex import quote
from typing import Any

from pydantic import ValidationError

from tasks.format import between
from tasks.costs.formulas import BYTES_MASTER, PROCESS, START_CPU, gpus_of
from flows.planning.estimate import Estimate, estimates, machine_of, memory_needed, memory_of, remote
from tasks.costs.machine import ENGINES, Machine
from tasks.costs.models import Model, describe_model
from flows.planning.plan import Plan, PlannedStage
from flows.recipe.schema import EvalStage, Recipe, RlStage, SftStage
from rl_core.config import RlResources
from rl_core.devices import DEVICES, GIB
from rl_core.errors import InputError
from rl_core.workers.placement import layout

Trained = SftStage | RlStage | EvalStage  # what takes more than seconds

SLACK = 1.1  # memory is refused only where the estimate is this much above what is there
CLOSE = 1.05  # and a device is called large enough where it is not more than this above
LONGEST = 30 * 86400.0  # seconds: what takes longer at the very least was not meant for this machine
MOST_CHANGES = 3  # settings of a stage that a remedy changes


class TooMuch(InputError):
    """A stage wants more than there is; one line with the remedy."""


@dataclass(frozen=True)
class Wants:
    """What a stage asks for on a machine with GPUs."""

    gpus: int
    size: int | None  # GB of each; None: the model's size is not known, or no device is large enough
    packages: tuple[str, ...]

    def __str__(self) -> str:
        size = f" of {self.size} GB" if self.size else ""
        return ", ".join([f"{self.gpus} GPU{'s' if self.gpus > 1 else ''}{size}", *self.packages])


def wants_of(stage: Trained, model: Model | None) -> Wants:
    """GPUs and packages; the size is the smallest on the market with which the settings work."""
    packages = tuple(name for name in ENGINES if name in (getattr(stage, "engine", ""), getattr(stage, "backend", "")))
    sizes = sorted({device.gibibytes for device in DEVICES})
    fitting = [size for size in sizes if not _short_of_gpu_memory(stage, model, Machine(1, gpu_memory=size * GIB), CLOSE)] if model else []
    return Wants(gpus_of(stage), fitting[0] if fitting else None, packages)


def short_of(stage: Trained, model: Model | None, machine: Machine, cost: Estimate | None = None) -> list[str]:
    """What a machine lacks for a stage, a few words each; empty where nothing is known to be missing."""
    return list(_missing(stage, model, machine, cost))


def _missing(stage: Trained, model: Model | None, machine: Machine, cost: Estimate | None) -> Iterator[str]:
    wants = wants_of(stage, model)
    for name in wants.packages:
        if machine.packages is not None and name not in machine.packages:
            yield f"the package {name} is not installed"
    if machine.gpus and wants.gpus > machine.gpus:
        yield f"it asks for {wants.gpus} GPUs"
    if machine.gpus and isinstance(stage, RlStage) and (crowded := _crowded(stage)):
        yield crowded
    if machine.gpus == 0:
        needed = memory_needed(stage, model, machine)
        if needed and machine.memory and needed > SLACK * machine.memory:
            yield f"without a GPU it needs about {needed / GIB:,.0f} GB of memory"
        if crowd := _late(stage, machine):
            yield crowd
    else:
        yield from _short_of_gpu_memory(stage, model, machine)
        host = _host_memory(stage, model, machine)
        if machine.memory and host > SLACK * machine.memory:
            yield f"it needs about {host / GIB:,.0f} GB of memory beside the GPUs"
    if cost and cost.seconds and cost.seconds.low > LONGEST:
        yield f"it would take {between(cost.seconds.low, cost.seconds.high)}"


def _short_of_gpu_memory(stage: Trained, model: Model | None, machine: Machine, slack: float = SLACK) -> list[str]:
    memory = machine.gpu_memory
    if model is None or memory is None or gpus_of(stage) == 0:
        return []
    if not isinstance(stage, SftStage) and stage.engine == "vllm":
        least = memory_of(stage, model, gpus=True).engine
        if least > slack * stage.resources.engine_memory * memory:
            share = f"{stage.resources.engine_memory:.0%} of {memory / GIB:.0f} GB"
            return [f"the engine needs at least {least / GIB:.0f} GB of a GPU, more than its {share}"]
    needed = memory_needed(stage, model, machine) or 0.0
    return [f"it needs about {needed / GIB:.0f} GB of each GPU"] if needed > slack * memory else []


def workers_of(stage: RlStage) -> int:
    """Processes that train and sample."""
    return stage.resources.training_workers + stage.resources.rollout_workers if stage.resources.ray else 1


def _crowded(stage: RlStage) -> str | None:
    """Why the workers cannot share GPUs as the stage wants them to."""
    try:
        layout(stage.resources, gpus=True)
    except InputError as error:
        return str(error).partition(": ")[2].partition(";")[0]
    return None


def _start_on_cores(stage: RlStage, machine: Machine) -> float | None:
    """Seconds until all workers have started, if that is more than they are given."""
    needed = workers_of(stage) * START_CPU / (machine.cores or workers_of(stage))
    return needed if stage.resources.ray and needed > stage.resources.start_timeout else None


def _late(stage: Trained, machine: Machine) -> str | None:
    """Too many workers for the cores, in words."""
    late = _start_on_cores(stage, machine) if isinstance(stage, RlStage) else None
    if late is None or not isinstance(stage, RlStage):
        return None
    given = f"start_timeout gives them {stage.resources.start_timeout:.0f}"
    return f"its {workers_of(stage)} workers need about {late:.0f} s to start on {machine.cores} cores, and {given}"


def crowding(stage: Trained, machine: Machine) -> str | None:
    """What more workers than cores come to: they start, and are slower than fewer would be."""
    if not isinstance(stage, RlStage) or machine.gpus != 0 or machine.cores is None or workers_of(stage) <= max(2, machine.cores):
        return None
    return f"{workers_of(stage)} workers take turns on {machine.cores} cores"


def wanted(stage: Trained, model: Model | None, machine: Machine, missing: list[str]) -> str:
    """What a stage wants, as far as it matters there: without GPUs that may be cores for its workers alone."""
    if isinstance(stage, RlStage) and machine.gpus == 0 and missing == [_late(stage, machine)]:
        return f"{workers_of(stage)} workers"
    return str(wants_of(stage, model))


def _host_memory(stage: Trained, model: Model | None, machine: Machine) -> float:
    """Bytes beside those of the GPUs: interpreters, and what DeepSpeed keeps there."""
    if not isinstance(stage, RlStage) or model is None:
        return PROCESS
    here = min(stage.resources.training_workers, machine.gpus or 1)
    kept = {"none": 0, "optimizer": 12, "all": BYTES_MASTER}[stage.resources.offload] * model.parameters / stage.resources.training_workers
    return here * (kept + PROCESS)


def trained_stages(plan: Plan) -> list[tuple[PlannedStage, Trained]]:
    """The stages that will run and take more than seconds, with their settings."""
    settings = ((stage, plan.recipe.stages[stage.spec.stage]) for stage in plan.to_run)
    return [(stage, found) for stage, found in settings if isinstance(found, Trained)]


def require_machine(plan: Plan) -> None:
    """Whether everything that will run can.

    Raises:
        TooMuch: something that a stage wants is not there.
    """
    model = describe_model(plan.recipe.model)
    costs = estimates(plan.recipe, {stage.spec.stage: stage.spec for stage in plan.to_run}, plan.workspace)
    failing = []
    for planned, stage in trained_stages(plan):
        name, machine = planned.spec.stage, machine_of(stage, None)
        cost = None if remote(stage) else costs[name]
        if reasons := short_of(stage, model, machine, cost):
            failing.append((name, stage, machine, cost, reasons))
    if not failing:
        return
    name, stage, machine, _, reasons = failing[0]
    changes = [remedy(plan.recipe, other, settings, model, where, cost) for other, settings, where, cost, _ in failing]
    tries = [] if plan.order.profile else ["--profile smoke"]
    if all(changes) and sum(map(len, changes)) <= 2 * MOST_CHANGES:
        tries.insert(0, " ".join(f"--set {quote(change)}" for found in changes for change in found))
    others = f"; {', '.join(other for other, *_ in failing[1:])} as well" if len(failing) > 1 else ""
    raise TooMuch(
        f"stages.{name} wants {wanted(stage, model, machine, reasons)}; here: {machine}; {'; '.join(reasons)}{others}. "
        f"Try {', or '.join([*tries, '--anyway'])}"
    )


def remedy(recipe: Recipe, name: str, stage: Trained, model: Model | None, machine: Machine, cost: Estimate | None) -> list[str]:
    """The fewest changed settings, as `--set` takes them, with which a machine would do; empty where none were found."""
    candidates = _candidates(stage, machine)
    for number in range(1, MOST_CHANGES + 1):
        for chosen in combinations(candidates, number):
            changed = _changed(stage, [change for group in chosen for change in group])
            if changed and not short_of(changed, model, machine, cost):
                return [f"{name}.{path}={value}" for group in chosen for path, value in group]
    return []


Changes = list[tuple[str, Any]]  # path in the stage, and value


def _candidates(stage: Trained, machine: Machine) -> list[Changes]:
    """Changes that ask for less, those that matter least first; each is one idea and may take several settings."""
    found: list[Changes] = []
    if isinstance(stage, RlStage):
        found += _fewer_workers(stage.resources, machine)
        if machine.gpus == 0 and (late := _start_on_cores(stage, machine)):
            found.append([("resources.start_timeout", math.ceil(late / 60 + 1) * 60)])
    if not isinstance(stage, SftStage):
        if stage.engine == "vllm" and machine.gpus:  # the largest share first: more cache is faster
            shares = [share / 10 for share in range(9, 1, -1) if share / 10 != stage.resources.engine_memory]
            found += [[("resources.engine_memory", share)] for share in shares]
        if stage.engine == "vllm" and machine.packages is not None and "vllm" not in machine.packages:
            found.append([("engine", "transformers")])
    if not isinstance(stage, EvalStage) and machine.gpus:
        found.append([("resources.tokens_per_batch", 4096)])
    if isinstance(stage, RlStage) and stage.backend == "deepspeed":
        if machine.packages is not None and "deepspeed" not in machine.packages:
            found.append([("backend", "torch")])
        if machine.gpus:
            found += [[("resources.offload", "optimizer")], [("resources.zero_stage", 3), ("resources.offload", "all")]]
    if isinstance(stage, EvalStage) and machine.gpus and stage.resources.tensor_parallel > machine.gpus:
        found.append([("resources.tensor_parallel", machine.gpus)])
    return found


def _fewer_workers(resources: RlResources, machine: Machine) -> list[Changes]:
    if machine.gpus == 0:
        usual = RlResources.model_fields["start_timeout"].default
        patience = [("resources.start_timeout", usual)] if resources.start_timeout < usual else []
        return [[("resources.training_workers", 1), ("resources.rollout_workers", 1), *patience]] if resources.ray else []
    if machine.gpus is None:
        return []
    width = min(resources.tensor_parallel, machine.gpus)
    trainers = machine.gpus // 2 if resources.placement == "separate" and machine.gpus > 1 else machine.gpus
    engines = max(1, (machine.gpus - trainers if resources.placement == "separate" else machine.gpus) // width)
    changes = {"training_workers": trainers, "rollout_workers": engines, "tensor_parallel": width}
    return [[(f"resources.{key}", value) for key, value in changes.items() if value != getattr(resources, key)]]


def _changed(stage: Trained, changes: Changes) -> Trained | None:
    document = stage.model_dump(mode="json")
    for path, value in changes:
        place, keys = document, path.split(".")
        for key in keys[:-1]:
            place = place[key]
        place[keys[-1]] = value
    try:
        return type(stage).model_validate(document)
    except ValidationError:
        return None
