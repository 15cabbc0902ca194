"""TinyZero, verl/utils/reward_score/countdown.py: with every way of writing an expression, and with its own."""

from rl_core.outcome import Outcome
from rl_core.rewards.component import Component
from rl_core.rewards.rules import Rule
from rl_core.rewards.spans import find_spans
from rl_core.rewards.verdict import Verdict


def _countdown(response: str, verdict: Verdict) -> float:
    if verdict.outcome is Outcome.CORRECT:
        return 1.0
    return 0.0 if find_spans(response).answer is None else 0.1


COMPONENTS = {
    "countdown": Component(_countdown, 0.0),
    "countdown_tinyzero": Component(_countdown, 0.0, rule=Rule.TINYZERO),
}
PRESETS = {"tinyzero": {"countdown_tinyzero": 1.0}}  # 1, 0.1, 0
