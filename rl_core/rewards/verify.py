"""From a response and the gold answer to a verdict, by task."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from rl_core.errors import InputError
from rl_core.outcome import Outcome
from rl_core.rewards import countdown, knights_knaves, mathematics, multiple_choice
from rl_core.rewards.extraction import extract_answer
from rl_core.rewards.readers import Reader
from rl_core.rewards.rules import NONE, Rule, Rules
from rl_core.rewards.simplified import is_simplified
from rl_core.rewards.verdict import Verdict

__all__ = ["TASKS", "OpenQuestion", "Verdict", "judged_by_text", "settle", "verify"]

# Mathematical tasks; true where the last number of a response without any marked answer counts as the answer.
_MATHEMATICS = {"math": False, "math500": False, "aime24": False, "amc23": False, "gsm8k": True}

_MULTIPLE_CHOICE = ("gpqa_diamond", "mmlu_pro")

TASKS = ("knights_knaves", "countdown", *_MATHEMATICS, *_MULTIPLE_CHOICE)


class OpenQuestion(NamedTuple):
    """What is left to decide by symbolic work: is `answer` equal to `gold`?"""

    gold: str
    answer: str

    def verdict(self, outcome: Outcome) -> Verdict:
        return Verdict(outcome, mathematics.canonical(self.answer))


def settle(task: str, response: str, gold: str, read: Reader | None = None, rules: Rules = NONE) -> Verdict | OpenQuestion:
    """Judge a response as far as that takes time linear in its length; safe in any process.

    A gold answer of mathematics that cannot be read is compared as a text, and the verdict says so.

    Args:
        read: finds the answer of a mathematical or multiple-choice task; a response in which it finds none has a format error. Default:
            the answer may stand in any of the usual places. Puzzles have one place for it, whatever `read` is.
        rules: what is judged otherwise than by default.

    Raises:
        InputError: the task has no verifier, or the gold answer is empty or not of its form.
    """
    if task == "knights_knaves":
        return knights_knaves.judge(response, gold, logic_rl=Rule.LOGIC_RL in rules)
    if task == "countdown":
        return countdown.judge(response, gold, tinyzero=Rule.TINYZERO in rules)
    if task in _MULTIPLE_CHOICE:
        return multiple_choice.judge(response, gold, read)
    if task not in _MATHEMATICS:
        raise InputError(f"no verifier for the task {task!r}; there is one for {', '.join(TASKS)}")
    by_text = judged_by_text(task, gold)
    answer = read(response) if read else extract_answer(response, any_number=_MATHEMATICS[task])
    if answer is None:
        return Verdict(Outcome.FORMAT_ERROR if read else Outcome.UNPARSEABLE, None, by_text=by_text)
    question = OpenQuestion(gold, answer)
    if by_text:
        return replace(question.verdict(mathematics.same_text(gold, answer)), by_text=True)
    if Rule.SIMPLIFIED in rules and not is_simplified(gold, answer):
        return question.verdict(Outcome.WRONG)
    outcome = mathematics.quick(gold, answer)
    return question if outcome is None else question.verdict(outcome)


def judged_by_text(task: str, gold: str) -> bool:
    """Whether a gold answer cannot be read, so that answers are compared with it as texts.

    Raises:
        InputError: it is empty.
    """
    if task not in _MATHEMATICS:
        return False
    if not gold.strip():
        raise InputError("the gold answer is empty and cannot be read; repair it or leave its problem out")
    return not mathematics.has_meaning(gold)


def verify(task: str, response: str, gold: str) -> Verdict:
    """Judge a response in whatever time and memory it takes; for untrusted answers in bulk use `rl_core.rewards.pool`.

    Raises:
        InputError: as `settle`.
    """
    found = settle(task, response, gold)
    return found.verdict(mathematics.equivalent(*found)) if isinstance(found, OpenQuestion) else found
