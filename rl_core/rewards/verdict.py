"""What a verifier says about one response, or what it leaves open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from rl_core.outcome import Outcome


@dataclass(frozen=True)
class Verdict:
    """Outcome, and the answer in canonical form (equal answers compare equal as text); None when none could be read."""

    outcome: Outcome
    extracted: str | None
    truncated: bool = False  # the response was cut off by the token limit, whatever its outcome
    by_text: bool = False  # the gold answer cannot be read: the answer was compared with it as a text
    by_judge: bool = False  # a judge has overturned what the rules say
    score: float | None = None  # from 0 to 1, where a family gives credit for a part
    error: str | None = None  # why a verifier of a user's own gave no verdict; its outcome is `timeout` then


class OpenQuestion(NamedTuple):
    """What is left to decide in a process that may be killed at its deadline: is `answer` right, by `gold`? See `Environment.decide`."""

    task: str
    gold: str
    answer: str


class Decision(NamedTuple):
    """The answer to an open question."""

    outcome: Outcome
    score: float | None = None  # as in a verdict
    extracted: str | None = None  # of a verifier of a user's own, as is `error`
    error: str | None = None
