"""Rewards: small named components of a response and its verdict, combined by weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from rl_core.errors import InputError
from rl_core.nearest import nearest
from rl_core.outcome import Outcome
from rl_core.rewards.formats import (
    equation_format,
    mentions_box,
    reasoning_steps,
    reasoning_tag_count,
    reasoning_then_answer,
    tag_count,
    tags_in_order,
    tags_on_own_lines,
)
from rl_core.rewards.readers import Reader, answer_line, answer_tags, box_after_thinking, box_or_r1_tags
from rl_core.rewards.rules import Rule, Rules
from rl_core.rewards.spans import find_spans
from rl_core.rewards.verdict import Verdict


class Component(NamedTuple):
    """One part of a reward."""

    value: Callable[[str, Verdict], float]
    lowest: float  # what it gives when the verifier missed its deadline
    read: Reader | None = None  # where it wants the answer; None: in any of the usual places
    rule: Rule | None = None  # by which it wants the answer judged


@dataclass(frozen=True)
class Score:
    """The reward of one response; `components` are weighted and add up to it."""

    reward: float
    components: dict[str, float]
    verdict: Verdict


def _knights_knaves(response: str, verdict: Verdict) -> float:
    if verdict.outcome is Outcome.CORRECT:
        return 2.0
    return -2.0 if verdict.extracted is None else -1.5


def _knights_knaves_if_tagged(response: str, verdict: Verdict) -> float:
    return _knights_knaves(response, verdict) if tags_in_order(response) else 0.0


def _think_answer_format(response: str, verdict: Verdict) -> float:
    return 1.0 if tags_in_order(response) else -1.0


def _countdown(response: str, verdict: Verdict) -> float:
    if verdict.outcome is Outcome.CORRECT:
        return 1.0
    return 0.0 if find_spans(response).answer is None else 0.1


def _boxed_math(response: str, verdict: Verdict) -> float:
    if not mentions_box(response):
        return -1.0
    return 1.0 if verdict.outcome is Outcome.CORRECT else -0.5


def _accuracy(response: str, verdict: Verdict) -> float:
    return float(verdict.outcome is Outcome.CORRECT)


def _accuracy_unless_truncated(response: str, verdict: Verdict) -> float:
    return float(verdict.outcome is Outcome.CORRECT and not verdict.truncated)


def _signed_accuracy(response: str, verdict: Verdict) -> float:
    return 1.0 if verdict.outcome is Outcome.CORRECT else -1.0


def _whole_number(response: str, verdict: Verdict) -> float:
    answer = answer_tags(response) or ""
    return float(answer.isascii() and answer.isdigit())


def _of_text(value: Callable[[str], float]) -> Callable[[str, Verdict], float]:
    return lambda response, verdict: float(value(response))


COMPONENTS: dict[str, Component] = {
    # Logic-RL, verl/utils/reward_score/kk.py: the part of the answer, by a strict reading and by its own, and that of the format
    "knights_knaves": Component(_knights_knaves, -2.0),
    "knights_knaves_logic_rl": Component(_knights_knaves, -2.0, rule=Rule.LOGIC_RL),
    "think_answer_format": Component(_think_answer_format, -1.0),
    # simpleRL-reason's copy of that file, which does not look at the answer of a response without format
    "knights_knaves_if_tagged": Component(_knights_knaves_if_tagged, -2.0, rule=Rule.LOGIC_RL),
    # TinyZero, verl/utils/reward_score/countdown.py, with every way of writing an expression and with its own
    "countdown": Component(_countdown, 0.0),
    "countdown_tinyzero": Component(_countdown, 0.0, rule=Rule.TINYZERO),
    # nano-aha-moment, nano_r1_script.py: format_reward_func; its equation_reward_func is `accuracy` by the same rule as TinyZero's
    "equation_format": Component(_of_text(equation_format), 0.0, rule=Rule.TINYZERO),
    # simpleRL-reason v0, experience_maker.py
    "boxed_math": Component(_boxed_math, -1.0),
    # open-r1, src/open_r1/rewards.py
    "accuracy": Component(_accuracy, 0.0),
    "simplified_accuracy": Component(_accuracy, 0.0, rule=Rule.SIMPLIFIED),
    "tags_on_own_lines": Component(_of_text(tags_on_own_lines), 0.0),
    "tag_count": Component(_of_text(tag_count), 0.0),
    "reasoning_steps": Component(_of_text(reasoning_steps), 0.0),
    # oat-zero, train_zero_math.py: nothing for a response that the token limit cut off
    "oat_zero": Component(_accuracy_unless_truncated, 0.0, box_or_r1_tags),
    # DeepScaleR, deepscaler/rewards/math_reward.py
    "box_after_thinking": Component(_accuracy, 0.0, box_after_thinking),
    # DAPO, verl/utils/reward_score/math_dapo.py, which compares strings
    "answer_line": Component(_signed_accuracy, -1.0, answer_line, Rule.SIMPLIFIED),
    # Unsloth, the notebook of Qwen2.5 (3B) with GRPO; weights below
    "answer_in_tags": Component(_accuracy, 0.0, answer_tags),
    "whole_number": Component(_whole_number, 0.0),
    "reasoning_on_own_lines": Component(_of_text(lambda response: tags_on_own_lines(response, "reasoning")), 0.0),
    "reasoning_then_answer": Component(_of_text(reasoning_then_answer), 0.0),
    "reasoning_tag_count": Component(_of_text(reasoning_tag_count), 0.0),
}

PRESETS: dict[str, dict[str, float]] = {
    "logic_rl": {"knights_knaves_logic_rl": 1.0, "think_answer_format": 1.0},  # 3, -0.5, -1, -3
    "knights_knaves_format": {"knights_knaves": 1.0, "think_answer_format": 1.0},  # the same, by the strict reading
    "logic_rl_simplerl": {"knights_knaves_if_tagged": 1.0, "think_answer_format": 1.0},  # 3, -0.5, -1, -1
    "tinyzero": {"countdown_tinyzero": 1.0},  # 1, 0.1, 0
    "nano_aha": {"equation_format": 1.0, "accuracy": 1.0},
    "boxed_math": {"boxed_math": 1.0},  # 1, -0.5, -1
    "simplerl_zoo": {"accuracy": 1.0},  # hf_math_verify.py as the script wires it
    "open_r1": {"accuracy": 1.0, "tags_on_own_lines": 1.0, "tag_count": 1.0},
    "accuracy_format": {"accuracy": 1.0, "tags_on_own_lines": 1.0},
    "oat_zero": {"oat_zero": 1.0},
    "demystify": {"accuracy": 1.0},  # openrlhf/reward/classic.py; its cosine reward stands in its place: weight 0 beside that penalty
    "deepscaler": {"box_after_thinking": 1.0},
    "dapo": {"answer_line": 1.0},
    "unsloth_gsm8k": {
        "answer_in_tags": 2.0,
        "whole_number": 0.5,
        "reasoning_on_own_lines": 0.5,
        "reasoning_then_answer": 0.5,
        "reasoning_tag_count": 1.0,  # at most 0.5
    },
}


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
