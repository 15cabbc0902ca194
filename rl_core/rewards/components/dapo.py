"""DAPO, verl/utils/reward_score/math_dapo.py, which compares strings."""

from rl_core.outcome import Outcome
from rl_core.rewards.component import Component
from rl_core.rewards.readers import answer_line
from rl_core.rewards.rules import Rule
from rl_core.rewards.verdict import Verdict


def _signed_accuracy(response: str, verdict: Verdict) -> float:
    return 1.0 if verdict.outcome is Outcome.CORRECT else -1.0


COMPONENTS = {"answer_line": Component(_signed_accuracy, -1.0, answer_line, Rule.SIMPLIFIED, "Answer: {answer}")}
PRESETS = {"dapo": {"answer_line": 1.0}}
