"""Countdown with 3 and 4 numbers: sets of numbers that training never sees."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from rl_core.data import countdown
from rl_core.data.prompts import DataError, Prompt
from rl_core.data.splits import HELD_OUT_SEED
from rl_core.errors import InputError
from rl_core.rewards.verify import settle

NUMBERS = (3, 4)
PROBLEMS = 512  # per amount of numbers where they are generated; the public test file has 1,024 of both


def local_file(data_dir: Path | None) -> Path | None:
    """The file of the data directory that holds the public test problems; None where there is none."""
    path = countdown.public_file(data_dir, "test") if data_dir else None
    return path if path and path.is_file() else None


def load(data_dir: Path | None) -> list[Prompt]:
    """The public test problems, else generated ones from the held-out side, without the solutions: they are for training.

    Raises:
        DataError: the file is broken.
    """
    path = local_file(data_dir)
    if path:
        return countdown.read_public(path)
    return [replace(prompt, trace=None) for amount in NUMBERS for prompt in countdown.generate(amount, PROBLEMS, "test", HELD_OUT_SEED)]


def read_gold(answer: Any, where: str) -> str:
    """The verifier's form of a problem: its JSON with `numbers` and `target`, or an object of that form (or with `nums`).

    Raises:
        DataError: neither; `where` is put in front.
    """
    try:
        problem = json.loads(answer) if isinstance(answer, str) else answer
        if isinstance(problem, dict) and "nums" in problem:
            problem = {"numbers": problem["nums"], "target": problem["target"]}
        gold = json.dumps(problem)
        settle(countdown.TASK, "", gold)
    except (InputError, ValueError, KeyError, TypeError) as error:
        raise DataError(f'{where}: {str(answer)[:80]!r} is not {{"numbers": [...], "target": ...}}; repair or remove it') from error
    return gold
