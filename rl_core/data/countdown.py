"""Countdown: reach a target with given numbers; the public Countdown-Tasks-3to4 from a data directory or the hub, or generated ones."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from itertools import count as counted
from pathlib import Path
from typing import Any

from rl_core.data.prompts import DataError, Prompt, read_columns
from rl_core.data.splits import Split, side_of

TASK = "countdown"
HELD_OUT_SHARE = 0.1  # of all number sets, by digest
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
    """`count` solvable problems of `amount` numbers from one side of the train/test division of number sets."""
    from reasoning_gym.games.countdown import CountdownConfig, CountdownDataset

    config = CountdownConfig(
        min_numbers=amount,
        max_numbers=amount,
        max_value=LARGEST_NUMBER,
        min_target=SMALLEST_TARGET,
        max_target=LARGEST_TARGET,
        seed=int.from_bytes(hashlib.sha256(f"{seed}/{amount}".encode()).digest()[:4], "big"),
        size=2**31,
    )
    prompts: dict[str, Prompt] = {}
    for problem in _problems(CountdownDataset(config)):
        if split_of(problem["numbers"]) == split:
            prompt = _prompt(problem["numbers"], problem["target"])
            prompts.setdefault(prompt.gold, prompt)
        if len(prompts) == count:
            break
    return list(prompts.values())


def _problems(dataset: Any) -> Iterable[dict[str, Any]]:
    return (dataset[index]["metadata"] for index in counted())


def split_of(numbers: Sequence[int]) -> Split:
    """Which side of the train/test division a set of numbers falls on, in whatever order it is given."""
    return side_of(repr(sorted(numbers)), HELD_OUT_SHARE)


def number_set(prompt: Prompt) -> tuple[int, ...]:
    """The numbers of a problem in ascending order."""
    return tuple(sorted(json.loads(prompt.gold)["numbers"]))


def _prompt(numbers: Sequence[int], target: int) -> Prompt:
    question = (
        f"Combine the numbers {', '.join(map(str, numbers))} into an expression that equals {target}. Use every number exactly "
        "once, and only +, -, *, / and brackets. The answer is the expression alone, without an equals sign."
    )
    return Prompt(TASK, question, json.dumps({"numbers": list(numbers), "target": target}), str(len(numbers)))
