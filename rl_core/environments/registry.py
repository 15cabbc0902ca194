"""The families of problems by name. A module of this folder with an `ENVIRONMENT` is one of them: nothing else lists it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from rl_core import environments
from rl_core.config.base import Settings
from rl_core.config.data import TrainingData
from rl_core.environments.environment import Environment
from rl_core.errors import InputError
from rl_core.nearest import nearest
from rl_core.own_code.reference import is_own
from rl_core.own_code.verifier import OwnVerifier
from rl_core.registry import modules_of


def by_task(found: Iterable[Environment[Any]]) -> dict[str, Environment[Any]]:
    """Families by the tasks that they judge.

    Raises:
        TypeError: a task has two of them, or the settings of one are not those of a data stage of its name.
    """
    known: dict[str, Environment[Any]] = {}
    for environment in found:
        where = type(environment).__module__
        for task in (environment.name, *environment.tasks):
            if task in known:
                raise TypeError(f"{where}: the task {task!r} is that of {type(known[task]).__module__}, too; rename one of them")
            known[task] = environment
        fields = environment.settings.model_fields if environment.settings else None
        if fields is not None and (fields["task"].default != environment.name or not {"train", "test"} <= fields.keys()):
            raise TypeError(f"{where}: `settings` wants `task` with the default {environment.name!r}, `train` and `test`")
    return known


_BY_TASK = by_task(module.ENVIRONMENT for module in modules_of(environments) if hasattr(module, "ENVIRONMENT"))
ENVIRONMENTS = {found.name: found for found in _BY_TASK.values()}


def environment_of(task: str) -> Environment[Any]:
    """The family that judges the answers of a task; raises InputError where none does."""
    if is_own(task):
        return OwnVerifier(task)
    if task not in _BY_TASK:
        raise InputError(f"no verifier for the task {task!r}; there is one for {', '.join(_BY_TASK)}")
    return _BY_TASK[task]


VERIFIERS = {task: found for task, found in _BY_TASK.items() if found.is_verifier}


def find_verifier(verifier: str | Mapping[str, Mapping[str, Any]]) -> tuple[str, Environment[Any], Settings]:
    """The name, the family and the parameters of the setting `verifier`; the name is the task of its prompts.

    Raises:
        InputError: there is no such verifier (the message offers the nearest), or it has no such parameters.
    """
    if isinstance(verifier, str):
        verifier = {verifier: {}}
    if len(verifier) != 1:
        raise InputError(f"one verifier is wanted, such as {{number: {{tolerance: 0.01}}}}, not {len(verifier)}")
    [(name, values)] = verifier.items()
    if is_own(name):
        own = OwnVerifier(name)
        return own.name, own, own.parameters.model_validate(values)
    if name not in VERIFIERS:
        raise InputError(f"there is no verifier {name!r}; {nearest(name, VERIFIERS)}")
    kind = VERIFIERS[name].parameters
    if unknown := next((key for key in values if key not in kind.model_fields), None):
        raise InputError(f"verifier {name} has no parameter {unknown!r}; {nearest(unknown, kind.model_fields)}")
    try:
        return name, VERIFIERS[name], kind.model_validate(values)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        where = ".".join(map(str, (name, *problem["loc"])))
        raise InputError(f"verifier {where}: {problem['msg'].lower()}, not {problem['input']!r}") from error


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
