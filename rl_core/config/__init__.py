"""Typed settings of training, by subject; every default of a recipe lives here, in rl_core/environments and in evals/config.py.

Importable without torch, Ray or transformers, so that a plan or `--help` stays light. The names below are for callers that do not name the
subject yet.
"""

from __future__ import annotations

from typing import Any

from rl_core.config.algorithm import Algorithm as Algorithm
from rl_core.config.base import Added as Added
from rl_core.config.base import Revised as Revised
from rl_core.config.base import Settings as Settings
from rl_core.config.data import BOX as BOX
from rl_core.config.jobs import HeldLease as HeldLease
from rl_core.config.jobs import Job as Job
from rl_core.config.jobs import TrainJob as TrainJob
from rl_core.config.model import ScratchModel as ScratchModel
from rl_core.config.penalties import Penalties as Penalties
from rl_core.config.resources import HEAD_BYTES as HEAD_BYTES
from rl_core.config.resources import TOKENS_PER_BATCH_CPU as TOKENS_PER_BATCH_CPU
from rl_core.config.resources import TOKENS_PER_BATCH_GPU as TOKENS_PER_BATCH_GPU
from rl_core.config.resources import Resources as Resources
from rl_core.config.resources import RlResources as RlResources
from rl_core.config.rl import Lora as Lora
from rl_core.config.rl import RlConfig as RlConfig
from rl_core.config.schedules import Schedule as Schedule
from rl_core.config.sft import SftConfig as SftConfig


def __getattr__(name: str) -> Any:
    """Settings of families of problems: their modules import this package."""
    homes = {"CountdownData": "countdown", "Gsm8kData": "gsm8k", "KnightsKnavesData": "knights_knaves", "MathData": "math"}
    if name == "DataConfig":
        from typing import Annotated, Union

        from pydantic import Field

        from rl_core.environments.registry import ENVIRONMENTS

        found = tuple(environment.settings for environment in ENVIRONMENTS.values() if environment.settings)
        return Annotated[Union[found], Field(discriminator="task")]  # noqa: UP007
    if name not in homes:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"rl_core.environments.{homes[name]}"), name)
