"""RL stage: a checkpoint against verifiable rewards, in a process of its own with Ray inside."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rl_core.config import RlConfig, TrainJob
from tasks.stage.lease import Lease
from tasks.stage.spec import StageSpec
from tasks.trainer.local_process import Progress
from tasks.trainer.train import prompt_files, reference_model, start_model, train


def run(spec: StageSpec, lease: Lease, on_progress: Callable[[Progress], None]) -> dict[str, Any]:
    """Train; returns the trainer's own result."""
    config = RlConfig.model_validate(spec.settings)
    job = TrainJob(
        kind="rl",
        rl=config,
        model=start_model(spec),
        reference=reference_model(spec),
        prompts=prompt_files(spec),
        output=spec.directory,
        lease=lease.held,
        seed=spec.run_seed,
    )
    return train(job, lease, on_progress, steps=config.steps)
