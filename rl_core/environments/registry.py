"""The families of problems by name. A module of this folder with an `ENVIRONMENT` is one of them: nothing else lists it."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from typing import Any

from rl_core import environments
from rl_core.config.data import TrainingData
from rl_core.environments.environment import Environment
from rl_core.errors import InputError


def _found() -> dict[str, Environment[Any]]:
    modules = (importlib.import_module(f"{environments.__name__}.{entry.name}") for entry in pkgutil.iter_modules(environments.__path__))
    return {module.ENVIRONMENT.name: module.ENVIRONMENT for module in modules if hasattr(module, "ENVIRONMENT")}


ENVIRONMENTS = _found()
_BY_TASK = {task: found for found in ENVIRONMENTS.values() for task in (found.name, *found.tasks)}


def environment_of(task: str) -> Environment[Any]:
    """The family that judges the answers of a task; raises InputError where none does."""
    if task not in _BY_TASK:
        raise InputError(f"no verifier for the task {task!r}; there is one for {', '.join(_BY_TASK)}")
    return _BY_TASK[task]


def read_settings(values: Mapping[str, Any]) -> TrainingData:
    """The settings of a data stage, which name their family as `task`.

    Raises:
        InputError: no data stage has this task.
        ValidationError: of pydantic, for the other values.
    """
    task = str(values.get("task"))
    settings = environment_of(task).settings
    if settings is None:
        raise InputError(f"the task {task!r} has no problems to train on")
    return settings.model_validate(values)


def made_to_order(name: str) -> bool:
    """Whether the problems of a task or a benchmark are generated; see `Environment.made_to_order`."""
    return name in _BY_TASK and _BY_TASK[name].made_to_order
