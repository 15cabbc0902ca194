"""Countdown: reach a target with given numbers; the public Countdown-Tasks-3to4 from a data directory or the hub, or generated ones."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from random import Random

from rl_core.data.prompts import DataError, Prompt, read_columns
from rl_core.data.splits import Split, side_of

TASK = "countdown"
HELD_OUT_SHARE = 0.1  # of all number sets, by digest
PATIENCE = 20_000  # draws without a new problem after which all count as used
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
