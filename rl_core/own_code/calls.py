"""What workers are asked for: to load code of a user's own, and to call it. All of this runs in a worker."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import math
import sys
from collections.abc import Callable, Mapping
from functools import cache
from numbers import Real
from pathlib import Path
from typing import Any

from rl_core.config.own_files import split_path
from rl_core.environments.environment import Environment
from rl_core.errors import InputError
from rl_core.nearest import nearest
from rl_core.outcome import Outcome
from rl_core.rewards.rules import Rule
from rl_core.rewards.verdict import OpenQuestion, Verdict

# What a function may ask for by the names of its parameters: of one response, and of all responses to a prompt. verl's and TRL's names
# stand beside ours. A name that occurs in both has one value for the whole group.
ONE = {
    "response": ("response", "completion", "solution_str"),
    "gold": ("gold", "answer", "solution", "ground_truth"),
    "prompt": ("prompt", "question"),
    "verdict": ("verdict",),
    "info": ("info", "extra_info"),
    "task": ("task", "data_source"),
}
GROUP = {
    "response": ("responses", "completions"),
    "gold": ("golds",),
    "prompt": ("prompts",),
    "verdict": ("verdicts",),
    "info": ("infos",),
    "task": ("tasks",),
}
OF_TRL = "completions"  # a function with this parameter gets the columns of its data set as lists, one value per response
COLUMNS = ("answer", "solution", "ground_truth")


def describe(name: str) -> dict[str, bool]:
    """Load a function: whether it judges a whole group, and whether it looks at verdicts. Or load an environment (`verifier`).

    Raises:
        InputError: it is neither, or has a parameter that nothing is known for.
    """
    if _is_environment(load(name)):
        _environment(name)
        return {"verifier": True}
    _, parameters = _function(name)
    group = _is_group(parameters)
    variable = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    of_trl = OF_TRL in parameters
    known = {alias for names in (*ONE.values(), *(GROUP.values() if group else ())) for alias in names}
    if group:
        known -= set(ONE["response"]) | set(ONE["verdict"])
    for parameter in parameters.values():
        if parameter.kind is parameter.POSITIONAL_ONLY:
            raise InputError(f"its parameter {parameter.name!r} has no name that a call could use: remove the / behind it")
        wanted = parameter.default is parameter.empty and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        if wanted and parameter.name not in known and not of_trl:
            raise InputError(f"nothing is known for its parameter {parameter.name!r}; {nearest(parameter.name, sorted(known))}")
    asks = not {"verdict", "verdicts"}.isdisjoint(parameters) or (variable and not of_trl)
    return {"verifier": False, "group": group, "verdicts": asks}


def reward(
    name: str, responses: list[str], gold: str, prompt: str, info: dict[str, Any], task: str, verdicts: list[dict[str, Any] | None]
) -> list[Any]:
    """Call a function for one response, or for all of a group: per response a number, or why there is none (a text)."""
    function, parameters = _function(name)
    count = len(responses)
    judged = [_verdict(verdict) for verdict in verdicts]
    same = {"gold": gold, "prompt": prompt, "info": info, "task": task}
    if not _is_group(parameters):
        [response], [verdict] = responses, judged
        given = _named(ONE, same | {"response": response, "verdict": verdict})
        value = function(**_wanted(parameters, given))
        if isinstance(value, Mapping) and "score" in value:  # as verl's functions may
            value = value["score"]
        return [_number(value)]
    lists = {key: [value] * count for key, value in same.items()} | {"response": responses, "verdict": judged}
    given = _named(ONE, same) | _named(GROUP, lists)
    if OF_TRL in parameters:
        given |= {column: [value] * count for column, value in info.items()} | {column: [gold] * count for column in COLUMNS}
    values = function(**_wanted(parameters, given))
    if hasattr(values, "tolist"):
        values = values.tolist()  # of numpy and torch
    if not isinstance(values, list | tuple):
        raise InputError(f"it returned {_shown(values)}; wanted is a list of {count} numbers, one per response")
    if len(values) != count:
        raise InputError(f"it returned {len(values)} numbers for {count} responses")
    return [_number(value) for value in values]


def judge(name: str, response: str, gold: str, reader: str | None, rules: list[str]) -> dict[str, Any]:
    """The verdict of an environment on a response, whatever time it takes."""
    environment = _environment(name)
    task = getattr(environment, "name", name)
    found = environment.judge(task, response, gold, load(reader) if reader else None, frozenset(map(Rule, rules)))
    if isinstance(found, OpenQuestion):
        decision = environment.decide(*found)
        found = Verdict(decision.outcome, environment.canonical(found.answer), score=decision.score)
    if not isinstance(found, Verdict):
        raise InputError(f"its judge() returned {_shown(found)}; wanted is a Verdict")
    if found.extracted is not None and not isinstance(found.extracted, str):
        raise InputError(f"its verdict has {_shown(found.extracted)} as the answer; wanted is a text or None")
    score = None if found.score is None else _number(found.score)
    if isinstance(score, str) or (score is not None and not 0 <= score <= 1):
        raise InputError(f"its verdict has the score {found.score!r}; wanted is a number from 0 to 1")
    return {"outcome": Outcome(found.outcome).value, "extracted": found.extracted, "score": score}


def check_gold(name: str, gold: str) -> None:
    """Look at a gold answer; raises what the environment raises."""
    environment = _environment(name)
    environment.check_gold(getattr(environment, "name", name), gold)


def _is_environment(found: Any) -> bool:
    return isinstance(found, Environment) or (inspect.isclass(found) and issubclass(found, Environment))


@cache
def _environment(name: str) -> Environment[Any]:
    found: Any = load(name)
    if not _is_environment(found):
        raise InputError(f"it is {_shown(found)}; wanted is a class of rl_core.environments.environment.Environment")
    made: Any = found() if inspect.isclass(found) else found
    environment: Environment[Any] = made
    return environment


@cache
def load(name: str) -> Any:
    """What a name stands for: `file.py:member` of the copies, or `package.module:member`."""
    path = split_path(name)
    module = _of_file(str(path[0])) if path else importlib.import_module(name.partition(":")[0])
    found: Any = module
    for part in name.rpartition(":")[2].split("."):
        found = getattr(found, part)
    return found


@cache
def _of_file(place: str) -> Any:
    path = next(found for folder in sys.path if (found := Path(folder) / place).is_file())
    name = path.stem if path.stem not in sys.modules else f"own_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{place} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _function(name: str) -> tuple[Callable[..., Any], Mapping[str, inspect.Parameter]]:
    function = load(name)
    if inspect.isclass(function) or not callable(function):
        raise InputError(f"it is {_shown(function)}, no function")
    if inspect.iscoroutinefunction(function):
        raise InputError("it is an async function; write it with def")
    return function, inspect.signature(function).parameters


def _is_group(parameters: Mapping[str, inspect.Parameter]) -> bool:
    return not {*GROUP["response"], *GROUP["verdict"]}.isdisjoint(parameters)


def _named(names: Mapping[str, tuple[str, ...]], values: Mapping[str, Any]) -> dict[str, Any]:
    return {alias: value for key, value in values.items() for alias in names[key]}


def _wanted(parameters: Mapping[str, inspect.Parameter], given: Mapping[str, Any]) -> dict[str, Any]:
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return dict(given)
    return {name: value for name, value in given.items() if name in parameters}


def _verdict(verdict: dict[str, Any] | None) -> Verdict | None:
    return Verdict(**verdict | {"outcome": Outcome(verdict["outcome"])}) if verdict else None


def _number(value: Any) -> float | str:
    """A finite number, or what is wrong with it."""
    if isinstance(value, bool):
        return f"it returned {value}, a bool; wanted is a number: float(...)"
    if not isinstance(value, Real):
        return f"it returned {_shown(value)}; wanted is a number"
    number = float(value)
    return number if math.isfinite(number) else f"it returned {number}; wanted is a finite number"


def _shown(value: Any) -> str:
    text = repr(value)
    return "None" if value is None else f"{text if len(text) <= 40 else text[:40] + ' …'}, {_article(type(value).__name__)}"


def _article(word: str) -> str:
    return f"{'an' if word[:1].lower() in 'aeiou' else 'a'} {word}"


CALLS: dict[str, Callable[..., Any]] = {"describe": describe, "reward": reward, "judge": judge, "check_gold": check_gold}
