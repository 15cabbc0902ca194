"""Mathematical problems with a short answer, of public sets (`rl_core.data.math_sets`)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from rl_core.config.base import Added
from rl_core.config.data import WorkedResponses
from rl_core.data import math_sets
from rl_core.data.prompts import DataError
from rl_core.data.splits import first_of
from rl_core.environments.environment import Config, Environment, Problems
from rl_core.errors import InputError
from rl_core.outcome import Outcome
from rl_core.rewards.extraction import extract_answer
from rl_core.rewards.readers import Reader
from rl_core.rewards.rules import Rule, Rules
from rl_core.rewards.verdict import Decision, OpenQuestion, Verdict
from rl_core.rewards.verifiers import mathematics
from rl_core.rewards.verifiers.simplified import is_simplified

_NUMBER = re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:/[0-9]+)?")


class Mathematical(Environment[Config]):
    """A family whose answers are numbers or formulas."""

    public = True
    worker_imports = ("math_verify",)
    numeric: tuple[str, ...] = ()  # tasks whose answers are plain numbers
    takes_whole_solutions: ClassVar[bool] = False
    any_number = False  # whether the last number of a response without any marked answer counts as the answer

    def judge(self, task: str, response: str, gold: str, read: Reader | None, rules: Rules) -> Verdict | OpenQuestion:
        by_text = self.judged_by_text(task, gold)
        answer = read(response) if read else extract_answer(response, any_number=self.any_number)
        if answer is None:
            return Verdict(Outcome.FORMAT_ERROR if read else Outcome.UNPARSEABLE, None, by_text=by_text)
        if by_text:
            return Verdict(mathematics.same_text(gold, answer), self.canonical(answer), by_text=True)
        if Rule.SIMPLIFIED in rules and not is_simplified(gold, answer):
            return Verdict(Outcome.WRONG, self.canonical(answer))
        outcome = mathematics.quick(gold, answer)
        return OpenQuestion(task, gold, answer) if outcome is None else Verdict(outcome, self.canonical(answer))

    def decide(self, task: str, gold: str, answer: str) -> Decision:
        return Decision(mathematics.equivalent(gold, answer))

    def canonical(self, answer: str) -> str | None:
        return mathematics.canonical(answer)

    def judged_by_text(self, task: str, gold: str) -> bool:
        if not gold.strip():
            raise InputError("the gold answer is empty and cannot be read; repair it or leave its problem out")
        return not mathematics.has_meaning(gold)

    def check_gold(self, task: str, gold: str) -> None:
        """A formula that cannot be read is not refused: answers are compared with it as texts."""
        if task in self.numeric and not _NUMBER.fullmatch(gold):
            raise InputError("it is no number")
        super().check_gold(task, gold)


class MathData(WorkedResponses):
    """Mathematical problems with a short answer, of one public set."""

    task: Literal["math"] = Field("math", description="The family of problems.")
    dataset: str = Field(description="A set of rl_core/data/math_sets.py: math, simplerl_8k, deepscaler, dapo, open_r1, aime.")
    levels: list[Annotated[int, Field(ge=1, le=5)]] | None = Field(
        None, min_length=1, description="Only problems of these levels, for sets that have them; default: all."
    )
    unreadable_golds: Annotated[Literal["keep", "drop", "refuse"], Added()] = Field(
        "keep",
        description="Problems whose answer cannot be read as mathematics; `keep`: compare responses with its text, and count them; "
        "`refuse`: stop and name one.",
    )
    train: int | None = Field(None, ge=1, description="Use only the first rows of a seeded shuffle; default: all.")
    test: int = Field(0, ge=0, description="Held-out problems, chosen by digest: the same whatever the seed.")


class Math(Mathematical[MathData]):
    name = "math"
    tasks = ("math500", "aime24", "amc23")
    numeric = ("aime24", "amc23")
    settings = MathData

    def check(self, config: MathData) -> None:
        math_sets.check(config.dataset, config.levels)

    def inputs(self, config: MathData, data_dir: Path | None) -> list[Path]:
        self.check(config)
        file = math_sets.local_file(config.dataset, data_dir)
        return [file] if file else []

    def problems(self, config: MathData, data_dir: Path | None, seed: int) -> Problems:
        prompts, left_out, contradicting = math_sets.load(
            config.dataset, config.levels, data_dir, bare_answers=config.bare_answers, answer_form=config.answer_form
        )
        if config.unreadable_golds != "keep":
            readable = [prompt for prompt in prompts if not self.judged_by_text(prompt.task, prompt.gold)]
            if config.unreadable_golds == "refuse" and len(readable) < len(prompts):
                first = next(prompt for prompt in prompts if self.judged_by_text(prompt.task, prompt.gold))
                count = len(prompts) - len(readable)
                raise DataError(
                    f"set {config.dataset!r}: {count:,} answers cannot be read, such as {first.gold[:80]!r} of {first.question[:60]!r}; "
                    "repair them, or set unreadable_golds: drop, or keep"
                )
            left_out += len(prompts) - len(readable)
            prompts = readable
        held_out = {prompt.prompt_id for prompt in sorted(prompts, key=lambda prompt: prompt.prompt_id)[: config.test]}
        train = [prompt for prompt in prompts if prompt.prompt_id not in held_out]
        test = [prompt for prompt in prompts if prompt.prompt_id in held_out]
        return Problems(first_of(train, config.train, "train", seed), test, left_out, contradicting)

    def lenient(self, config: MathData) -> MathData:
        return config.model_copy(update={"unreadable_golds": "keep"})

    def training_rows(self, config: MathData) -> int:
        there = math_sets.size_of_set(config.dataset, config.levels) - config.test
        return min(config.train or there, there)

    def set_name(self, config: MathData) -> str:
        return config.dataset

    def sets_in(self, data_dir: Path) -> list[str]:
        return [name for name, found in math_sets.MATH_SETS.items() if found.find(data_dir)]

    def smoke(self, answer_form: str) -> dict[str, Any]:
        return {"bare_answers": True, "answer_form": answer_form}


ENVIRONMENT = Math()
