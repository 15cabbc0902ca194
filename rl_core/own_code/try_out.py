"""Reward functions of a user's own on one prompt, before anything is trained."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from rl_core.data.prompts import Prompt
from rl_core.errors import InputError
from rl_core.rewards.pool import ScoreItem, ScoringPool


def try_out(names: Sequence[str], code: Sequence[Path], deadline: float, prompt: Prompt | None) -> None:
    """Load functions, and call each for a group of two equal answers to a prompt, if there is one: its worked response, or its gold answer.

    Raises:
        InputError: one cannot be loaded or fails.
    """
    with ScoringPool(1, deadline, code) as pool:
        pool.own.load(names)
        if prompt is None:
            return
        response = prompt.trace or rf"The answer is \boxed{{{prompt.gold}}}."
        items = [ScoreItem(prompt.task, response, prompt.gold, prompt=prompt.question, info=prompt.info)] * 2
        scores = pool.score(items, dict.fromkeys(names, 1.0))
        for name, failure in ((name, failure) for score in scores for name, failure in score.failures.items()):
            pool.tell()
            print(failure.trace, end="", file=sys.stderr, flush=True)
            raise InputError(f"{name}: {failure.why}; called with {response[:60]!r} as an answer to {prompt.question[:60]!r}")
