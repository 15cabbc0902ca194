"""Countdown: reach a target with given numbers; the public Countdown-Tasks-3to4 from a data directory or the hub, or generated ones."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Annotated, Any, Literal

from pydantic import Field

from rl_core.config.data import TrainingData
from rl_core.data.prompts import DataError, Prompt, read_columns
from rl_core.data.splits import HELD_OUT_SEED, Split, first_of, seed_of, side_of
from rl_core.environments.environment import Environment, Problems, files_or_nothing
from rl_core.errors import InputError
from rl_core.rewards.readers import Reader
from rl_core.rewards.rules import Rule, Rules
from rl_core.rewards.verdict import Verdict
from rl_core.rewards.verifiers import countdown

TASK = "countdown"
HELD_OUT_SHARE = 0.1  # of all number sets, by digest
PATIENCE = 20_000  # draws without a new problem after which all count as used
BENCHMARK_NUMBERS = (3, 4)
BENCHMARK_PROBLEMS = 512  # per amount of numbers where they are generated; the public test file has 1,024 of both
LARGEST_NUMBER, SMALLEST_TARGET, LARGEST_TARGET = 99, 10, 100  # the range of Countdown-Tasks-3to4


def public_file(data_dir: Path, split: Split) -> Path:
    """Where a data directory keeps the public problems (columns nums and target)."""
    return data_dir / "countdown" / f"{split}.parquet"


def read_public(path: Path) -> list[Prompt]:
    """Problems of a public Parquet file; their difficulty is how many numbers they give.

    Raises:
        DataError: no such columns, or a row of another form.
    """
    prompts = []
    for number, row in enumerate(read_columns(path, ["nums", "target"]), start=1):
        if not row["nums"] or row["target"] is None:
            raise DataError(f"{path}: row {number} lacks nums or target; repair or remove it")
        prompts.append(_prompt(row["nums"], row["target"]))
    return prompts


def generate(amount: int, count: int, split: Split, seed: int) -> list[Prompt]:
    """`count` different problems of `amount` numbers, with a solution, from one side of the train/test division of number sets.

    Raises:
        DataError: there are not as many.
    """
    random = Random(f"{seed}/{amount}")
    prompts: dict[str, Prompt] = {}
    misses = 0
    while len(prompts) < count:
        misses += 1
        if misses > PATIENCE:
            raise DataError(f"only {len(prompts)} different problems of {amount} numbers were found to {split} on; ask for fewer")
        numbers = [random.randint(1, LARGEST_NUMBER) for _ in range(amount)]
        if split_of(numbers) == split:
            target, expression = _combine(numbers, random)
            prompt = _prompt(numbers, target, expression)
            if SMALLEST_TARGET <= target <= LARGEST_TARGET and prompt.gold not in prompts:
                prompts[prompt.gold] = prompt
                misses = 0
    return list(prompts.values())


def _combine(numbers: Sequence[int], random: Random) -> tuple[int, str]:
    """A random expression of all numbers and its value; every division in it leaves no remainder."""
    parts = [(number, str(number)) for number in numbers]
    while len(parts) > 1:
        random.shuffle(parts)
        (left, left_text), (right, right_text) = parts.pop(), parts.pop()
        values = {"+": left + right, "-": left - right, "*": left * right}
        if right and left % right == 0:
            values["/"] = left // right
        sign = random.choice(list(values))
        parts.append((values[sign], f"({left_text} {sign} {right_text})"))
    value, text = parts[0]
    return value, text[1:-1]


def split_of(numbers: Sequence[int]) -> Split:
    """Which side of the train/test division a set of numbers falls on, in whatever order it is given."""
    return side_of(repr(sorted(numbers)), HELD_OUT_SHARE)


def number_set(prompt: Prompt) -> tuple[int, ...]:
    """The numbers of a problem in ascending order."""
    return tuple(sorted(json.loads(prompt.gold)["numbers"]))


def _prompt(numbers: Sequence[int], target: int, expression: str | None = None) -> Prompt:
    question = (
        f"Combine the numbers {', '.join(map(str, numbers))} into an expression that equals {target}. Use every number exactly "
        "once, and only +, -, *, / and brackets. The answer is the expression alone, without an equals sign."
    )
    trace = f"<think>{expression} = {target}</think>\n<answer>{expression}</answer>" if expression else None
    return Prompt(TASK, question, json.dumps({"numbers": list(numbers), "target": target}), str(len(numbers)), trace)


class CountdownData(TrainingData):
    """Countdown: reach a target with given numbers; train and test never share a set of numbers."""

    task: Literal["countdown"] = Field("countdown", description="The family of problems.")
    numbers: list[Annotated[int, Field(ge=2, le=6)]] = Field([3, 4], min_length=1, description="How many numbers a problem gives.")
    source: Literal["auto", "generate", "files"] = Field(
        "auto", description="`files`: countdown/{train,test}.parquet of the data directory; `auto`: files where they exist, else generated."
    )
    train: int = Field(1000, ge=1, description="Training problems per amount of numbers.")
    test: int = Field(100, ge=0, description="Held-out problems per amount of numbers: the same whatever the seed.")


class Countdown(Environment[CountdownData]):
    name = TASK
    counts = "numbers"
    made_to_order = True
    settings = CountdownData
    is_benchmark = True
    files = ("countdown/train.parquet", "countdown/test.parquet")

    def judge(self, task: str, response: str, gold: str, read: Reader | None, rules: Rules) -> Verdict:
        return countdown.judge(response, gold, tinyzero=Rule.TINYZERO in rules)

    def inputs(self, config: CountdownData, data_dir: Path | None) -> list[Path]:
        return files_or_nothing(config.source, data_dir, "countdown", lambda data_dir, split: [public_file(data_dir, split)])

    def problems(self, config: CountdownData, data_dir: Path | None, seed: int) -> Problems:
        files = self.inputs(config, data_dir)
        if not files:

            def made(split: Split, count: int) -> list[Prompt]:
                return [prompt for amount in config.numbers for prompt in generate(amount, count, split, seed_of(split, seed))]

            return Problems(made("train", config.train), made("test", config.test))
        public_train, public_test = (read_public(path) for path in files)
        # The public files share some sets of numbers between their splits: those stay held out, also where `test` takes only some.
        held_out = {number_set(prompt) for prompt in public_test}

        def some(public: list[Prompt], count: int, split: Split) -> list[Prompt]:
            by_amount = [[prompt for prompt in public if prompt.difficulty == str(amount)] for amount in config.numbers]
            return [prompt for prompts in by_amount for prompt in first_of(prompts, count, split, seed)]

        train = [prompt for prompt in some(public_train, config.train, "train") if number_set(prompt) not in held_out]
        return Problems(train, some(public_test, config.test, "test"))

    def training_rows(self, config: CountdownData) -> int:
        return config.train * len(config.numbers)

    def smoke(self, answer_form: str) -> dict[str, Any]:
        return {"source": "generate"}

    def local_files(self, options: Any, data_dir: Path | None) -> list[Path]:
        path = public_file(data_dir, "test") if data_dir else None
        return [path] if path and path.is_file() else []

    def load(self, options: Any, limit: int | None, data_dir: Path | None) -> list[Prompt]:
        """The public test problems, else generated ones from the held-out side, without the solutions: they are for training."""
        if files := self.local_files(options, data_dir):
            return read_public(files[0])
        made = (generate(amount, BENCHMARK_PROBLEMS, "test", HELD_OUT_SEED) for amount in BENCHMARK_NUMBERS)
        return [replace(prompt, trace=None) for prompts in made for prompt in prompts]

    def size(self, options: Any, limit: int | None) -> int:
        there = BENCHMARK_PROBLEMS * len(BENCHMARK_NUMBERS)
        return min(limit or there, there)

    def gold_of(self, answer: Any) -> str:
        """From JSON with `numbers` and `target`, or an object of that form (or with `nums`)."""
        try:
            problem = json.loads(answer) if isinstance(answer, str) else answer
            if isinstance(problem, dict) and "nums" in problem:
                problem = {"numbers": problem["nums"], "target": problem["target"]}
            gold = json.dumps(problem)
            self.check_gold(TASK, gold)
        except (InputError, ValueError, KeyError, TypeError) as error:
            raise InputError(f'{str(answer)[:80]!r} is not {{"numbers": [...], "target": ...}}; repair or remove it') from error
        return gold


ENVIRONMENT = Countdown()
