"""Mathematical benchmarks: a JSON-lines file of a data directory, or the same rows from the hub."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rl_core.data.prompts import DataError, Prompt
from rl_core.data.rows import hub_rows, read_rows


@dataclass(frozen=True)
class ProblemSet:
    """Where a benchmark's problems are and which columns matter."""

    task: str  # names the verifier
    hub_id: str
    hub_split: str
    file: str  # inside a data directory
    gold: Callable[[Any], str]  # from the column `answer`
    difficulty: str | None = None  # column

    def local_file(self, data_dir: Path | None) -> Path | None:
        """The file that stands in for the hub.

        Raises:
            DataError: a data directory is given but lacks the file.
        """
        if data_dir is None:
            return None
        path = data_dir / self.file
        if not path.is_file():
            raise DataError(f"{path}: no such file; put it there or leave out --data-dir to use the hub ({self.hub_id})")
        return path

    def load(self, data_dir: Path | None) -> list[Prompt]:
        """All problems in the order of the source.

        Raises:
            DataError: file missing, a row broken, or the hub out of reach.
        """
        path = self.local_file(data_dir)
        rows = read_rows(path) if path else hub_rows(self.hub_id, self.hub_split, self.file)
        return [self._prompt(row, f"{path or self.hub_id}: row {number}") for number, row in enumerate(rows, start=1)]

    def _prompt(self, row: Any, where: str) -> Prompt:
        problem = row.get("problem") or row.get("question") if isinstance(row, dict) else None
        if not isinstance(problem, str) or row.get("answer") in (None, ""):
            raise DataError(f"{where} lacks a `problem` or its `answer`; repair or remove it")
        try:
            gold = self.gold(row["answer"])
        except (ValueError, TypeError) as error:
            raise DataError(f"{where}: {row['answer']!r} is no answer of this benchmark; repair or remove it") from error
        difficulty = row.get(self.difficulty) if self.difficulty else None
        return Prompt(self.task, problem.strip(), gold, None if difficulty is None else str(difficulty))


def integer_gold(answer: Any) -> str:
    """`"025"`, `25` and `25.0` are the same answer of a competition whose answers are whole numbers."""
    number = float(answer)
    if not number.is_integer():
        raise ValueError(f"{answer!r} is not whole")
    return str(int(number))
