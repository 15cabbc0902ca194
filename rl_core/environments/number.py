"""A number, within a tolerance."""

from __future__ import annotations

from fractions import Fraction

from pydantic import Field

from rl_core.config.base import Settings
from rl_core.config.data import TrainingData
from rl_core.environments.environment import Environment
from rl_core.errors import InputError
from rl_core.outcome import Outcome
from rl_core.rewards.extraction import extract_answer
from rl_core.rewards.readers import Reader
from rl_core.rewards.rules import Rules
from rl_core.rewards.verdict import Verdict
from rl_core.rewards.verifiers.numbers import Number, agree, read_number
from rl_core.rewards.verifiers.parameters import in_words, split_parameters


class Parameters(Settings):
    """How far an answer may be from the gold one; the larger of both allowances counts."""

    tolerance: float = Field(0.0, ge=0, lt=1, description="Relative: 0.01 is one percent of the gold number.")
    absolute: float = Field(0.0, ge=0, description="Absolute difference.")


class NumberEnvironment(Environment[TrainingData]):
    name = "number"
    parameters = Parameters

    def judge(self, task: str, response: str, gold: str, read: Reader | None, rules: Rules) -> Verdict:
        expected, parameters = _read_gold(gold)
        answer = read(response) if read else extract_answer(response) or extract_answer(response, any_number=True)
        if answer is None:
            return Verdict(Outcome.FORMAT_ERROR if read else Outcome.UNPARSEABLE, None)
        found = read_number(answer)
        if found is None:
            return Verdict(Outcome.UNPARSEABLE, None)
        relative, absolute = (Fraction(str(value)) for value in (parameters.tolerance, parameters.absolute))
        right = agree(expected, found, relative, absolute)
        return Verdict(Outcome.CORRECT if right else Outcome.WRONG, f"{found.value * 100}%" if found.percent else str(found.value))

    def check_gold(self, task: str, gold: str) -> None:
        _read_gold(gold)

    def in_words(self, gold: str) -> str | None:
        return in_words(gold)


def _read_gold(gold: str) -> tuple[Number, Parameters]:
    bare, parameters = split_parameters(gold, Parameters)
    expected = read_number(bare)
    if expected is None:
        raise InputError(f"the gold answer {bare[:80]!r} is no number")
    return expected, parameters


ENVIRONMENT = NumberEnvironment()
