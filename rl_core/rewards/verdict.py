"""What a verifier says about one response."""

from __future__ import annotations

from dataclasses import dataclass

from rl_core.outcome import Outcome


@dataclass(frozen=True)
class Verdict:
    """Outcome, and the answer in canonical form (equal answers compare equal as text); None when none could be read."""

    outcome: Outcome
    extracted: str | None
    truncated: bool = False  # the response was cut off by the token limit, whatever its outcome
    by_text: bool = False  # the gold answer cannot be read: the answer was compared with it as a text
