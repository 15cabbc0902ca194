"""Knights and Knaves: who tells the truth and who lies (`rl_core.data.knights_knaves` writes and reads the puzzles)."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from rl_core.config.base import Settings
from rl_core.config.data import TrainingData
from rl_core.data.knights_knaves import TASK, generate, public_file, read_public, without_reasoning
from rl_core.data.prompts import Prompt
from rl_core.data.splits import HELD_OUT_SEED, Split, first_of, seed_of
from rl_core.environments.environment import Environment, Problems, files_or_nothing
from rl_core.errors import InputError
from rl_core.rewards.readers import Reader
from rl_core.rewards.rules import Rule, Rules
from rl_core.rewards.verdict import Verdict
from rl_core.rewards.verifiers import knights_knaves

PEOPLE = (2, 3, 4, 5, 6, 7, 8)
PUZZLES = 100  # of the benchmark, per number of people, as in the public test files
_ROLE = re.compile(r"([A-Za-z]+)\s+is\s+a\s+(knight|knave)\b")


class Options(Settings):
    """Settings of the benchmark."""

    people: list[Annotated[int, Field(ge=2, le=8)]] | None = Field(None, description="knights_knaves only; default 3 to 7.")
    names: int | None = Field(None, ge=8, le=51, description="knights_knaves only: generate the puzzles, with so many different names.")


class KnightsKnavesData(TrainingData):
    """Knights and Knaves puzzles with a unique solution; train and test never share a puzzle."""

    task: Literal["knights_knaves"] = Field("knights_knaves", description="The family of problems.")
    people: list[Annotated[int, Field(ge=2, le=8)]] = Field(min_length=1, description="Numbers of people that a puzzle is about.")
    source: Literal["auto", "generate", "files"] = Field(
        "auto", description="`files`: kk/{n}ppl/*.parquet of the data directory; `auto`: files where they exist, else generated."
    )
    names: int | None = Field(
        None, ge=8, le=51, description="Generated puzzles use only the first so many of the names; default: all. Fewer are learned sooner."
    )
    doubt: float = Field(
        0.0, ge=0, le=1, description="Chance that the worked response of a generated puzzle doubts its finding and calls everyone a knight."
    )
    bare_answers: bool = Field(False, description="Worked responses give the answer without the reasoning.")
    train: int = Field(900, ge=1, description="Training puzzles per number of people.")
    test: int = Field(100, ge=0, description="Held-out puzzles per number of people: the same whatever the seed.")

    @model_validator(mode="after")
    def _settings_of_the_generator(self) -> KnightsKnavesData:
        if self.source != "generate" and (self.names or self.doubt):
            raise ValueError("`names` and `doubt` are settings of generated puzzles: add `source: generate`")
        return self


class KnightsKnaves(Environment[KnightsKnavesData]):
    name = TASK
    label = "Knights and Knaves"
    counts = "people"
    made_to_order = True
    settings = KnightsKnavesData
    smoke_texts: ClassVar[dict[str, Any] | None] = {"people": [2]}
    is_benchmark = True
    options = Options
    limit_per_part = True
    files = ("kk/3ppl/test.parquet",)

    def judge(self, task: str, response: str, gold: str, read: Reader | None, rules: Rules) -> Verdict:
        return knights_knaves.judge(response, gold, logic_rl=Rule.LOGIC_RL in rules)

    def in_words(self, gold: str) -> str | None:
        """`Zoey knight, Liam knave`."""
        try:
            parsed = json.loads(gold)
            return ", ".join(f"{name} {role}" for name, role in zip(parsed["names"], parsed["roles"], strict=True))
        except (ValueError, TypeError, KeyError):
            return None

    def inputs(self, config: KnightsKnavesData, data_dir: Path | None) -> list[Path]:
        return files_or_nothing(
            config.source, data_dir, "kk/{n}ppl", lambda data_dir, split: [public_file(data_dir, people, split) for people in config.people]
        )

    def problems(self, config: KnightsKnavesData, data_dir: Path | None, seed: int) -> Problems:
        from_files = bool(self.inputs(config, data_dir))

        def part(split: Split, count: int) -> list[Prompt]:
            prompts: list[Prompt] = []
            for people in config.people:
                if from_files and data_dir:
                    prompts += first_of(read_public(public_file(data_dir, people, split)), count, split, seed)
                else:
                    prompts += generate(people, count, split, seed_of(split, seed), config.names, config.doubt)
            return [without_reasoning(prompt) for prompt in prompts] if config.bare_answers else prompts

        return Problems(part("train", config.train), part("test", config.test))

    def training_rows(self, config: KnightsKnavesData) -> int:
        return config.train * len(config.people)

    def smoke(self, answer_form: str) -> dict[str, Any]:
        return {"source": "generate", "names": 8, "bare_answers": True}

    def local_files(self, options: Options, data_dir: Path | None) -> list[Path]:
        """None with `names`: these puzzles are generated."""
        if data_dir is None or options.names is not None:
            return []
        paths = (public_file(data_dir, people, "test") for people in options.people or PEOPLE)
        return [path for path in paths if path.is_file()]

    def load(self, options: Options, limit: int | None, data_dir: Path | None) -> list[Prompt]:
        """`limit` puzzles for each number of people: of the public file where it has enough of them, else generated and held out.

        Raises:
            DataError: a file is broken, or there are not as many different puzzles.
        """
        counts = options.people or PEOPLE
        return [replace(prompt, trace=None) for people in counts for prompt in self._some(people, options, limit or PUZZLES, data_dir)]

    def _some(self, people: int, options: Options, limit: int, data_dir: Path | None) -> list[Prompt]:
        files = self.local_files(options.model_copy(update={"people": [people]}), data_dir)
        prompts = read_public(files[0]) if files else []
        if len(prompts) >= limit:
            return first_of(prompts, limit, "test", HELD_OUT_SEED)
        return generate(people, limit, "test", HELD_OUT_SEED, options.names)

    def size(self, options: Options, limit: int | None) -> int:
        return (limit or PUZZLES) * len(options.people or PEOPLE)

    def gold_of(self, answer: Any) -> str:
        """From the verifier's own JSON, or text such as `(1) Zoey is a knight (2) Oliver is a knave`."""
        text = answer if isinstance(answer, str) else json.dumps(answer)
        if roles := _ROLE.findall(text):
            text = json.dumps({"names": [name for name, _ in roles], "roles": [role for _, role in roles]})
        try:
            self.check_gold(TASK, text)
        except InputError as error:
            raise InputError(f"{error}, nor text like '(1) Zoey is a knight'") from error
        return text


ENVIRONMENT = KnightsKnaves()
