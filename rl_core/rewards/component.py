"""What a part of a reward is."""

from collections.abc import Callable
from typing import NamedTuple

from rl_core.outcome import Outcome
from rl_core.rewards.readers import Reader
from rl_core.rewards.rules import Rule
from rl_core.rewards.verdict import Verdict


class Component(NamedTuple):
    """One part of a reward. A module of `components` names its parts in `COMPONENTS`, and weights of them in `PRESETS`."""

    value: Callable[[str, Verdict], float]
    lowest: float  # what it gives when the verifier missed its deadline
    read: Reader | None = None  # where it wants the answer; None: in any of the usual places
    rule: Rule | None = None  # by which it wants the answer judged
    answer_form: str | None = None  # how a worked response writes `{answer}` so that `read` finds it; None: in a box


def of_text(value: Callable[[str], float]) -> Callable[[str, Verdict], float]:
    """A part that does not look at the verdict."""
    return lambda response, verdict: float(value(response))


def accuracy(response: str, verdict: Verdict) -> float:
    """1 for a right answer, else 0."""
    return float(verdict.outcome is Outcome.CORRECT)
