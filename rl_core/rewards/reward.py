"""Rewards: small named components of a response and its verdict, combined by weights."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import ModuleType

from rl_core.errors import InputError
from rl_core.nearest import nearest
from rl_core.outcome import Outcome
from rl_core.registry import modules_of
from rl_core.rewards import components
from rl_core.rewards.component import Component
from rl_core.rewards.readers import Reader
from rl_core.rewards.rules import Rules
from rl_core.rewards.verdict import Verdict


@dataclass(frozen=True)
class Score:
    """The reward of one response; `components` are weighted and add up to it."""

    reward: float
    components: dict[str, float]
    verdict: Verdict


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
    """Weights by component of a preset's name, of one component's name or of a mapping.

    Raises:
        InputError: an unknown name (the message offers the nearest), a weight that is negative or not finite, or components that look for
            the answer in different places.
    """
    if isinstance(reward, str):
        if reward not in PRESETS and reward not in COMPONENTS:
            raise InputError(
                f"unknown reward {reward!r}; {nearest(reward, [*PRESETS, *(name for name in COMPONENTS if name not in PRESETS)])}"
            )
        return dict(PRESETS.get(reward, {reward: 1.0}))
    if not reward:
        raise InputError(f"a reward needs at least one component of {', '.join(COMPONENTS)}")
    for name, weight in reward.items():
        if name not in COMPONENTS:
            raise InputError(f"unknown reward component {name!r}; {nearest(name, COMPONENTS)}")
        if not (math.isfinite(weight) and weight >= 0):
            raise InputError(f"the weight of reward component {name!r} must be a finite number from 0 up, not {weight}")
    readers = [name for name in reward if COMPONENTS[name].read]
    if len({COMPONENTS[name].read for name in readers}) > 1:
        raise InputError(f"the reward components {' and '.join(readers)} look for the answer in different places; keep one of them")
    return dict(reward)


def reader(components: Mapping[str, float]) -> Reader | None:
    """Where the components of a reward want the answer, for `verify.settle`; at most one of them asks (see `resolve`)."""
    return next((found for name in components if (found := COMPONENTS[name].read)), None)


def answer_form(components: Mapping[str, float]) -> str | None:
    """How a worked response writes `{answer}` so that the components of a reward find it; None: they ask for nothing but a box."""
    return next((found for name in components if (found := COMPONENTS[name].answer_form)), None)


def rules_of(components: Mapping[str, float]) -> Rules:
    """The rules by which the components of a reward want the answer judged; they hold for all of its components, as the reader does."""
    return frozenset(rule for name in components if (rule := COMPONENTS[name].rule))


def score(weights: Mapping[str, float], response: str, verdict: Verdict) -> Score:
    """Weighted components of a response. After a missed deadline each component gives its lowest value."""
    timed_out = verdict.outcome is Outcome.TIMEOUT
    components = {
        name: weight * (COMPONENTS[name].lowest if timed_out else COMPONENTS[name].value(response, verdict))
        for name, weight in weights.items()
    }
    return Score(math.fsum(components.values()), components, verdict)
