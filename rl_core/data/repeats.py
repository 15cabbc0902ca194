"""Problems that come again in a set."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from rl_core.data.prompts import Prompt
from rl_core.outcome import Outcome
from rl_core.rewards.verdict import Verdict
from rl_core.rewards.verifiers.parameters import bare_gold


class Different(NamedTuple):
    """The different problems of a set in its order."""

    prompts: list[Prompt]
    repeated: int  # problems that came before
    contradicting: int  # of these, with another answer


def without_repeats(prompts: Iterable[Prompt]) -> Different:
    """Of a problem that comes again the first one counts; problems are equal where question and earlier messages are."""
    first: dict[tuple[str, str | None], Prompt] = {}
    repeated = contradicting = 0
    for prompt in prompts:
        known = first.setdefault((prompt.question, prompt.messages), prompt)
        if known is not prompt:
            repeated += 1
            contradicting += known.gold != prompt.gold and contradicts(prompt.task, prompt.gold, known.gold)
    return Different(list(first.values()), repeated, contradicting)


def contradicts(task: str, answer: str, gold: str) -> bool:
    """Whether two golds differ; what only long work could tell is no contradiction."""
    from rl_core.rewards.verify import settle  # which needs the families, and they this

    judged = settle(task, f"\\boxed{{{bare_gold(answer)}}}", gold)
    return isinstance(judged, Verdict) and judged.outcome is not Outcome.CORRECT
