"""Questions whose answer is the letter of an option."""

from __future__ import annotations

from typing import Any

from rl_core.config.data import TrainingData
from rl_core.environments.environment import Environment
from rl_core.errors import InputError
from rl_core.rewards.readers import Reader
from rl_core.rewards.rules import Rules
from rl_core.rewards.verdict import Verdict
from rl_core.rewards.verifiers import multiple_choice


class MultipleChoice(Environment[TrainingData]):
    name = "multiple_choice"
    tasks = ("choice", "gpqa_diamond", "mmlu_pro")

    def judge(self, task: str, response: str, gold: str, read: Reader | None, rules: Rules) -> Verdict:
        return multiple_choice.judge(response, gold, read)

    def gold_of(self, answer: Any) -> str:
        try:
            return multiple_choice.letter_of(answer)
        except ValueError as error:
            raise InputError(f"{error}: a letter from A to J is wanted, or its place as a number from 0") from error


ENVIRONMENT = MultipleChoice()
