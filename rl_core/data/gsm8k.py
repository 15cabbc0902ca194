"""Grade-school word problems: openai/gsm8k from the hub, or gsm8k/{split}.jsonl of a data directory."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from rl_core.data.prompts import DataError, Prompt

HUB_ID = "openai/gsm8k"
TASK = "gsm8k"


def local_file(split: Literal["train", "test"], data_dir: Path | None) -> Path | None:
    """The file that stands in for the hub.

    Raises:
        DataError: a data directory is given but lacks the file.
    """
    if data_dir is None:
        return None
    path = data_dir / "gsm8k" / f"{split}.jsonl"
    if not path.is_file():
        raise DataError(f"{path}: no such file; put the GSM8K {split} split there or leave out --data-dir to use the hub ({HUB_ID})")
    return path


def load(split: Literal["train", "test"], data_dir: Path | None) -> list[Prompt]:
    """All problems of a split; the gold is the number after `####` without thousands separators.

    Raises:
        DataError: file missing, a row broken, or the hub out of reach.
    """
    path = local_file(split, data_dir)
    source = str(path or HUB_ID)
    return [_prompt(row, f"{source}: row {number}") for number, row in enumerate(_rows(path, split), start=1)]


def _rows(path: Path | None, split: str) -> Iterable[Any]:
    if path is None:
        from datasets import load_dataset

        try:
            return load_dataset(HUB_ID, "main", split=split)
        except (OSError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise DataError(f"{HUB_ID}: cannot be fetched ({reason}); give a directory with gsm8k/{split}.jsonl by --data-dir") from error
    rows = []
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError as error:
            raise DataError(f"{path}: row {number} is not JSON ({error.msg}); repair or remove it") from error
    return rows


def _prompt(row: Any, where: str) -> Prompt:
    if not isinstance(row, dict) or not isinstance(row.get("question"), str) or not isinstance(row.get("answer"), str):
        raise DataError(f"{where} lacks the texts `question` and `answer`; repair or remove it")
    solution, mark, gold = row["answer"].rpartition("####")
    if not mark or not gold.strip():
        raise DataError(f"{where} has no gold number after `####`; repair or remove it")
    number = gold.strip().replace(",", "")
    return Prompt(TASK, row["question"].strip(), number, trace=f"{solution.strip()}\n\\boxed{{{number}}}")
