"""Verdicts on many responses whose answers are looked for where a protocol says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from rl_core.errors import InputError
from rl_core.outcome import Outcome
from rl_core.rewards.extraction import last_boxed
from rl_core.rewards.pool import ScoreItem, ScoringPool
from rl_core.rewards.readers import Reader, answer_line, answer_tags, box_after_thinking, box_or_r1_tags
from rl_core.rewards.verdict import Verdict
from rl_core.rewards.verify import OpenQuestion, settle

LENIENT = "anywhere"
# Where a protocol looks for the answer; `anywhere` is the extraction that takes all usual places.
READERS: dict[str, Reader | None] = {
    LENIENT: None,
    "boxed": last_boxed,
    "box_after_thinking": box_after_thinking,
    "box_or_r1_tags": box_or_r1_tags,
    "answer_line": answer_line,
    "answer_tags": answer_tags,
}


def find_reader(name: str) -> Reader | None:
    """Raises InputError for an unknown name."""
    if name not in READERS:
        raise InputError(f"unknown reader {name!r}; there are {', '.join(READERS)}")
    return READERS[name]


def judge_later(pool: ScoringPool, items: Sequence[ScoreItem], read: Reader | None) -> Callable[[], list[Verdict]]:
    """Start judging; the call of what is returned waits for the verdicts, which are in the order of the items.

    Raises:
        InputError: a task without verifier, a broken gold answer.
    """
    if read is None:
        return pool.judge_later(items)
    found = [settle(item.task, item.response, item.gold, read) for item in items]
    # What needs symbolic work is asked again as a box: the place in which the pool's own extraction finds exactly this answer.
    asked = [index for index, entry in enumerate(found) if isinstance(entry, OpenQuestion)]
    answers = pool.judge_later([replace(items[index], response=_boxed(found[index])) for index in asked])

    def verdicts() -> list[Verdict]:
        known = dict(zip(asked, answers(), strict=True))
        return [
            known[index] if isinstance(entry, OpenQuestion) else _cut_off(item, entry)
            for index, (item, entry) in enumerate(zip(items, found, strict=True))
        ]

    return verdicts


def _boxed(question: Verdict | OpenQuestion) -> str:
    assert isinstance(question, OpenQuestion)
    return rf"\boxed{{{question.answer}}}"


def _cut_off(item: ScoreItem, verdict: Verdict) -> Verdict:
    if item.finish_reason == "length" and verdict.outcome is not Outcome.CORRECT:
        return replace(verdict, outcome=Outcome.TRUNCATED)
    return verdict
