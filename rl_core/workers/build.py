"""The engine and the policy that a recipe asks for."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from rl_core.config.resources import Resources
from rl_core.config.rl import RlConfig
from rl_core.model.precision import dtype_of
from rl_core.rollout.description import Start, Transfer
from rl_core.rollout.engine import RolloutEngine
from rl_core.rollout.engines import ENGINES
from rl_core.training.lora import kept_apart

if TYPE_CHECKING:
    from rl_core.training.backends.collective import TrainingGroup
    from rl_core.training.policy import Policy
from rl_core.workers.interface import Models


def make_engine(models: Models, config: RlConfig, transfer: Transfer) -> RolloutEngine:
    """The rollout engine of a recipe. It has the policy's weights only after the first sync, which may bring them by `transfer`."""
    resources = config.resources
    use_threads(resources)
    start = Start(
        models.start,
        dtype_of(config.precision),
        models.longest,
        resources.tensor_parallel,
        resources.engine_memory,
        transfer=transfer,
        lora=kept_apart(config),
    )
    return ENGINES[config.engine].start(start)


def make_policy(models: Models, config: RlConfig, group: TrainingGroup | None = None) -> Policy:
    """The policy of a recipe."""
    from rl_core.training.policy import Policy

    use_threads(config.resources)
    return Policy(models.start, config, models.reference, resumed=models.resumed, group=group, seed=models.seed)


def use_threads(resources: Resources) -> None:
    """Ray gives an actor one thread; rollout and training take turns, so each may use every core."""
    import torch

    torch.set_num_threads(resources.threads or len(os.sched_getaffinity(0)))


def memory_in_use() -> dict[str, float]:
    """Resident bytes of this process, and what it has taken of its GPU."""
    import psutil
    import torch

    found = {"memory": float(psutil.Process().memory_info().rss)}
    return found | ({"gpu_memory": float(torch.cuda.max_memory_allocated())} if torch.cuda.is_available() else {})
