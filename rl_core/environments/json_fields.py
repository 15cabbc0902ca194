"""A JSON object whose fields have to agree with those of the gold one."""

from __future__ import annotations

import json
from typing import Any

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
from rl_core.rewards.verdict import Decision, OpenQuestion, Verdict
from rl_core.rewards.verifiers.json_fields import ABSENT, LONGEST, NoJson, at, last_object, parse_object, share_of_fields
from rl_core.rewards.verifiers.parameters import in_words, split_parameters


class Parameters(Settings):
    """What has to agree."""

    fields: list[str] = Field([], description="Keys that have to agree, `a.b` for b in a; default: all of the gold object.")
    tolerance: float = Field(0.0, ge=0, lt=1, description="Relative, of numbers.")


class JsonFields(Environment[TrainingData]):
    """The score is the share of fields that agree; correct is an object in which all do. Other keys and texts around it do not matter."""

    name = "json"
    parameters = Parameters

    def judge(self, task: str, response: str, gold: str, read: Reader | None, rules: Rules) -> Verdict | OpenQuestion:
        expected, parameters = _read_gold(gold)
        if read:
            answer = read(response)
        else:
            marked, final = extract_answer(response), after_thinking(own_answer(response)).strip()
            answer = marked if marked and "{" in marked else final
        if not answer or "{" not in answer or len(answer) > LONGEST:
            return Verdict(Outcome.FORMAT_ERROR if read and answer is None else Outcome.UNPARSEABLE, None)
        try:
            decision = _compare(expected, parse_object(answer), parameters)
        except NoJson:
            return OpenQuestion(task, gold, answer)  # there are other words around it
        return Verdict(decision.outcome, self.canonical(answer), score=decision.score)

    def decide(self, task: str, gold: str, answer: str) -> Decision:
        expected, parameters = _read_gold(gold)
        try:
            return _compare(expected, last_object(answer), parameters)
        except NoJson:
            return Decision(Outcome.UNPARSEABLE)

    def canonical(self, answer: str) -> str | None:
        try:
            return json.dumps(parse_object(answer), sort_keys=True, ensure_ascii=False)
        except NoJson:
            return " ".join(answer.split())

    def text_of(self, answer: Any) -> str:
        return json.dumps(answer, ensure_ascii=False) if isinstance(answer, dict) else super().text_of(answer)

    def in_words(self, gold: str) -> str | None:
        return in_words(gold)


def _compare(expected: dict[str, Any], found: dict[str, Any], parameters: Parameters) -> Decision:
    share = share_of_fields(expected, found, parameters.fields, parameters.tolerance)
    return Decision(Outcome.CORRECT if share == 1 else Outcome.WRONG, share)


def _read_gold(gold: str) -> tuple[dict[str, Any], Parameters]:
    bare, parameters = split_parameters(gold, Parameters)
    try:
        expected = parse_object(bare)
    except NoJson as error:
        raise InputError(f"the gold answer {bare[:80]!r} is no JSON object ({error})") from error
    if not expected:
        raise InputError("the gold answer is an object without fields")
    if missing := [field for field in parameters.fields if at(expected, field.split(".")) is ABSENT]:
        raise InputError(f"the gold object {bare[:80]!r} has no field {missing[0]!r}")
    return expected, parameters


ENVIRONMENT = JsonFields()
