"""RL stage: a checkpoint against verifiable rewards, in a process of its own with Ray inside."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from evals.analytics.health import rl_warnings
from rl_core.config.jobs import TrainJob
from rl_core.config.model import Lora
from rl_core.config.own_files import by_name
from rl_core.config.penalties import Penalties
from rl_core.config.resources import RlResources
from rl_core.config.rl import RlConfig
from rl_core.data.prompts import read_prompts
from rl_core.errors import InputError, naming
from rl_core.own_code.sources import CODE, sources, write
from rl_core.own_code.verifier import copies
from rl_core.rewards.reward import answer_form, own_functions, resolve
from rl_core.rollout.description import BATCH_TOKENS
from rl_core.rollout.engines import DEFAULT
from rl_core.training.journal import read_steps
from rl_core.workers.placement import layout
from tasks.costs.formulas import (
    BYTES_CHECKPOINT,
    BYTES_HALF,
    BYTES_MASTER,
    BYTES_TOKEN,
    CONTEXT_GPU,
    LENGTH,
    PROCESS,
    PROMPT,
    RAY,
    SCORER,
    START_CPU,
    TRAINING_SHARE,
    USABLE,
    Changes,
    Memory,
    engine_bytes,
    forward,
    lighter_engine,
    lighter_passes,
    pass_tokens,
    sampling_seconds,
    start_seconds,
    working_bytes,
)
from tasks.costs.machine import Machine
from tasks.costs.models import Model
from tasks.kind import MODEL, ModelKind, Role, Stages, Work, check_template
from tasks.ray_cluster import cluster_of, connect, job_address, require_answer
from tasks.smoke import THREADS, short_warmup, shorter
from tasks.stage.spec import StageSpec
from tasks.trainer.train import prompt_files, reference_model, start_model, train, training_note
from tasks.workspace import Workspace

# Of a smoke run
STEPS, PROMPTS, GROUP, MINIBATCHES, PASSES = 2, 4, 4, 2, 2
RANK, NGRAM = 8, 8  # of adapters; of repeats within a response that short
LINEAR_LAYERS = {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}  # of the small model


class RlStage(RlConfig):
    """Reinforcement learning of a model or checkpoint."""

    kind: Literal["rl"] = Field(description="The kind of stage.")
    start: str = Field(MODEL, description="`model`, or the stage whose checkpoint this one continues.")
    reference: str | None = Field(None, description="`model`, or the stage whose checkpoint the KL term compares with; default: `start`.")
    data: Stages = Field(description="The data stages whose prompts are used.")

    @model_validator(mode="after")
    def _reference_is_used(self) -> RlStage:
        if self.reference is not None and not self.algorithm.uses_reference:
            raise ValueError("`reference` has no effect without a KL term; remove it, or set algorithm.kl_coefficient")
        return self


class Rl(ModelKind[RlStage]):
    """Training on responses that it samples and scores."""

    name = "rl"
    version = 3
    settings = RlStage
    roles: ClassVar[Mapping[str, Role]] = {
        "start": Role("checkpoint", model=True),
        "reference": Role("checkpoint", model=True),
        "data": Role("prompts"),
    }
    makes = frozenset({"checkpoint", "responses"})

    def run(self, spec: StageSpec, work: Work) -> dict[str, Any]:
        """Train; returns the trainer's own result."""
        write(spec.code, spec.directory / CODE)
        config = RlConfig.model_validate(spec.settings | {"reward": by_name(spec.settings["reward"])})
        job = TrainJob(
            kind="rl",
            rl=config,
            model=start_model(spec),
            reference=reference_model(spec),
            prompts=prompt_files(spec),
            output=spec.directory,
            lease=work.lease.held,
            replies=Workspace(spec.workspace).replies,
            seed=spec.run_seed,
        )
        return train(job, work.lease, work.follow, steps=config.steps)

    # Before a run

    def check_names(self, stage: RlStage, where: str) -> None:
        """The template and the parts of the reward."""
        check_template(stage.template, f"{where}.template")
        with naming(f"{where}.reward"):
            resolve(stage.reward)

    def check_before_run(self, stage: RlStage, spec: StageSpec, where: str) -> None:
        """The cluster that takes it as a job, or on which its workers run."""
        with naming(where):
            if address := job_address(stage.resources):
                connect(address)
            elif address := cluster_of(stage.resources):
                require_answer(address)
        if stage.judge:
            from rl_core.judge.opinions import probe

            with naming(f"{where}.judge"):
                probe(stage.judge)
        self.check_with_data(stage, spec, where)

    def check_with_data(self, stage: RlStage, spec: StageSpec, where: str) -> None:
        """Reward functions of a user's own: each is loaded, and called if there is a prompt already."""
        names = own_functions(by_name(resolve(stage.reward)))
        if not names:
            return
        from rl_core.own_code.try_out import try_out

        path = prompt_files(spec)[0]
        with tempfile.TemporaryDirectory() as copy, naming(f"{where}.reward"):
            write(spec.code, Path(copy))
            code = copies([Path(copy), path.parent / CODE])
            try_out(names, code, stage.scoring_deadline, read_prompts(path)[0] if path.is_file() else None)

    def code(self, stage: RlStage, where: str) -> dict[str, dict[str, str]]:
        """Reward functions of a user's own."""
        with naming(f"{where}.reward"):
            found = sources(own_functions(resolve(stage.reward)))
        return {"reward": found} if found else {}

    def answer_form(self, stage: RlStage) -> str | None:
        """Where its reward looks for the answer."""
        return answer_form(resolve(stage.reward))

    def algorithm(self, stage: RlStage) -> str | None:
        """Its name."""
        return stage.algorithm.name

    def derived(self, stage: RlStage, prompts: int) -> str | None:
        """Steps, responses of each, and passes over the prompts."""
        steps = steps_of(stage, prompts)
        passes = steps * stage.prompts_per_step / prompts
        return f"{steps} steps of {stage.prompts_per_step} x {stage.group_size} responses, {passes:.2f} passes over {prompts} prompts"

    # Costs

    def tokens(self, stage: RlStage, prompts: int) -> int:
        """All that it can sample."""
        return steps_of(stage, prompts) * stage.prompts_per_step * stage.group_size * stage.max_response_tokens

    def response_tokens(self, stage: RlStage) -> int | None:
        """The limit of a response."""
        return stage.max_response_tokens

    def seconds(self, stage: RlStage, model: Model, machine: Machine, prompts: int) -> float | None:
        """Of all steps and the start."""
        step = step_seconds(stage, model, machine)
        return None if step is None else start_seconds(machine) + steps_of(stage, prompts) * step

    def gpus(self, stage: RlStage) -> int:
        """Of trainers and engines, which share them or do not."""
        resources = stage.resources
        engines = resources.rollout_workers * resources.tensor_parallel
        return resources.training_workers + engines if resources.placement == "separate" else max(resources.training_workers, engines)

    def memory(self, stage: RlStage, model: Model, *, gpus: bool) -> Memory:
        """Of one training process and of one device of an engine."""
        longest = PROMPT + stage.max_response_tokens
        share = math.ceil(stage.prompts_per_step / stage.minibatches / stage.resources.training_workers) * stage.group_size
        tokens = pass_tokens(stage.resources, share, longest, gpus)
        scored = tokens * stage.max_response_tokens / longest  # the head runs on responses only
        working = working_bytes(model, tokens, scored, checkpointing=stage.resources.gradient_checkpointing, gpus=gpus)
        batch = min(stage.prompts_per_step * stage.group_size * longest, max(BATCH_TOKENS, longest))
        return Memory(state_bytes(stage) * model.parameters, working, engine_bytes(stage, model, longest, batch, gpus=gpus))

    def total_memory(self, stage: RlStage, memory: Memory, *, gpus: bool, share: bool) -> float:
        """Of one GPU: of trainer and engine, if they share it. Without GPUs: of all workers."""
        resources, training = stage.resources, memory.states + memory.working
        if gpus:
            together = max(training, memory.states + memory.engine) if share else training + memory.engine
            return (max(training, memory.engine) if resources.placement == "separate" else together) + CONTEXT_GPU
        all_workers = resources.training_workers * training + resources.rollout_workers * resources.tensor_parallel * memory.engine
        processes = resources.training_workers + resources.rollout_workers if resources.ray else 1
        return all_workers + processes * PROCESS + resources.scoring_workers * SCORER + (RAY if resources.ray else 0)

    def host_memory(self, stage: RlStage, model: Model, machine: Machine) -> float:
        """Interpreters, and what DeepSpeed keeps there."""
        here = min(stage.resources.training_workers, machine.gpus or 1)
        kept = {"none": 0, "optimizer": 12, "all": BYTES_MASTER}[stage.resources.offload] * model.parameters
        return here * (kept / stage.resources.training_workers + PROCESS)

    def disk(self, stage: RlStage, model: Model | None, tokens: int) -> float:
        """Checkpoints that are kept, one more while it is written, and the responses."""
        kept = stage.keep_last + 1 + (stage.keep_best is not None)
        models = (BYTES_HALF if stage.lora else BYTES_CHECKPOINT) + BYTES_CHECKPOINT * (stage.algorithm.advantage == "gae")
        return models * (model.parameters if model else 0) * kept + BYTES_TOKEN * tokens * LENGTH

    def cluster(self, stage: RlStage) -> str | None:
        """Where it, or its workers, run."""
        return cluster_of(stage.resources)

    def pace(self, stage: RlStage) -> list[str]:
        """Engine, backend, adapters and workers."""
        critic = "critic" if stage.algorithm.advantage == "gae" else ""
        used = stage.resources.model_dump(include={"ray", "rollout_workers", "tensor_parallel", "training_workers", "placement", "offload"})
        return [stage.engine, stage.backend, critic, "adapters" if stage.lora else "", *map(str, used.values())]

    # What a machine lacks, and what would do with less

    def shortages(self, stage: RlStage, machine: Machine) -> list[str]:
        """Workers that cannot share the GPUs as they should, or are too many to start on the cores."""
        found = _late(stage, machine) if machine.gpus == 0 else _crowded(stage) if machine.gpus else None
        return [found] if found else []

    def wanted(self, stage: RlStage, machine: Machine, missing: Sequence[str]) -> str | None:
        """Cores for its workers, where nothing else is missing."""
        return f"{workers_of(stage)} workers" if machine.gpus == 0 and list(missing) == [_late(stage, machine)] else None

    def crowding(self, stage: RlStage, machine: Machine) -> str | None:
        """More workers than cores."""
        if machine.gpus != 0 or machine.cores is None or workers_of(stage) <= max(2, machine.cores):
            return None
        return f"{workers_of(stage)} workers take turns on {machine.cores} cores"

    def lighter(self, stage: RlStage, machine: Machine) -> list[Changes]:
        """Fewer workers, more patience, a smaller engine, smaller passes, state in host memory."""
        found = _fewer_workers(stage.resources, machine)
        if machine.gpus == 0 and (late := _start_on_cores(stage, machine)):
            found.append([("resources.start_timeout", math.ceil(late / 60 + 1) * 60)])
        found += lighter_engine(stage, machine) + lighter_passes(machine)
        if stage.backend == "deepspeed":
            if machine.packages is not None and "deepspeed" not in machine.packages:
                found.append([("backend", "torch")])
            if machine.gpus:
                found += [[("resources.offload", "optimizer")], [("resources.zero_stage", 3), ("resources.offload", "all")]]
        return found

    def smoke(self, stage: RlStage, scale: float, answer_form: str) -> dict[str, Any]:
        """Two steps of few short responses, in one process."""
        tokens = shorter(stage.max_response_tokens, scale)
        schedules = {key: short_warmup(getattr(stage.algorithm, key)) for key in ("kl_coefficient", "value_learning_rate")}
        return {
            "steps": STEPS,
            "epochs": None,
            "prompts_per_step": min(stage.prompts_per_step, PROMPTS),
            "group_size": min(stage.group_size, GROUP),
            "minibatches": min(stage.minibatches, MINIBATCHES),
            "updates_per_step": min(stage.updates_per_step, PASSES),
            "max_response_tokens": tokens,
            "max_prompt_tokens": None,  # the small tokenizer needs more of them
            "penalties": _small_penalties(stage.penalties, tokens / stage.max_response_tokens),
            "learning_rate": short_warmup(stage.learning_rate),
            "temperature": short_warmup(stage.temperature),
            "algorithm": stage.algorithm.model_copy(update=schedules),
            "lora": _small_adapters(stage.lora) if stage.lora else None,
            "engine": DEFAULT,
            "backend": "torch",
            "resources": RlResources(ray=False, threads=THREADS),
        }

    # After a run

    def note(self, spec: StageSpec, manifest: Mapping[str, Any]) -> str:
        """Steps, tokens and the checkpoint."""
        return training_note(spec, manifest["result"], "prompts")

    def warnings(self, directory: Path, settings: Mapping[str, Any], result: Mapping[str, Any]) -> list[str]:
        """From its metrics."""
        return rl_warnings(settings, list(read_steps(directory / "metrics.jsonl")), result)


