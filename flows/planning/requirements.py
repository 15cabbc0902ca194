"""What the stages of a plan want of a machine, what of it is not there, and which settings would do with what is there."""

from dataclasses import dataclass
from itertools import combinations
from shlex import quote

from pydantic import ValidationError

from evals.engines import ENGINES
from flows.planning.estimate import Estimate, engine_share, estimates, machine_of, memory_needed
from flows.planning.plan import Plan, PlannedStage
from flows.recipe.schema import Recipe, Stage
from flows.recipe.smoke import smoke
from rl_core.devices import DEVICES, GIB
from rl_core.errors import InputError
from tasks.costs.formulas import Changes
from tasks.costs.machine import PACKAGES, Machine
from tasks.costs.models import Model, describe_model
from tasks.format import between
from tasks.kind import Stated
from tasks.kinds import MODEL_KINDS

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


def wants_of(stage: Stage, model: Model | None) -> Wants:
    """GPUs and packages; the size is the smallest on the market with which the settings work."""
    kind = MODEL_KINDS[stage.kind]
    if stated := kind.stated(stage):
        return Wants(kind.gpus(stage), round(stated.memory / GIB) if stated.memory and stated.gpus else None, ())
    engine = ENGINES.get(getattr(stage, "engine", ""))
    packages = tuple(name for name in PACKAGES if name in (engine and engine.package, getattr(stage, "backend", "")))
    sizes = sorted({device.gibibytes for device in DEVICES})
    fitting = [size for size in sizes if not _short_of_gpu_memory(stage, model, Machine(1, gpu_memory=size * GIB), CLOSE)] if model else []
    return Wants(kind.gpus(stage), fitting[0] if fitting else None, packages)


def short_of(stage: Stage, model: Model | None, machine: Machine, cost: Estimate | None = None) -> list[str]:
    """What a machine lacks for a stage, a few words each; empty where nothing is known to be missing."""
    wants, kind = wants_of(stage, model), MODEL_KINDS[stage.kind]
    packages = wants.packages if machine.packages is not None else ()
    missing = [f"the package {name} is not installed" for name in packages if name not in (machine.packages or ())]
    if machine.gpus and wants.gpus > machine.gpus:
        missing.append(f"it asks for {wants.gpus} GPUs")
    if machine.gpus == 0:
        needed = memory_needed(stage, model, machine)
        if needed and machine.memory and needed > SLACK * machine.memory:
            missing.append(f"without a GPU it needs about {needed / GIB:,.0f} GB of memory")
        missing += kind.shortages(stage, machine)
    else:
        missing += [*kind.shortages(stage, machine), *_short_of_gpu_memory(stage, model, machine)]
        host = kind.host_memory(stage, model, machine) if model else 0.0
        if machine.memory and host > SLACK * machine.memory:
            missing.append(f"it needs about {host / GIB:,.0f} GB of memory beside the GPUs")
    if cost and cost.seconds and cost.seconds.low > LONGEST:
        missing.append(f"it would take {between(cost.seconds.low, cost.seconds.high)}")
    return missing


def _short_of_gpu_memory(stage: Stage, model: Model | None, machine: Machine, slack: float = SLACK) -> list[str]:
    memory, kind = machine.gpu_memory, MODEL_KINDS[stage.kind]
    if model is None or memory is None or kind.gpus(stage) == 0:
        return []
    one, share = kind.memory(stage, model, gpus=True), engine_share(stage, machine)
    if one and share is not None and one.engine > slack * share * memory:
        return [f"the engine needs at least {one.engine / GIB:.0f} GB of a GPU, more than its {share:.0%} of {memory / GIB:.0f} GB"]
    needed = memory_needed(stage, model, machine) or 0.0
    return [f"it needs about {needed / GIB:.0f} GB of each GPU"] if needed > slack * memory else []


def wanted(stage: Stage, model: Model | None, machine: Machine, missing: list[str]) -> str:
    """What a stage wants, as far as it matters there: without GPUs that may be cores for its workers alone."""
    return MODEL_KINDS[stage.kind].wanted(stage, machine, missing) or str(wants_of(stage, model))


def model_stages(plan: Plan) -> list[tuple[PlannedStage, Stage]]:
    """The stages that will run a model, with their settings; not those of which nothing is stated and nothing can be computed."""
    found = [(stage, plan.recipe.stages[stage.spec.stage]) for stage in plan.to_run if stage.spec.kind in MODEL_KINDS]
    return [(planned, stage) for planned, stage in found if MODEL_KINDS[stage.kind].stated(stage) != Stated()]


def require_machine(plan: Plan) -> None:
    """Whether everything that will run can. Raises TooMuch if something that a stage wants is not there."""
    model = describe_model(plan.recipe.model)
    costs = estimates(plan.recipe, {stage.spec.stage: stage.spec for stage in plan.to_run}, plan.workspace)
    failing = []
    for planned, stage in model_stages(plan):
        name, machine = planned.spec.stage, machine_of(stage, None)
        cost = None if MODEL_KINDS[stage.kind].cluster(stage) else costs[name]
        if reasons := short_of(stage, model, machine, cost):
            failing.append((name, stage, machine, cost, reasons))
    if not failing:
        return
    name, stage, machine, _, reasons = failing[0]
    changes = [remedy(plan.recipe, other, settings, model, where, cost) for other, settings, where, cost, _ in failing]
    tries = [] if plan.request.profile or not _has_smoke_size(plan.recipe) else ["--profile smoke"]
    if all(changes) and sum(map(len, changes)) <= 2 * MOST_CHANGES:
        tries.insert(0, " ".join(f"--set {quote(change)}" for found in changes for change in found))
    others = f"; {', '.join(other for other, *_ in failing[1:])} as well" if len(failing) > 1 else ""
    raise TooMuch(
        f"stages.{name} wants {wanted(stage, model, machine, reasons)}; here: {machine}; {'; '.join(reasons)}{others}. "
        f"Try {', or '.join([*tries, '--anyway'])}"
    )


def _has_smoke_size(recipe: Recipe) -> bool:
    """Whether every stage has one: that of a command is up to the recipe."""
    try:
        smoke(recipe)
    except InputError:
        return False
    return True


def remedy(recipe: Recipe, name: str, stage: Stage, model: Model | None, machine: Machine, cost: Estimate | None) -> list[str]:
    """The fewest changed settings, as `--set` takes them, with which a machine would do; empty where none were found."""
    candidates = MODEL_KINDS[stage.kind].lighter(stage, machine)
    for number in range(1, MOST_CHANGES + 1):
        for chosen in combinations(candidates, number):
            changed = _changed(stage, [change for group in chosen for change in group])
            if changed and not short_of(changed, model, machine, cost):
                return [f"{name}.{path}={value}" for group in chosen for path, value in group]
    return []


def _changed(stage: Stage, changes: Changes) -> Stage | None:
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
