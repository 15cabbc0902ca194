"""A text that has to be given as it is."""

from __future__ import annotations

import re
import unicodedata

from pydantic import Field

from rl_core.config.base import Settings
from rl_core.config.data import TrainingData
from rl_core.environments.environment import Environment
from rl_core.errors import InputError
from rl_core.outcome import Outcome
from rl_core.rewards.extraction import after_thinking, extract_answer
from rl_core.rewards.readers import Reader
from rl_core.rewards.rules import Rules
from rl_core.rewards.run_on import own_answer
from rl_core.rewards.verdict import Verdict
from rl_core.rewards.verifiers.parameters import in_words, split_parameters

# What a box or bold type puts around a text.
_DRESS = (re.compile(r"\\(?:text\w*|mathrm|mathbf|mbox)\s*\{([^{}]*)\}"), re.compile(r"\*\*([^*]+)\*\*"))


class Parameters(Settings):
    """Which texts are equal."""

    ignore_case: bool = Field(False, description="Capital and small letters are the same.")
    ignore_spaces: bool = Field(False, description="White space carries no meaning; else runs of it are one blank.")


class Exact(Environment[TrainingData]):
    """Equality after Unicode's NFC and with white space made equal. A response without a marked answer is the answer as a whole."""

    name = "exact"
    parameters = Parameters

    def judge(self, task: str, response: str, gold: str, read: Reader | None, rules: Rules) -> Verdict:
        bare, parameters = split_parameters(gold, Parameters)
        expected = _plain(bare, parameters)
        if not expected:
            raise InputError("the gold answer is empty")
        final = after_thinking(own_answer(response)).strip()
        answer = read(response) if read else extract_answer(response) or final or None
        if answer is None:
            return Verdict(Outcome.FORMAT_ERROR if read else Outcome.UNPARSEABLE, None)
        # A gold text may hold what else marks an answer: "The answer is 4."
        given = {_plain(answer, parameters)} | (set() if read else {_plain(final, parameters)})
        return Verdict(Outcome.CORRECT if expected in given else Outcome.WRONG, self.canonical(answer))

    def canonical(self, answer: str) -> str | None:
        return _plain(answer, Parameters())

    def in_words(self, gold: str) -> str | None:
        return in_words(gold)


def _plain(text: str, parameters: Parameters) -> str:
    text = unicodedata.normalize("NFC", text).strip()
    for pattern in _DRESS:
        text = pattern.sub(r"\1", text)
    text = ("" if parameters.ignore_spaces else " ").join(text.split())
    return unicodedata.normalize("NFC", text.casefold()) if parameters.ignore_case else text


ENVIRONMENT = Exact()