def steps_of(stage: RlStage, prompts: int) -> int:
    """Optimizer steps, with so many prompts to go over."""
    return stage.steps if stage.steps is not None else math.ceil((stage.epochs or 0) * prompts / stage.prompts_per_step)


def step_seconds(stage: RlStage, model: Model, machine: Machine) -> float | None:
    """Of one step with as many devices as the stage asks for, sampling and training one after another."""
    if machine.flops is None or machine.bandwidth is None:
        return None
    responses = stage.prompts_per_step * stage.group_size
    limit = stage.max_response_tokens
    sampled = responses / USABLE if stage.algorithm.max_refills else responses
    width = stage.resources.tensor_parallel if machine.gpus else 1
    engines = stage.resources.rollout_workers if machine.gpus else 1  # on a CPU all share its cores
    sampling = sampling_seconds(model, machine, sampled / engines, limit, devices=width, engine=stage.engine)
    tokens = responses * (PROMPT + LENGTH * limit)
    once = forward(model, tokens, PROMPT + LENGTH * limit / 2)
    several = stage.updates_per_step * stage.minibatches > 1
    passes = stage.updates_per_step * ((3 if stage.lora is None else 2) + stage.resources.gradient_checkpointing)
    passes += several + stage.algorithm.uses_reference
    if stage.algorithm.advantage == "gae":
        passes += stage.updates_per_step * (3 + stage.resources.gradient_checkpointing) + 1
    workers = stage.resources.training_workers if machine.gpus else 1
    training = passes * once / (machine.flops * workers * (TRAINING_SHARE if machine.gpus else 1.0))
    return max(sampling, training) if stage.asynchronous and stage.resources.placement == "separate" else sampling + training


