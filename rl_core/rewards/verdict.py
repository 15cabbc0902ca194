"""What a verifier says about one response, or what it leaves open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from rl_core.outcome import Outcome
from rl_core.rewards.verifiers import mathematics


@dataclass(frozen=True)
class Verdict:
    """Outcome, and the answer in canonical form (equal answers compare equal as text); None when none could be read."""

    outcome: Outcome
    extracted: str | None
    truncated: bool = False  # the response was cut off by the token limit, whatever its outcome
    by_text: bool = False  # the gold answer cannot be read: the answer was compared with it as a text


class OpenQuestion(NamedTuple):
    """What is left to decide by symbolic work: is `answer` equal to `gold`?"""

    gold: str
    answer: str

    def verdict(self, outcome: Outcome) -> Verdict:
        return Verdict(outcome, mathematics.canonical(self.answer))
