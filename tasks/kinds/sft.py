"""SFT stage: worked examples into a model, in a process of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from evals.analytics.health import sft_warnings
from rl_core.config.jobs import TrainJob
from rl_core.config.resources import Resources
from rl_core.config.sft import SftConfig
from rl_core.errors import naming
from rl_core.training.journal import read_steps
from tasks.costs.formulas import (
    BYTES_CHECKPOINT,
    BYTES_MASTER,
    TRAINING_SHARE,
    Changes,
    Memory,
    forward,
    lighter_passes,
    pass_tokens,
    start_seconds,
    working_bytes,
)
from tasks.costs.machine import Machine
from tasks.costs.models import Model
from tasks.kind import MODEL, ModelKind, Role, Stages, Work, check_template
from tasks.ray_cluster import connect, job_address
from tasks.smoke import THREADS, short_warmup
from tasks.stage.spec import StageSpec
from tasks.trainer.train import prompt_files, start_model, train, training_note

SMOKE_STEPS, SMOKE_BATCH, SMOKE_TOKENS = 30, 8, 2048


class SftStage(SftConfig):
    """Supervised fine-tuning of a model or checkpoint on worked examples."""

    kind: Literal["sft"] = Field(description="The kind of stage.")
    start: str = Field(MODEL, description="`model`, or the stage whose checkpoint this one continues.")
    data: Stages = Field(description="The data stages whose prompts are used.")


class Sft(ModelKind[SftStage]):
    """Fine-tuning in one process."""

    name = "sft"
    settings = SftStage
    roles: ClassVar[Mapping[str, Role]] = {"start": Role("checkpoint", model=True, from_nothing=True), "data": Role("prompts")}
    makes = frozenset({"checkpoint", "responses"})
    fine_tunes = True

    def run(self, spec: StageSpec, work: Work) -> dict[str, Any]:
        """Train; returns the trainer's own result."""
        config = SftConfig.model_validate(spec.settings)
        job = TrainJob(
            kind="sft",
            sft=config,
            model=start_model(spec),
            prompts=prompt_files(spec),
            output=spec.directory,
            lease=work.lease.held,
            seed=spec.run_seed,
        )
        return train(job, work.lease, work.follow, steps=config.steps, needs_gpu=True)

    def check_names(self, stage: SftStage, where: str) -> None:
        """The template."""
        check_template(stage.template, f"{where}.template")

    def check_before_run(self, stage: SftStage, spec: StageSpec, where: str) -> None:
        """The cluster that takes it as a job."""
        with naming(where):
            if address := job_address(stage.resources):
                connect(address)

    def cluster(self, stage: SftStage) -> str | None:
        """Where it runs as a job."""
        return job_address(stage.resources)

    def tokens(self, stage: SftStage, prompts: int) -> int:
        """All that it can read."""
        return stage.steps * stage.batch_size * stage.max_tokens

    def seconds(self, stage: SftStage, model: Model, machine: Machine, prompts: int) -> float | None:
        """Of texts that are half as long as they may be."""
        return sft_seconds(stage, model, machine, self.tokens(stage, prompts) / 2)

    def memory(self, stage: SftStage, model: Model, *, gpus: bool) -> Memory:
        """Of the one process that trains."""
        tokens = pass_tokens(stage.resources, stage.batch_size, stage.max_tokens, gpus)
        return Memory(BYTES_MASTER * model.parameters, working_bytes(model, tokens, tokens, checkpointing=False, gpus=gpus))

    def disk(self, stage: SftStage, model: Model | None, tokens: int) -> float:
        """Two checkpoints."""
        return BYTES_CHECKPOINT * (model.parameters if model else 0) * 2

    def lighter(self, stage: SftStage, machine: Machine) -> list[Changes]:
        """Smaller passes."""
        return lighter_passes(machine)

    def smoke(self, stage: SftStage, scale: float, answer_form: str) -> dict[str, Any]:
        """Few steps."""
        return {
            "steps": min(stage.steps, SMOKE_STEPS),
            "batch_size": min(stage.batch_size, SMOKE_BATCH),
            "max_tokens": SMOKE_TOKENS,  # the small tokenizer needs more of them
            "learning_rate": short_warmup(stage.learning_rate),
            "resources": Resources(threads=THREADS),
        }

    def note(self, spec: StageSpec, manifest: Mapping[str, Any]) -> str:
        """Steps, tokens and the checkpoint."""
        return training_note(spec, manifest["result"], "examples")

    def warnings(self, directory: Path, settings: Mapping[str, Any], result: Mapping[str, Any]) -> list[str]:
        """From its metrics."""
        return sft_warnings(list(read_steps(directory / "metrics.jsonl")), result)


def sft_seconds(stage: SftStage, model: Model, machine: Machine, tokens: float) -> float | None:
    """Of a stage that trains on so many tokens; one process."""
    if machine.flops is None:
        return None
    # float32 products: half of bfloat16's.
    rate = machine.flops * (1.0 if machine.gpus == 0 else TRAINING_SHARE / 2)
    return start_seconds(machine) + 3 * forward(model, tokens, stage.max_tokens / 2) / rate


KIND = Sft()
