"""Benchmarks whose problems are rows of a public file: from a data directory, or the same rows from the hub."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from rl_core.config.base import Settings
from rl_core.data.prompts import DataError, Prompt
from rl_core.data.rows import hub_rows, is_finite, read_rows
from rl_core.environments.registry import environment_of
from rl_core.errors import InputError

Row = dict[str, Any]


def question_or_problem(row: Row) -> Any:
    """The columns in which most sets keep the text."""
    return row.get("problem") or row.get("question")


def answer_column(row: Row) -> Any:
    return row.get("answer")


def digest_of(prompts: Sequence[Prompt]) -> str:
    """16 hex digits of questions and gold answers in their order, whatever file they came from."""
    content = json.dumps([[prompt.question, prompt.gold] for prompt in prompts], ensure_ascii=False)
    return hashlib.sha256(content.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class ProblemSet:
    """A benchmark: where its problems are and which columns matter."""

    name: str
    task: str  # names the verifier
    hub_id: str
    hub_split: str
    file: str  # inside a data directory
    rows: int  # as published
    digest: str | None = field(kw_only=True)  # of the published questions and golds, see `digest_of`; None: not known
    gold: Callable[[Any], str]  # the verifier's form of an answer as the set writes it; ValueError or TypeError: it is none
    label: str | None = None  # as its authors write it, for reports; None: its name
    task_of: Callable[[Row, str], str] | None = None  # the verifier of a row (none: of an answer by itself) and its gold; default: `task`
    hub_config: str | None = None
    hub_file: str | None = None  # the one file of the repository that is meant
    revision: str | None = None  # commit of the hub; None: its newest
    question: Callable[[Row], Any] = question_or_problem
    answer: Callable[[Row], Any] = answer_column
    difficulty: str | None = None  # column
    keep: Callable[[Row], bool] | None = None  # which rows are the benchmark; default: all
    choose: Callable[[list[Row]], list[Row]] | None = None  # a fixed part of what is kept

    options: ClassVar[type[Settings]] = Settings  # it has no settings of its own
    counts: ClassVar[str | None] = None  # tables show only the whole
    made_to_order: ClassVar[bool] = False
    limit_per_part: ClassVar[bool] = False

    @property
    def published(self) -> tuple[int, str | None]:
        """Rows and digest that the data should have."""
        return self.rows, self.digest

    @property
    def files(self) -> tuple[str, ...]:
        """Of a data directory that has it."""
        return (self.file,)

    def size(self, options: Any, limit: int | None) -> int:
        """How many problems there will be, without reading them."""
        return min(limit or self.rows, self.rows)

    def local_files(self, options: Any, data_dir: Path | None) -> list[Path]:
        """The file of the data directory, if there is one; raises DataError as `local_file`."""
        path = self.local_file(data_dir)
        return [path] if path else []

    def local_file(self, data_dir: Path | None) -> Path | None:
        """The file that is read instead of the hub.

        Raises:
            DataError: a data directory is given but lacks the file.
        """
        if data_dir is None:
            return None
        path = data_dir / self.file
        if not path.is_file():
            raise DataError(f"{path}: no such file; put it there or leave out --data-dir to use the hub ({self.hub_id})")
        return path

    def load(self, options: Any, limit: int | None, data_dir: Path | None) -> list[Prompt]:
        """All problems in the order of the source, whatever `limit` is.

        Raises:
            DataError: file missing, a row broken, a gold answer that is none of the benchmark, or the hub out of reach.
        """
        path = self.local_file(data_dir)
        rows: Iterable[Any] = read_rows(path) if path else self.hub_rows()
        numbered = list(enumerate(rows, start=1))
        for number, row in numbered:
            if not isinstance(row, dict):
                raise DataError(f"{path or self.hub_id}: row {number} lacks named columns; repair or remove it")
        if self.keep:
            numbered = [(number, row) for number, row in numbered if self.keep(row)]
        if self.choose:
            chosen = {id(row) for row in self.choose([row for _, row in numbered])}
            numbered = [(number, row) for number, row in numbered if id(row) in chosen]
        return [self._prompt(row, f"{path or self.hub_id}: row {number}") for number, row in numbered]

    def hub_rows(self) -> Iterable[Any]:
        """The rows of the hub, as they are; raises DataError where it is out of reach."""
        return hub_rows(self.hub_id, self.hub_split, self.file, config=self.hub_config, file=self.hub_file, revision=self.revision)

    def _prompt(self, row: Row, where: str) -> Prompt:
        try:
            question, answer = self.question(row), self.answer(row)
        except (KeyError, TypeError, IndexError) as error:
            raise DataError(f"{where} lacks a column of this benchmark ({error}); repair or remove it") from error
        if not isinstance(question, str) or not question.strip() or answer in (None, "", []):
            raise DataError(f"{where} lacks a `problem` or its `answer`; repair or remove it")
        task, gold = self.read_gold(answer, where, row)
        difficulty = row.get(self.difficulty) if self.difficulty else None
        return Prompt(task, question.strip(), gold, None if difficulty is None else str(difficulty))

    def read_gold(self, answer: Any, where: str, row: Row | None = None) -> tuple[str, str]:
        """Verifier and gold of an answer; `where` names its row in the error.

        Raises:
            DataError: it is no answer of this benchmark.
        """
        try:
            if not all(map(is_finite, answer if isinstance(answer, list) else [answer])):
                raise ValueError("no number")
            gold = self.gold(answer)
            task = self.task_of(row or {}, gold) if self.task_of else self.task
            environment_of(task).check_gold(task, gold)
        except (InputError, ValueError, TypeError, KeyError) as error:
            said = f" ({error})" if isinstance(error, InputError) else ""
            raise DataError(f"{where}: {repr(answer)[:80]} is no answer of this benchmark{said}; repair or remove it") from error
        return task, gold
