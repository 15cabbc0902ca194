"""oat-zero, train_zero_math.py: nothing for a response that the token limit cut off."""

from rl_core.outcome import Outcome
from rl_core.rewards.component import Component
from rl_core.rewards.readers import box_or_r1_tags
from rl_core.rewards.verdict import Verdict


def _accuracy_unless_truncated(response: str, verdict: Verdict) -> float:
    return float(verdict.outcome is Outcome.CORRECT and not verdict.truncated)


COMPONENTS = {"oat_zero": Component(_accuracy_unless_truncated, 0.0, box_or_r1_tags)}
PRESETS = {"oat_zero": {"oat_zero": 1.0}}
