"""Rules of judging that differ from those of this project, by name: of published rewards, or stricter ones."""

from enum import StrEnum


class Rule(StrEnum):
    """A rule that a reward, a protocol or an evaluation may set; what counts without any is in the README of this folder."""

    SIMPLIFIED = "simplified"  # mathematics: what is still to be calculated is no answer (`simplified`)
    LOGIC_RL = "logic_rl"  # Knights and Knaves as Logic-RL's reward reads it
    TINYZERO = "tinyzero"  # Countdown as TinyZero's reward reads it


Rules = frozenset[Rule]
NONE: Rules = frozenset()
