"""The data sets of reasoning-gym (Stojanovski et al., arXiv 2505.24760) by name, with its own settings, curricula and scorers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from rl_core.config.base import Added, Settings
from rl_core.config.data import TrainingData
from rl_core.data.prompts import DataError, Prompt
from rl_core.data.splits import HELD_OUT_SEED, Split, seed_of
from rl_core.environments.environment import Environment, Problems
from rl_core.environments.reasoning_gym_problems import Made, Part, Wanted, make, settings_of
from rl_core.errors import InputError
from rl_core.nearest import nearest
from rl_core.outcome import Outcome
from rl_core.rewards.extraction import extract_answer
from rl_core.rewards.readers import Reader, answer_tags
from rl_core.rewards.rules import Rules
from rl_core.rewards.verdict import Decision, OpenQuestion, Verdict
from rl_core.rewards.verifiers import reasoning_gym

TASK = "reasoning_gym"
PROBLEMS = 500  # of a benchmark that does not say how many: reasoning-gym's own default
LONGEST = 10_000  # characters of an answer that is counted for maj@k
TAGS = "<think>\n</think>\n<answer>{answer}</answer>"


class Options(Settings):
    """Settings of the benchmark."""

    dataset: Annotated[str | None, Added()] = Field(None, description="reasoning_gym only: the data set, such as chain_sum.")
    config: Annotated[dict[str, Any] | None, Added()] = Field(None, description="reasoning_gym only: as in a data stage.")
    attribute_levels: Annotated[dict[str, int] | None, Added()] = Field(None, description="reasoning_gym only: as in a data stage.")
    size: Annotated[int | None, Added()] = Field(None, ge=1, description=f"reasoning_gym only: how many problems; default {PROBLEMS}.")


class ReasoningGymData(TrainingData):
    """Problems of one or several data sets of reasoning-gym; train and test never share a question."""

    task: Literal["reasoning_gym"] = Field("reasoning_gym", description="The family of problems.")
    dataset: str | dict[str, Annotated[float, Field(gt=0)]] = Field(
        description="A data set by reasoning-gym's name, such as leg_counting; several with their weights: {leg_counting: 2, chain_sum: 1}."
    )
    config: dict[str, Any] = Field(
        {}, description="Its settings, by reasoning-gym's names, such as {min_animals: 3}; of several: {leg_counting: {min_animals: 3}}."
    )
    attribute_levels: dict[str, Any] = Field(
        {},
        description="Levels of its curriculum by attribute, from 0 up, such as {num_animals: 2}; `*`: of all. Other attributes are at "
        "0, and `config` comes before all of them. Of several: {leg_counting: {num_animals: 2}}.",
    )
    answer_form: str = Field(
        TAGS, pattern=r"\{answer\}", description="The worked response, without reasoning, for SFT; {answer} stands for the answer."
    )
    train: int = Field(1000, ge=1, description="Training problems.")
    test: int = Field(100, ge=0, description="Held-out problems: the same whatever the seed.")


class ReasoningGym(Environment[ReasoningGymData]):
    name = TASK
    label = "reasoning-gym"
    made_to_order = True
    settings = ReasoningGymData
    is_benchmark = True
    options = Options
    limit_per_part = True  # no more problems are made than are wanted
    worker_imports = ("reasoning_gym",)

    def judge(self, task: str, response: str, gold: str, read: Reader | None, rules: Rules) -> Verdict | OpenQuestion:
        """The answer is the inside of the last `<answer>`, as reasoning-gym reads it; without one, the answer in any other usual place."""
        answer = read(response) if read else answer_tags(response) or extract_answer(response)
        if not answer:
            reasoning_gym.read_gold(gold)
            return Verdict(Outcome.FORMAT_ERROR if read else Outcome.UNPARSEABLE, None, score=0.0)
        return OpenQuestion(task, gold, answer)

    def decide(self, task: str, gold: str, answer: str) -> Decision:
        score = reasoning_gym.score(gold, answer)
        return Decision(Outcome.CORRECT if score >= 1 else Outcome.WRONG, score)

    def canonical(self, answer: str) -> str | None:
        return answer if len(answer) <= LONGEST else None

    def in_words(self, gold: str) -> str | None:
        try:
            answer = reasoning_gym.read_gold(gold)["answer"]
        except InputError:
            return None
        return "any that its scorer accepts" if answer is None else str(answer)

    def check(self, config: ReasoningGymData) -> None:
        for part in _parts(config):
            settings_of(part)

    def problems(self, config: ReasoningGymData, data_dir: Path | None, seed: int) -> Problems:
        sizes: dict[Split, int] = {"train": config.train, "test": config.test}
        made = make(_parts(config), [Wanted(split, number, seed_of(split, seed)) for split, number in sizes.items()])
        train, test = ([_prompt(problem, config.answer_form) for problem in problems] for problems in made)
        return Problems(train, test)

    def training_rows(self, config: ReasoningGymData) -> int:
        return config.train

    def smoke(self, answer_form: str) -> dict[str, Any]:
        return {"answer_form": answer_form}

    def part(self, options: Options) -> str | None:
        return options.dataset

    def local_files(self, options: Options, data_dir: Path | None) -> list[Path]:
        """None; raises DataError for settings that are wrong."""
        part = _part_of(options)
        try:
            settings_of(part)
        except InputError as error:
            raise DataError(f"benchmark {TASK}: {error}") from error
        return []

    def load(self, options: Options, limit: int | None, data_dir: Path | None) -> list[Prompt]:
        [problems] = make([_part_of(options)], [Wanted("test", self.size(options, limit), HELD_OUT_SEED)])
        return [_prompt(made, None) for made in problems]

    def size(self, options: Options, limit: int | None) -> int:
        there = options.size or PROBLEMS
        return min(limit or there, there)


def _prompt(made: Made, answer_form: str | None) -> Prompt:
    trace = answer_form.replace("{answer}", made.answer) if answer_form and made.answer is not None else None
    return Prompt(TASK, made.question, made.gold, made.difficulty, trace, domain=made.dataset)


def _part_of(options: Options) -> Part:
    if options.dataset is None:
        raise DataError(f"benchmark {TASK}: no `dataset`; add one, such as {{name: {TASK}, dataset: chain_sum}}")
    return Part(options.dataset, 1.0, options.config or {}, options.attribute_levels or {})


def _parts(config: ReasoningGymData) -> list[Part]:
    """Raises InputError where the settings of a mixture name what is not in it, or are no settings."""
    if isinstance(config.dataset, str):
        return [Part(config.dataset, 1.0, config.config, config.attribute_levels)]
    for setting, values in (("config", config.config), ("attribute_levels", config.attribute_levels)):
        for name, own in values.items():
            if name not in config.dataset:
                known = nearest(name, config.dataset)
                raise InputError(f"`{setting}` of several data sets is by data set, and {name!r} is none of `dataset`; {known}")
            if not isinstance(own, dict):
                raise InputError(f"`{setting}` of {name} must be an object of names and values, not {own!r}")
    return [
        Part(name, weight, config.config.get(name, {}), config.attribute_levels.get(name, {})) for name, weight in config.dataset.items()
    ]


ENVIRONMENT = ReasoningGym()
