"""Rewards: small named components of a response and its verdict, combined by weights."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from rl_core.errors import InputError
from rl_core.outcome import Outcome
from rl_core.rewards.formats import mentions_box, reasoning_steps, tag_count, tags_in_order, tags_on_own_lines
from rl_core.rewards.verdict import Verdict


class Component(NamedTuple):
    """One part of a reward."""

    value: Callable[[str, Verdict], float]
    lowest: float  # what it gives when the verifier missed its deadline


@dataclass(frozen=True)
class Score:
    """The reward of one response; `components` are weighted and add up to it."""

    reward: float
    components: dict[str, float]
    verdict: Verdict


def _knights_knaves(response: str, verdict: Verdict) -> float:
    return {Outcome.CORRECT: 2.0, Outcome.WRONG: -1.5}.get(verdict.outcome, -2.0)


def _think_answer_format(response: str, verdict: Verdict) -> float:
    return 1.0 if tags_in_order(response) else -1.0


def _countdown(response: str, verdict: Verdict) -> float:
    return {Outcome.CORRECT: 1.0, Outcome.FORMAT_ERROR: 0.0, Outcome.TRUNCATED: 0.0}.get(verdict.outcome, 0.1)


def _boxed_math(response: str, verdict: Verdict) -> float:
    if not mentions_box(response):
        return -1.0
    return 1.0 if verdict.outcome is Outcome.CORRECT else -0.5


def _accuracy(response: str, verdict: Verdict) -> float:
    return float(verdict.outcome is Outcome.CORRECT)


def _tags_on_own_lines(response: str, verdict: Verdict) -> float:
    return float(tags_on_own_lines(response))


def _tag_count(response: str, verdict: Verdict) -> float:
    return tag_count(response)


def _reasoning_steps(response: str, verdict: Verdict) -> float:
    return reasoning_steps(response)


COMPONENTS: dict[str, Component] = {
    "knights_knaves": Component(_knights_knaves, -2.0),  # Logic-RL, answer part
    "think_answer_format": Component(_think_answer_format, -1.0),  # Logic-RL, format part
    "countdown": Component(_countdown, 0.0),  # TinyZero
    "boxed_math": Component(_boxed_math, -1.0),  # simpleRL-reason v0
    "accuracy": Component(_accuracy, 0.0),  # open-r1
    "tags_on_own_lines": Component(_tags_on_own_lines, 0.0),  # open-r1, format
    "tag_count": Component(_tag_count, 0.0),  # open-r1
    "reasoning_steps": Component(_reasoning_steps, 0.0),  # open-r1
}

PRESETS: dict[str, dict[str, float]] = {
    "logic_rl": {"knights_knaves": 1.0, "think_answer_format": 1.0},
    "tinyzero": {"countdown": 1.0},
    "boxed_math": {"boxed_math": 1.0},
    "open_r1": {"accuracy": 1.0, "tags_on_own_lines": 1.0, "tag_count": 1.0},
    "accuracy_format": {"accuracy": 1.0, "tags_on_own_lines": 1.0},
}


def resolve(reward: str | Mapping[str, float]) -> dict[str, float]:
    """Weights by component of a preset's name or of a mapping.

    Raises:
        InputError: an unknown name (the message offers the nearest) or a weight that is negative or not finite.
    """
    if isinstance(reward, str):
        if reward not in PRESETS:
            raise InputError(_unknown("reward preset", reward, PRESETS))
        return dict(PRESETS[reward])
    if not reward:
        raise InputError(f"a reward needs at least one component of {', '.join(COMPONENTS)}")
    for name, weight in reward.items():
        if name not in COMPONENTS:
            raise InputError(_unknown("reward component", name, COMPONENTS))
        if not (math.isfinite(weight) and weight >= 0):
            raise InputError(f"the weight of reward component {name!r} must be a finite number from 0 up, not {weight}")
    return dict(reward)


def _unknown(kind: str, name: str, known: Mapping[str, object]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"unknown {kind} {name!r}; " + (f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}")


def score(weights: Mapping[str, float], response: str, verdict: Verdict) -> Score:
    """Weighted components of a response. After a missed deadline each component gives its lowest value."""
    timed_out = verdict.outcome is Outcome.TIMEOUT
    components = {
        name: weight * (COMPONENTS[name].lowest if timed_out else COMPONENTS[name].value(response, verdict))
        for name, weight in weights.items()
    }
    return Score(math.fsum(components.values()), components, verdict)