def state_bytes(stage: RlStage) -> float:
    """Per parameter of the model, in the memory of one device that trains: policy, critic and reference."""
    workers = stage.resources.training_workers
    shared = {1: 8, 2: 12, 3: 16}[stage.resources.zero_stage] if stage.backend == "deepspeed" else 0  # moments, gradients, weights
    trained = BYTES_MASTER - shared + shared / workers
    if stage.resources.offload != "none":
        trained -= 12 / workers if shared >= 12 else 8 / workers  # moments, and the gradients that go with them
    if stage.resources.offload == "all":
        trained = 0.0
    policy = BYTES_HALF if stage.lora else trained  # adapters are a hundredth of it
    critic = trained if stage.algorithm.advantage == "gae" else 0.0
    # Without its adapters the policy is the reference, unless the recipe names another.
    apart = stage.algorithm.uses_reference and (stage.lora is None or stage.reference not in (None, stage.start))
    reference = BYTES_HALF / (workers if shared == BYTES_MASTER else 1) if apart else 0.0
    return policy + critic + reference


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


def _late(stage: RlStage, machine: Machine) -> str | None:
    """Too many workers for the cores, in words."""
    late = _start_on_cores(stage, machine)
    if late is None:
        return None
    given = f"start_timeout gives them {stage.resources.start_timeout:.0f}"
    return f"its {workers_of(stage)} workers need about {late:.0f} s to start on {machine.cores} cores, and {given}"


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


def _small_penalties(penalties: Penalties, scale: float) -> Penalties:
    changes: dict[str, Any] = {}
    if penalties.overlong:
        changes["overlong"] = penalties.overlong.model_copy(update={"buffer": max(1, round(penalties.overlong.buffer * scale))})
    if penalties.dense_repetition:
        ngram = min(penalties.dense_repetition.ngram, NGRAM)
        changes["dense_repetition"] = penalties.dense_repetition.model_copy(update={"ngram": ngram})
    return penalties.model_copy(update=changes)


def _small_adapters(lora: Lora) -> Lora:
    known = [name for name in lora.targets or () if name in LINEAR_LAYERS]
    return lora.model_copy(update={"rank": min(lora.rank, RANK), "targets": known or None})


KIND = Rl()
