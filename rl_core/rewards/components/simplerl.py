"""simpleRL-reason: of v0 experience_maker.py and its copy of Logic-RL's kk.py; of simpleRL-Zoo hf_math_verify.py as its script wires it."""

from rl_core.outcome import Outcome
from rl_core.rewards.component import Component
from rl_core.rewards.components.logic_rl import knights_knaves
from rl_core.rewards.formats import tags_in_order
from rl_core.rewards.rules import Rule
from rl_core.rewards.verdict import Verdict


def _knights_knaves_if_tagged(response: str, verdict: Verdict) -> float:
    # The copy does not look at the answer of a response without format.
    return knights_knaves(response, verdict) if tags_in_order(response) else 0.0


def mentions_box(response: str) -> bool:
    """Whether a boxed answer was at least attempted (simpleRL-reason v0)."""
    return "boxed" in response


def _boxed_math(response: str, verdict: Verdict) -> float:
    if not mentions_box(response):
        return -1.0
    return 1.0 if verdict.outcome is Outcome.CORRECT else -0.5


COMPONENTS = {
    "knights_knaves_if_tagged": Component(_knights_knaves_if_tagged, -2.0, rule=Rule.LOGIC_RL),
    "boxed_math": Component(_boxed_math, -1.0),
}
PRESETS = {
    "logic_rl_simplerl": {"knights_knaves_if_tagged": 1.0, "think_answer_format": 1.0},  # 3, -0.5, -1, -1
    "boxed_math": {"boxed_math": 1.0},  # 1, -0.5, -1
    "simplerl_zoo": {"accuracy": 1.0},
}
