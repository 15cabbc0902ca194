"""What a family of problems is: where its problems come from, how an answer is judged, and what it is as a benchmark."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Generic, Literal, NamedTuple, TypeVar

from rl_core.config.base import Settings
from rl_core.config.data import TrainingData
from rl_core.data.prompts import DataError, Prompt
from rl_core.data.splits import Split
from rl_core.errors import InputError
from rl_core.rewards.readers import Reader
from rl_core.rewards.rules import Rules
from rl_core.rewards.verdict import Decision, OpenQuestion, Verdict

Config = TypeVar("Config", bound=TrainingData)


class Problems(NamedTuple):
    """The problems of a data stage."""

    train: list[Prompt]
    test: list[Prompt]
    left_out: int = 0  # rows without an answer, or with a problem again
    contradicting: int = 0  # of these, rows with another answer to a problem that came before
    bad: Sequence[str] = ()  # rows that cannot be used: where each is, and why
    more: Mapping[str, Any] = MappingProxyType({})  # what else the result of the stage says of them


class Environment(Generic[Config]):
    """A family of problems, under the name `ENVIRONMENT` in its module.

    `name` and `judge` are what every family has. One with `settings` can be the task of a data stage, and has `inputs`, `problems` and
    `training_rows`; one that `is_benchmark` evaluates problems that it holds out itself, and has `local_files`, `load` and `size`.
    Published sets of problems of a family are benchmarks of their own (evals/benchmarks).
    """

    name: str
    label: str | None = None  # as its authors write it, for reports; None: its name
    tasks: tuple[str, ...] = ()  # other values of the column `task` whose answers are judged in the same way
    counts: str | None = None  # what the difficulty counts, where tables show its values apart: `people` of `3 people`
    # Whether problems are generated. They are written from a few sentences, so that only equal ones are the same, and there is no end of
    # them: a benchmark has as many as are asked for.
    made_to_order: bool = False
    worker_imports: tuple[str, ...] = ()  # modules that `decide` needs: workers import them before the time of an answer begins

    # As the `verifier` of a user's own problems
    is_verifier: ClassVar[bool] = True
    takes_whole_solutions: ClassVar[bool] = True  # whether a solution that marks no answer may be the answer
    parameters: type[Settings] = Settings  # what a recipe may give with its name; they come with each gold answer (verifiers/parameters)

    # As the task of a data stage
    settings: type[Config] | None = None
    public: bool = False  # whether problems that no file holds come from the hub; else they are generated
    smoke_texts: ClassVar[dict[str, Any] | None] = None  # settings of problems that a small model learns from where a recipe has no data

    # As a benchmark
    is_benchmark: bool = False
    options: type[Settings] = Settings  # its own settings, beside those of every benchmark; only with `Added()` in their annotation
    limit_per_part: bool = False  # `limit` counts for each difficulty apart, and `load` applies it
    published: tuple[int, str | None] | None = None  # rows and digest that the data should have; None: it is made here
    files: tuple[str, ...] = ()  # of a data directory that has it

    def judge(self, task: str, response: str, gold: str, read: Reader | None, rules: Rules) -> Verdict | OpenQuestion:
        """As `rl_core.rewards.verify.settle`."""
        raise NotImplementedError

    def decide(self, task: str, gold: str, answer: str) -> Decision:
        """Answer a question that `judge` left open, in whatever time and memory it takes: it runs in a worker that may be killed."""
        raise NotImplementedError

    def canonical(self, answer: str) -> str | None:
        """An answer in a form in which equal answers are equal texts, in linear time; None: it is too long to be an answer."""
        return answer

    def check_gold(self, task: str, gold: str) -> None:
        """Find a gold answer that would make every response wrong.

        Raises:
            InputError: it is empty, or not of the form that the verifier wants.
        """
        self.judge(task, "", gold, None, frozenset())

    def needs_answer(self, parameters: Settings) -> bool:
        """Whether each problem has to come with an answer of its own."""
        return True

    def text_of(self, answer: Any) -> str:
        """An answer of somebody's file as text; raises InputError for what is no answer."""
        if isinstance(answer, list | dict):
            what = "a list" if isinstance(answer, list) else "an object"
            raise InputError(f"the answer is {what}, {str(answer)[:80]}; name the part of it that is meant, such as `answer.0`")
        return str(answer).lower() if isinstance(answer, bool) else str(answer).strip()

    def judged_by_text(self, task: str, gold: str) -> bool:
        """Whether a gold answer cannot be read, so that answers are compared with it as texts; raises InputError for an empty one."""
        return False

    def check(self, config: Config) -> None:
        """Look up what the settings name; raises InputError for an unknown set."""

    def in_words(self, gold: str) -> str | None:
        """A gold answer for people to read, where it is in a form for the verifier; None: it is in no such form."""
        return None

    def own_code(self, config: Config) -> list[str]:
        """Environments of a user's own that the settings name as a verifier."""
        return []

    def inputs(self, config: Config, data_dir: Path | None) -> list[Path]:
        """The local files that a data stage reads; empty if it generates its data or loads it from the hub.

        Raises:
            DataError: a file that is needed is missing, or a set unknown.
        """
        return []

    def problems(self, config: Config, data_dir: Path | None, seed: int) -> Problems:
        """The problems of a data stage. `seed` bears on the training problems alone.

        Raises:
            DataError: a file is missing or broken.
        """
        raise NotImplementedError

    def lenient(self, config: Config) -> Config:
        """The settings of a data stage with which no row is refused, for a look at them."""
        return config

    def training_rows(self, config: Config) -> int:
        """How many training problems there will be, without reading them."""
        raise NotImplementedError

    def draws_held_out(self, config: Config) -> bool:
        """Whether held-out problems are made, or chosen from a set, by a seed."""
        return self.made_to_order

    def set_name(self, config: Config) -> str:
        """The public set that is used, for messages."""
        return self.name

    def is_meant(self, written: Mapping[str, Any]) -> bool:
        """Whether the settings of a data stage that names no task are of this family."""
        return False

    def sets_in(self, data_dir: Path) -> list[str]:
        """Sets to train on that a data directory holds."""
        return []

    def smoke(self, answer_form: str) -> dict[str, Any]:
        """Settings of the smoke profile, which runs a recipe in seconds, beside a small `train` and `test`.

        Args:
            answer_form: how a worked response writes an answer so that the recipe's reward finds it, with `{answer}` in it.
        """
        return {}

    def part(self, options: Any) -> str | None:
        """Which part of the benchmark these settings choose, where it is one of many: tables call it `name.part`."""
        return None

    def local_files(self, options: Any, data_dir: Path | None) -> list[Path]:
        """Files of the data directory that the benchmark reads; `options` as in the class `options`."""
        return []

    def load(self, options: Any, limit: int | None, data_dir: Path | None) -> list[Prompt]:
        """The problems of the benchmark, without worked responses; `limit` matters only with `limit_per_part`.

        Raises:
            DataError: a file is broken.
        """
        raise NotImplementedError

    def size(self, options: Any, limit: int | None) -> int:
        """How many problems `load` gives, without reading them."""
        raise NotImplementedError

    def gold_of(self, answer: Any) -> str:
        """The gold of an answer as somebody's file has it, for `check_gold`; raises InputError for what cannot be one."""
        return self.text_of(answer)

    def read_gold(self, answer: Any, where: str) -> tuple[str, str]:
        """Task and gold of an answer that is alone in a file, without its problem.

        Raises:
            DataError: it is no answer of this family; `where` is put in front.
        """
        try:
            gold = self.gold_of(answer)
            self.check_gold(self.name, gold)
        except InputError as error:
            raise DataError(f"{where}: {error}") from error
        return self.name, gold


def files_or_nothing(
    source: Literal["auto", "generate", "files"], data_dir: Path | None, folder: str, paths: Callable[[Path, Split], Sequence[Path]]
) -> list[Path]:
    """The public files of both splits for a family that can be generated too, as its setting `source` says; empty: generate.

    Args:
        folder: inside the data directory, for the message.

    Raises:
        DataError: `source: files`, and one is missing.
    """
    if source == "generate" or (source == "auto" and data_dir is None):
        return []
    if data_dir is None:
        raise DataError(f"source: files needs a data directory with {folder}/{{train,test}}.parquet: give --data-dir")
    found = [*paths(data_dir, "train"), *paths(data_dir, "test")]
    missing = [path for path in found if not path.is_file()]
    if missing and source == "files":
        raise DataError(f"{missing[0]}: no such file; put it there, or set source: generate")
    return [] if missing else found
