"""From a response and the gold answer to a verdict, by task."""

from __future__ import annotations

from rl_core.environments.registry import environment_of
from rl_core.own_code.reference import is_own
from rl_core.rewards.readers import Reader
from rl_core.rewards.rules import NONE, Rules
from rl_core.rewards.verdict import Decision, OpenQuestion, Verdict


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
    return environment_of(task).judge(task, response, gold, read, rules)


def judged_by_text(task: str, gold: str) -> bool:
    """Whether a gold answer cannot be read, so that answers are compared with it as texts.

    Raises:
        InputError: it is empty, or the task has no verifier.
    """
    return environment_of(task).judged_by_text(task, gold)


def verify(task: str, response: str, gold: str) -> Verdict:
    """Judge a response in whatever time and memory it takes; for untrusted answers in bulk use `rl_core.rewards.pool`.

    Raises:
        InputError: as `settle`.
    """
    found = settle(task, response, gold)
    return verdict_of(found, decide(found)) if isinstance(found, OpenQuestion) else found


def decide(question: OpenQuestion) -> Decision:
    """Answer an open question, in whatever time and memory it takes."""
    return environment_of(question.task).decide(*question)


def verdict_of(question: OpenQuestion, decision: Decision) -> Verdict:
    """The verdict on an answer that was decided late."""
    if is_own(question.task):
        return Verdict(decision.outcome, decision.extracted, score=decision.score, error=decision.error)
    return Verdict(decision.outcome, environment_of(question.task).canonical(question.answer), score=decision.score)
