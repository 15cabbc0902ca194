"""An answer that a regular expression has to match: the gold answer is the expression, or the recipe gives one for all."""

from __future__ import annotations

import re

from pydantic import Field

from rl_core.config.base import Settings
from rl_core.config.data import TrainingData
from rl_core.environments.environment import Environment
from rl_core.errors import InputError, first_line
from rl_core.outcome import Outcome
from rl_core.rewards.extraction import after_thinking, extract_answer
from rl_core.rewards.readers import Reader
from rl_core.rewards.rules import Rules
from rl_core.rewards.run_on import own_answer
from rl_core.rewards.verdict import Decision, OpenQuestion, Verdict
from rl_core.rewards.verifiers.parameters import in_words, split_parameters

ANSWER = "{answer}"


class Parameters(Settings):
    """What has to match what."""

    pattern: str = Field(
        "", description="For all problems; {answer} stands for the answer of a row, as a text. Default: the answer itself."
    )
    ignore_case: bool = Field(False, description="Capital and small letters are the same.")
    anywhere: bool = Field(
        False, description="It may match any part of what follows the thinking; else all of the marked answer, or of that whole text."
    )


class Regex(Environment[TrainingData]):
    """Python's `re`. Matching can take any time (`(a+)+b`), so it is left to a worker with a deadline."""

    name = "regex"
    parameters = Parameters

    def judge(self, task: str, response: str, gold: str, read: Reader | None, rules: Rules) -> Verdict | OpenQuestion:
        _, parameters = _compiled(gold)
        if parameters.anywhere:
            answer: str | None = after_thinking(own_answer(response)).strip()
        else:
            answer = read(response) if read else extract_answer(response) or after_thinking(own_answer(response)).strip()
        if not answer:
            return Verdict(Outcome.FORMAT_ERROR if read else Outcome.UNPARSEABLE, None)
        return OpenQuestion(task, gold, answer)

    def decide(self, task: str, gold: str, answer: str) -> Decision:
        pattern, parameters = _compiled(gold)
        matched = (pattern.search if parameters.anywhere else pattern.fullmatch)(answer)
        return Decision(Outcome.CORRECT if matched else Outcome.WRONG)

    def needs_answer(self, parameters: Settings) -> bool:
        pattern = parameters.model_dump()["pattern"]
        return not pattern or ANSWER in pattern

    def in_words(self, gold: str) -> str | None:
        return in_words(gold)


def _compiled(gold: str) -> tuple[re.Pattern[str], Parameters]:
    bare, parameters = split_parameters(gold, Parameters)
    text = parameters.pattern.replace(ANSWER, re.escape(bare)) if parameters.pattern else bare
    if not text:
        raise InputError("the gold answer is empty")
    try:
        return re.compile(text, re.IGNORECASE if parameters.ignore_case else 0), parameters
    except (re.error, OverflowError, RecursionError) as error:
        raise InputError(f"{text[:80]!r} is no regular expression: {first_line(error)}") from error


ENVIRONMENT = Regex()
