"""How and where a stage is executed."""

from typing import Literal, Self

from pydantic import Field, model_validator

from rl_core.addresses import holds_secret
from rl_core.config.base import Settings
from rl_core.rollout.description import names_of
from rl_core.rollout.engines import ENGINES

TOKENS_PER_BATCH_CPU, TOKENS_PER_BATCH_GPU = 2048, 16384  # defaults of `Resources.tokens_per_batch`
# Logits that training has in work at once, in float32. Of 16,384 tokens and a vocabulary of 152,000 all of them are 10 GB a copy.
HEAD_BYTES = 640 * 2**20
Precision = Literal["auto", "bfloat16", "float32"]


class Resources(Settings):
    """How and where a stage is executed. Never part of a fingerprint: results must not depend on it."""

    ray: bool = Field(True, description="Run rollout, scoring and training as Ray actors; false runs the same classes in one process.")
    cluster: str | None = Field(
        None,
        description="Ray cluster: http://HOST:8265 submits the stage there as a job, HOST:6379 starts only its workers there; default: "
        "RAY_ADDRESS, else a local cluster for this stage.",
    )
    scoring_workers: int = Field(1, ge=1, le=64, description="Processes that verify answers.")
    tokens_per_batch: int | None = Field(
        None, ge=256, description="Padded tokens in one forward-backward pass; bounds memory. Default: 2,048 on CPU, 16,384 on GPU."
    )
    threads: int | None = Field(None, ge=1, description="CPU threads of torch; default: all cores.")

    @model_validator(mode="after")
    def _cluster_is_ray(self) -> Self:
        if self.cluster and not self.ray:
            raise ValueError("`cluster` has no effect with `ray: false`; remove one of them")
        if self.cluster and holds_secret(self.cluster):
            raise ValueError(
                "`cluster` holds a password or a query, which records would show; give it by RAY_AUTH_MODE=token and RAY_AUTH_TOKEN"
            )
        return self


class RlResources(Resources):
    """Placement of the workers of an RL stage. Gradients do not depend on their number, nor on how DeepSpeed shares out the state."""

    rollout_workers: int = Field(1, ge=1, le=512, description="Engines that sample; each takes a share of the prompts.")
    tensor_parallel: int = Field(1, ge=1, le=64, description=f"Devices of one engine ({names_of(ENGINES, 'spans_devices')}).")
    training_workers: int = Field(1, ge=1, le=512, description="Processes that train, each on a share of the responses.")
    placement: Literal["colocated", "separate"] = Field(
        "colocated", description="Engines and trainers take turns on the same devices, or have their own."
    )
    zero_stage: Literal[1, 2, 3] = Field(2, description="What DeepSpeed shards: 1 optimizer state, 2 and gradients, 3 and weights.")
    offload: Literal["none", "optimizer", "all"] = Field("none", description="What DeepSpeed keeps in CPU memory; `all` adds the weights.")
    gradient_checkpointing: bool = Field(False, description="Recompute activations in the backward pass: less memory, a third more work.")
    engine_memory: float = Field(
        0.5, gt=0, lt=1, description=f"Share of a GPU's memory that an engine may take ({names_of(ENGINES, 'takes_share')})."
    )
    weight_transfer: Literal["direct", "copy"] = Field(
        "direct",
        description=f"How weights reach engines on GPUs ({names_of(ENGINES, 'by_device')}): from device to device (NCCL, CUDA IPC), or by "
        "shared memory, as on CPUs.",
    )
    start_timeout: float = Field(180.0, gt=0, description="Seconds for workers to be placed, load models, meet, and hand weights over.")
