"""What a stage will cost: tokens, time, memory and disk, from its settings, its model and the machine.

A time is a range. It comes from a finished stage of the same kind, model, engine and machine where the workspace has one; else it is
computed (tasks/costs/formulas.py). Where the model or the device is not known, it is left open.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from evals.config import MOST_SAMPLES
from tasks.costs.formulas import (
    BYTES_HALF,
    CONTEXT_GPU,
    LENGTH,
    PROCESS,
    RAY,
    SCORER,
    SPREAD,
    Memory,
    eval_memory,
    eval_seconds,
    gpus_of,
    rl_memory,
    rl_seconds,
    sft_memory,
    sft_seconds,
)
from tasks.costs.machine import Machine, this_machine
from tasks.costs.models import Model, describe_model
from flows.recipe.schema import CountdownStage, EvalStage, Gsm8kStage, KnightsKnavesStage, MathStage, Recipe, RlStage, SftStage
from rl_core.config import ScratchModel
from rl_core.data.math_sets import size_of_set
from tasks.stage.records import MANIFEST, SPEC, STATE, read_record
from tasks.stage.spec import StageSpec
from tasks.trainer.ray_job import cluster_of, job_address
from tasks.workspace import Workspace

# Rows of the public data sets.
GSM8K_TRAIN = 7473

BYTES_CHECKPOINT = 12  # weights and moments
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


def machine_of(stage: SftStage | RlStage | EvalStage, machine: Machine | None) -> Machine:
    """What a stage runs on: the machine that was named, a Ray cluster (of which nothing is known here), or this machine."""
    return machine or (Machine(None) if remote(stage) else this_machine())


def remote(stage: SftStage | RlStage | EvalStage) -> str | None:
    """The address of the Ray cluster that a stage runs on."""
    if isinstance(stage, EvalStage):
        return None
    return cluster_of(stage.resources) if isinstance(stage, RlStage) else job_address(stage.resources)


def rows_of(recipe: Recipe, stage: str) -> int:
    """Training prompts of a data stage."""
    data = recipe.stages[stage]
    if isinstance(data, KnightsKnavesStage):
        return data.train * len(data.people)
    if isinstance(data, CountdownStage):
        return data.train * len(data.numbers)
    if isinstance(data, MathStage):
        there = size_of_set(data.dataset, data.levels) - data.test
        return min(data.train or there, there)
    return min(data.train or GSM8K_TRAIN, GSM8K_TRAIN) if isinstance(data, Gsm8kStage) else 0


def steps_of(recipe: Recipe, stage: SftStage | RlStage) -> int:
    """Optimizer steps of a training stage."""
    if stage.steps is not None:
        return stage.steps
    assert isinstance(stage, RlStage)
    prompts = sum(rows_of(recipe, name) for name in stage.data)
    return math.ceil((stage.epochs or 0) * prompts / stage.prompts_per_step)


def token_budget(recipe: Recipe, name: str) -> int | None:
    """The most tokens that a stage can see or write; None for stages that count none."""
    stage = recipe.stages[name]
    if isinstance(stage, SftStage):
        return stage.steps * stage.batch_size * stage.max_tokens
    if isinstance(stage, RlStage):
        return steps_of(recipe, stage) * stage.prompts_per_step * stage.group_size * stage.max_response_tokens
    if isinstance(stage, EvalStage):
        return len(stage.checkpoints) * round(sum(limit * count for limit, count in _responses(stage).items()))
    return None


def _responses(stage: EvalStage) -> dict[int, float]:
    """How many responses of one checkpoint may have how many tokens."""
    from evals.benchmarks import registry

    found: dict[int, float] = {}
    for benchmark in stage.benchmarks:
        samples = benchmark.samples or (MOST_SAMPLES if stage.samples == "auto" else stage.samples)
        limit = benchmark.max_tokens or stage.max_tokens
        found[limit] = found.get(limit, 0) + registry.size(benchmark) * (int(stage.greedy) + samples)
    return found


def _estimate(
    recipe: Recipe, name: str, spec: StageSpec, model: Model | None, past: list[dict[str, Any]], named: Machine | None
) -> Estimate:
    stage = recipe.stages[name]
    if not isinstance(stage, SftStage | RlStage | EvalStage):
        same = next((entry for entry in past if (entry["experiment"], entry["stage"]) == (recipe.name, name)), None)
        return Estimate(seconds=_around(same["seconds"], MEASURED_SPREAD) if same else None, basis=_measured(same))
    tokens, machine = token_budget(recipe, name) or 0, machine_of(stage, named)
    costs = Estimate(tokens, None, memory_needed(stage, model, machine), machine.gpus != 0, _disk(stage, model, tokens))
    alike = [entry for entry in past if entry["pace"] == spec.pace and entry["tokens"] and entry["budget"]]
    similar = next((entry for entry in alike if entry["stage"] == name), None) or next(iter(alike), None)
    if similar:
        # As much of the budget will be used as was then, as fast.
        seconds = similar["seconds"] * tokens / similar["budget"]
        return replace(costs, seconds=_around(seconds, MEASURED_SPREAD), basis=_measured(similar))
    if model is None:
        return replace(costs, basis="unknown: nothing tells the model's size")
    middle = _middle(recipe, stage, model, machine)
    if middle is None:
        return replace(costs, basis="unknown: no figures of what it runs on")
    if machine.gpus:  # formulas count with as many as the stage asks for: the work would be shared by those that are there
        middle *= max(1.0, gpus_of(stage) / machine.gpus)
    return replace(costs, seconds=_around(middle, SPREAD), basis=f"computed{', the size guessed from the name' if model.guessed else ''}")


def _middle(recipe: Recipe, stage: SftStage | RlStage | EvalStage, model: Model, machine: Machine) -> float | None:
    if isinstance(stage, SftStage):
        return sft_seconds(stage, model, machine, stage.steps * stage.batch_size * stage.max_tokens / 2)
    if isinstance(stage, RlStage):
        return rl_seconds(stage, model, machine, steps_of(recipe, stage))
    each = eval_seconds(stage, model, machine, _responses(stage))
    return None if each is None else len(stage.checkpoints) * each


def _around(seconds: float, spread: float) -> Range:
    return Range(seconds / spread, seconds * spread)


def _measured(similar: dict[str, Any] | None) -> str:
    return f"measured: {similar['experiment']}/{similar['stage']}" if similar else ""


def pace(recipe: Recipe, name: str) -> str | None:
    """What two stages must have in common for the speed of one to be that of the other; None for stages that count no tokens."""
    stage = recipe.stages[name]
    if not isinstance(stage, SftStage | RlStage | EvalStage):
        return None
    model = recipe.model.model_dump_json() if isinstance(recipe.model, ScratchModel) else recipe.model
    parts = [stage.kind, model, remote(stage) or this_machine().label]
    if isinstance(stage, EvalStage):
        parts += [stage.engine, str(stage.resources.tensor_parallel), stage.resources.base_url or ""]
    if isinstance(stage, RlStage):
        critic = "critic" if stage.algorithm.advantage == "gae" else ""
        used = stage.resources.model_dump(include={"ray", "rollout_workers", "tensor_parallel", "training_workers", "placement", "offload"})
        parts += [stage.engine, stage.backend, critic, "adapters" if stage.lora else "", *map(str, used.values())]
    return "; ".join(parts)


def memory_needed(stage: SftStage | RlStage | EvalStage, model: Model | None, machine: Machine) -> float | None:
    """Bytes: of one of the GPUs, or of all processes on a machine without any."""
    if model is None or (isinstance(stage, EvalStage) and stage.engine == "openai"):
        return None
    gpus = machine.gpus != 0
    needed = memory_of(stage, model, gpus=gpus)
    share = stage.resources.engine_memory if not isinstance(stage, SftStage) and stage.engine == "vllm" and gpus else None
    if share is not None:  # vLLM takes its share whatever the model needs; the rest of it is cache
        needed = Memory(needed.states, needed.working, max(needed.engine, share * (machine.gpu_memory or 0)))
    training = needed.states + needed.working
    if not isinstance(stage, RlStage):
        return max(training, needed.engine) + (CONTEXT_GPU if gpus else PROCESS)
    resources = stage.resources
    if gpus:
        together = max(training, needed.states + needed.engine) if share is not None else training + needed.engine
        return (max(training, needed.engine) if resources.placement == "separate" else together) + CONTEXT_GPU
    processes = resources.training_workers + resources.rollout_workers if resources.ray else 1
    memory = resources.training_workers * training + resources.rollout_workers * resources.tensor_parallel * needed.engine
    return memory + processes * PROCESS + resources.scoring_workers * SCORER + (RAY if resources.ray else 0)


def memory_of(stage: SftStage | RlStage | EvalStage, model: Model, *, gpus: bool) -> Memory:
    """The parts of it that settings and model decide."""
    if isinstance(stage, SftStage):
        return sft_memory(stage, model, gpus=gpus)
    return rl_memory(stage, model, gpus=gpus) if isinstance(stage, RlStage) else eval_memory(stage, model, gpus=gpus)


def _disk(stage: SftStage | RlStage | EvalStage, model: Model | None, tokens: int) -> float:
    parameters = model.parameters if model else 0
    text = 4.0 * tokens * (1 if isinstance(stage, SftStage) else LENGTH)  # bytes of a token, before compression
    if isinstance(stage, EvalStage):
        return text
    if isinstance(stage, SftStage):
        return BYTES_CHECKPOINT * parameters * 2
    kept = stage.keep_last + 1 + (stage.keep_best is not None)
    models = (BYTES_HALF if stage.lora else BYTES_CHECKPOINT) + BYTES_CHECKPOINT * (stage.algorithm.advantage == "gae")
    return models * parameters * kept + text


def _past(workspace: Workspace) -> Iterator[dict[str, Any]]:
    """What finished stages of the workspace took, the newest first; not those that were made in several attempts."""
    manifests = sorted(workspace.root.glob(f"*/*/{MANIFEST}"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in manifests:
        manifest, spec, state = read_record(path), read_record(path.parent / SPEC), read_record(path.parent / STATE)
        if manifest is None or "seconds" not in manifest or spec is None or (state is not None and state.get("attempt", 1) > 1):
            continue
        yield {
            "experiment": spec["experiment"],
            "stage": manifest["stage"],
            "seconds": manifest["seconds"],
            "tokens": manifest["result"].get("tokens"),
            "budget": spec.get("token_budget"),
            "pace": spec.get("pace"),
        }


def derived(recipe: Recipe) -> dict[str, str]:
    """What follows from the settings of RL stages and is not written in them."""
    found = {}
    for name, stage in recipe.stages.items():
        if isinstance(stage, RlStage):
            steps, prompts = steps_of(recipe, stage), sum(rows_of(recipe, other) for other in stage.data)
            passes = steps * stage.prompts_per_step / prompts
            size = f"{stage.prompts_per_step} x {stage.group_size}"
            found[name] = f"{steps} steps of {size} responses, {passes:.2f} passes over {prompts} prompts"
    return found
