"""Countdown with 3 and 4 numbers: sets of numbers that training never sees."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rl_core.data import countdown
from rl_core.data.prompts import Prompt

NUMBERS = (3, 4)
PROBLEMS = 512  # per amount of numbers where they are generated; the public test file has 1,024 of both


def local_file(data_dir: Path | None) -> Path | None:
    """The file of the data directory that holds the public test problems; None where there is none."""
    path = countdown.public_file(data_dir, "test") if data_dir else None
    return path if path and path.is_file() else None


def load(data_dir: Path | None, seed: int) -> list[Prompt]:
    """The public test problems, else generated ones from the held-out side, without the solutions: they are for training.

    Raises:
        DataError: the file is broken.
    """
    path = local_file(data_dir)
    if path:
        return countdown.read_public(path)
    return [replace(prompt, trace=None) for amount in NUMBERS for prompt in countdown.generate(amount, PROBLEMS, "test", seed)]
