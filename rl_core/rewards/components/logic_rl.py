"""Logic-RL, verl/utils/reward_score/kk.py: the part of the answer, by a strict reading and by its own, and that of the format."""

from rl_core.outcome import Outcome
from rl_core.rewards.component import Component
from rl_core.rewards.formats import tags_in_order
from rl_core.rewards.rules import Rule
from rl_core.rewards.verdict import Verdict


def knights_knaves(response: str, verdict: Verdict) -> float:
    """2 for a right answer, -1.5 for a wrong one, -2 where there is none."""
    if verdict.outcome is Outcome.CORRECT:
        return 2.0
    return -2.0 if verdict.extracted is None else -1.5


def _think_answer_format(response: str, verdict: Verdict) -> float:
    return 1.0 if tags_in_order(response) else -1.0


COMPONENTS = {
    "knights_knaves": Component(knights_knaves, -2.0),
    "knights_knaves_logic_rl": Component(knights_knaves, -2.0, rule=Rule.LOGIC_RL),
    "think_answer_format": Component(_think_answer_format, -1.0),
}
PRESETS = {
    "logic_rl": {"knights_knaves_logic_rl": 1.0, "think_answer_format": 1.0},  # 3, -0.5, -1, -3
    "knights_knaves_format": {"knights_knaves": 1.0, "think_answer_format": 1.0},  # the same, by the strict reading
}
