"""Grade-school word problems: openai/gsm8k from the hub, or gsm8k/{split}.jsonl of a data directory."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from rl_core.config.data import TrainingData
from rl_core.data.prompts import DataError, Prompt
from rl_core.data.rows import hub_rows, read_rows
from rl_core.data.splits import Split, first_of
from rl_core.environments.environment import Problems
from rl_core.environments.math import Mathematical

HUB_ID = "openai/gsm8k"
REVISION = "740312add88f781978c0658806c59bc2815b9866"
TASK = "gsm8k"
TRAIN = 7473  # rows


def after_hashes(answer: Any) -> str:
    """The number after `####` where there is a solution before it, without thousands separators."""
    text = str(answer)
    return text.rpartition("####")[2].strip().replace(",", "").removeprefix("$")


def local_file(split: Split, data_dir: Path | None) -> Path | None:
    """The file that is read instead of the hub.

    Raises:
        DataError: a data directory is given but lacks the file.
    """
    if data_dir is None:
        return None
    path = data_dir / "gsm8k" / f"{split}.jsonl"
    if not path.is_file():
        raise DataError(f"{path}: no such file; put the GSM8K {split} split there or leave out --data-dir to use the hub ({HUB_ID})")
    return path


def load(split: Split, data_dir: Path | None) -> list[Prompt]:
    """All problems of a split; the gold is the number after `####` without thousands separators.

    Raises:
        DataError: file missing, a row broken, or the hub out of reach.
    """
    path = local_file(split, data_dir)
    rows = read_rows(path) if path else hub_rows(HUB_ID, split, f"gsm8k/{split}.jsonl", config="main", revision=REVISION)
    return [_prompt(row, f"{path or HUB_ID}: row {number}") for number, row in enumerate(rows, start=1)]


def _prompt(row: Any, where: str) -> Prompt:
    if not isinstance(row, dict) or not isinstance(row.get("question"), str) or not isinstance(row.get("answer"), str):
        raise DataError(f"{where} lacks the texts `question` and `answer`; repair or remove it")
    solution, mark, gold = row["answer"].rpartition("####")
    number = gold.strip().replace(",", "")
    if not mark or not re.fullmatch(r"-?\$?[0-9]*\.?[0-9]+\.?", number):
        raise DataError(f"{where} has no gold number after `####`; repair or remove it")
    return Prompt(TASK, row["question"].strip(), number, trace=f"{solution.strip()}\n\\boxed{{{number}}}")


class Gsm8kData(TrainingData):
    """Grade-school word problems (openai/gsm8k)."""

    task: Literal["gsm8k"] = Field("gsm8k", description="The family of problems.")
    train: int | None = Field(None, ge=1, description="Use only the first rows of a seeded shuffle; default: all.")
    test: int | None = Field(None, ge=0, description="Held-out rows: the same whatever the seed; default: all.")


class Gsm8k(Mathematical[Gsm8kData]):
    name = TASK
    numeric = (TASK,)
    any_number = True
    settings = Gsm8kData

    def gold_of(self, answer: Any) -> str:
        return after_hashes(self.text_of(answer))

    def inputs(self, config: Gsm8kData, data_dir: Path | None) -> list[Path]:
        splits: tuple[Split, Split] = ("train", "test")
        return [path for split in splits if (path := local_file(split, data_dir))]

    def problems(self, config: Gsm8kData, data_dir: Path | None, seed: int) -> Problems:
        train = first_of(load("train", data_dir), config.train, "train", seed)
        return Problems(train, first_of(load("test", data_dir), config.test, "test", seed))

    def training_rows(self, config: Gsm8kData) -> int:
        return min(config.train or TRAIN, TRAIN)

    def draws_held_out(self, config: Gsm8kData) -> bool:
        return config.test is not None


ENVIRONMENT = Gsm8k()
