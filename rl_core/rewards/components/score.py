"""Credit for a part of an answer, for families whose verdicts have it."""

from __future__ import annotations

from rl_core.outcome import Outcome
from rl_core.rewards.component import Component
from rl_core.rewards.verdict import Verdict


def score(response: str, verdict: Verdict) -> float:
    """The score of the verdict, from 0 to 1; where a family gives none, 1 for a right answer, else 0."""
    return float(verdict.outcome is Outcome.CORRECT) if verdict.score is None else verdict.score


COMPONENTS = {"score": Component(score, 0.0)}
