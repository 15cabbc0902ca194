"""GSM8K: the 1,319 held-out word problems."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rl_core.data import gsm8k
from rl_core.data.prompts import Prompt


def check(data_dir: Path | None) -> None:
    """Raises DataError where a data directory lacks the file."""
    gsm8k.local_file("test", data_dir)


def load(data_dir: Path | None) -> list[Prompt]:
    """All problems, without the worked solutions: they are for training."""
    return [replace(prompt, trace=None) for prompt in gsm8k.load("test", data_dir)]
