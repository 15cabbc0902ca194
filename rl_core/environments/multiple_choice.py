"""Questions whose answer is the letter of an option."""

from __future__ import annotations

from rl_core.config.data import TrainingData
from rl_core.environments.environment import Environment
from rl_core.rewards.readers import Reader
from rl_core.rewards.rules import Rules
from rl_core.rewards.verdict import Verdict
from rl_core.rewards.verifiers import multiple_choice


class MultipleChoice(Environment[TrainingData]):
    name = "multiple_choice"
    tasks = ("gpqa_diamond", "mmlu_pro")

    def judge(self, task: str, response: str, gold: str, read: Reader | None, rules: Rules) -> Verdict:
        return multiple_choice.judge(response, gold, read)


ENVIRONMENT = MultipleChoice()
