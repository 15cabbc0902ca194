"""Rewards: small named components of a response and its verdict, combined by weights."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import ModuleType

from rl_core.config.own_files import by_name
from rl_core.errors import InputError
from rl_core.nearest import nearest
from rl_core.outcome import Outcome
from rl_core.own_code.processes import Failure
from rl_core.own_code.reference import is_own
from rl_core.registry import modules_of
from rl_core.rewards import components
from rl_core.rewards.component import Component
from rl_core.rewards.readers import Reader
from rl_core.rewards.rules import Rules
from rl_core.rewards.verdict import Verdict


@dataclass(frozen=True)
class Score:
    """The reward of one response; `components` are weighted and add up to it. A function of a user's own that failed is in `failures`."""

    reward: float
    components: dict[str, float]
    verdict: Verdict
    failures: dict[str, Failure] = field(default_factory=dict)


def of_modules(modules: Iterable[ModuleType]) -> tuple[dict[str, Component], dict[str, dict[str, float]]]:
    """Components and presets by name.

    Raises:
        TypeError: two modules give one name, or a preset weighs what is no component.
    """
    found: dict[str, Component] = {}
    presets: dict[str, dict[str, float]] = {}
    homes: dict[tuple[str, str], str] = {}
    for module in modules:
        for kind, known in (("COMPONENTS", found), ("PRESETS", presets)):
            for name, entry in getattr(module, kind, {}).items():
                if name in known:
                    raise TypeError(f"{module.__name__}: the reward {name!r} is that of {homes[kind, name]}, too; rename one of them")
                known[name], homes[kind, name] = entry, module.__name__
    for preset, weights in presets.items():
        if unknown := weights.keys() - found.keys():
            raise TypeError(f"{homes['PRESETS', preset]}: no component {min(unknown)!r} for the preset {preset!r}")
    return found, presets


COMPONENTS, PRESETS = of_modules(modules_of(components))


def resolve(reward: str | Mapping[str, float]) -> dict[str, float]:
    """Weights by component of a preset's name, of one component's name or of a mapping. A function of a user's own is a component.

    Raises:
        InputError: an unknown name (the message offers the nearest), a weight that is negative or not finite, or components that look for
            the answer in different places.
    """
    if isinstance(reward, str):
        if reward not in PRESETS and reward not in COMPONENTS and not is_own(reward):
            raise InputError(
                f"unknown reward {reward!r}; {nearest(reward, [*PRESETS, *(name for name in COMPONENTS if name not in PRESETS)])}"
            )
        return dict(PRESETS.get(reward, {reward: 1.0}))
    if not reward:
        raise InputError(f"a reward needs at least one component of {', '.join(COMPONENTS)}")
    for name, weight in reward.items():
        if name not in COMPONENTS and not is_own(name):
            raise InputError(f"unknown reward component {name!r}; {nearest(name, COMPONENTS)}")
        if not (math.isfinite(weight) and weight >= 0):
            raise InputError(f"the weight of reward component {name!r} must be a finite number from 0 up, not {weight}")
    if len({by_name(name) for name in reward}) < len(reward):
        raise InputError(f"two reward functions are called {_twice(map(by_name, reward))!r}; rename the file of one of them")
    readers = [name for name in built_in(reward) if COMPONENTS[name].read]
    if len({COMPONENTS[name].read for name in readers}) > 1:
        raise InputError(f"the reward components {' and '.join(readers)} look for the answer in different places; keep one of them")
    return dict(reward)


def _twice(names: Iterable[str]) -> str:
    return Counter(names).most_common(1)[0][0]


def own_functions(components: Iterable[str]) -> list[str]:
    """Those of the components that are functions of a user's own."""
    return [name for name in components if is_own(name)]


def built_in(components: Iterable[str]) -> list[str]:
    """The others."""
    return [name for name in components if not is_own(name)]


def reader(components: Mapping[str, float]) -> Reader | None:
    """Where the components of a reward want the answer, for `verify.settle`; at most one of them asks (see `resolve`)."""
    return next((found for name in built_in(components) if (found := COMPONENTS[name].read)), None)


def answer_form(components: Mapping[str, float]) -> str | None:
    """How a worked response writes `{answer}` so that the components of a reward find it; None: they ask for nothing but a box."""
    return next((found for name in built_in(components) if (found := COMPONENTS[name].answer_form)), None)


def rules_of(components: Mapping[str, float]) -> Rules:
    """The rules by which the components of a reward want the answer judged; they hold for all of its components, as the reader does."""
    return frozenset(rule for name in built_in(components) if (rule := COMPONENTS[name].rule))


def score(
    weights: Mapping[str, float],
    response: str,
    verdict: Verdict,
    own: Mapping[str, float | Failure] | None = None,
    failed: float | None = None,
) -> Score:
    """Weighted components of a response. After a missed deadline of the verifier each component of ours gives its lowest value.

    Args:
        own: what functions of a user's own gave.
        failed: what one counts as that failed; None: it is no component of the score.
    """
    timed_out = verdict.outcome is Outcome.TIMEOUT
    values = {name: COMPONENTS[name].lowest if timed_out else COMPONENTS[name].value(response, verdict) for name in built_in(weights)}
    if verdict.error:
        values = {} if failed is None else dict.fromkeys(values, failed)
    failures = {name: found for name, found in (own or {}).items() if isinstance(found, Failure)}
    for name, found in (own or {}).items():
        if (value := failed if isinstance(found, Failure) else found) is not None:
            values[name] = value
    components = {name: weight * values[name] for name, weight in weights.items() if name in values}
    return Score(math.fsum(components.values()), components, verdict, failures)
