"""Grading completions that are in a file, without a model."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evals.answer_readers import LENIENT, find_reader
from evals.benchmarks import registry
from rl_core.data.prompts import DataError
from rl_core.data.rows import read_rows
from rl_core.environments.registry import find_verifier
from rl_core.errors import naming
from rl_core.files import in_one_piece
from rl_core.outcome import Outcome
from rl_core.own_code.reference import find, is_own
from rl_core.rewards.pool import ScoreItem, ScoringPool
from rl_core.rewards.rules import NONE, Rules
from rl_core.rewards.verifiers.parameters import with_parameters
from rl_core.rewards.verify import judged_by_text

if TYPE_CHECKING:
    import pyarrow as pa

FORMATS = (".jsonl", ".parquet")
DEADLINE = 2.0  # seconds for one answer
VERDICT = ("correct", "outcome", "extracted")
BY_TEXT = "gold_by_text"  # column of a file with golds that cannot be read


GoldReader = Callable[[Any, str], tuple[str, str]]  # an answer and its place in a file -> verifier and gold; raises DataError


@dataclass(frozen=True)
class Golds:
    """How the golds of a file are read, and directories of a user's own code that judges answers to them."""

    read: GoldReader
    code: tuple[Path, ...] = ()


def golds_of_benchmark(name: str) -> Golds:
    """Golds in whatever form a benchmark writes them; raises DataError for an unknown one."""
    registry.find(name)
    return Golds(lambda answer, where: registry.read_gold(name, answer, where))


def golds_of_verifier(verifier: str | Mapping[str, Any]) -> Golds:
    """Golds as in a data stage with this `verifier`; raises InputError for an unknown one."""
    name, environment, parameters = find_verifier(verifier)
    text = verifier if isinstance(verifier, str) else next(iter(verifier))

    def read(answer: Any, where: str) -> tuple[str, str]:
        with naming(where):
            gold = with_parameters(environment.gold_of(answer), parameters)
            environment.check_gold(name, gold)
        return name, gold

    return Golds(read, (find(text, "class").root,) if is_own(text) else ())


class Graded(Counter[Outcome]):
    """How often each outcome occurs, and how many rows have a gold that cannot be read."""

    by_text = 0


def grade(
    file: Path,
    golds: str | Golds,
    output: Path,
    *,
    gold_column: str = "gold",
    response_column: str = "response",
    reader: str = LENIENT,
    rules: Rules = NONE,
    strict: bool = False,
    workers: int | None = None,
) -> Graded:
    """Write the rows of a file again, in order, with `correct`, `outcome` and `extracted`; returns how often each outcome occurs.

    Columns of these names in the file are replaced. The golds may be in the form of the benchmark's own data. Where there are some that
    cannot be read, answers to them are compared as texts, and a column `gold_by_text` marks them; with `strict` they are an error.

    Args:
        golds: the benchmark of which they are, a class of a user's own, or what says how they are read (`golds_of_verifier`).

    Raises:
        InputError: a file that cannot be read or written, or a row without gold or response; nothing is written.
    """
    if isinstance(golds, str):
        golds = golds_of_verifier(golds) if is_own(golds) else golds_of_benchmark(golds)
    read = find_reader(reader)
    for path, option in ((file, "FILE"), (output, "--output")):
        if path.suffix not in FORMATS:
            raise DataError(f"{option} {path}: its name must end in {' or '.join(FORMATS)}")
    if not file.is_file():
        raise DataError(f"{file}: no such file")
    if not output.parent.is_dir():
        raise DataError(f"--output {output}: no directory {output.parent}; make it first")
    if output.exists() and output.samefile(file):
        raise DataError(f"--output {output}: is the input; give another name")
    rows = read_rows(file)
    items = [
        _item(row, golds.read, f"{file}: row {number}", gold_column, response_column, strict) for number, row in enumerate(rows, start=1)
    ]
    with ScoringPool(workers or min(os.cpu_count() or 1, 8), DEADLINE, golds.code) as pool:
        verdicts = pool.judge(items, read, rules)
    graded = Graded(verdict.outcome for verdict in verdicts)
    graded.by_text = sum(verdict.by_text for verdict in verdicts)
    for row, verdict in zip(rows, verdicts, strict=True):
        row |= {"correct": verdict.outcome is Outcome.CORRECT, "outcome": verdict.outcome.value, "extracted": verdict.extracted}
        if graded.by_text or BY_TEXT in row:
            row[BY_TEXT] = verdict.by_text
    _write(output, rows)
    return graded


def _item(row: Any, read_gold: GoldReader, where: str, gold_column: str, response_column: str, strict: bool) -> ScoreItem:
    if not isinstance(row, dict):
        raise DataError(f"{where} is no object with named columns; repair or remove it")
    for column, option in ((gold_column, "--gold"), (response_column, "--response")):
        if row.get(column) is None:
            here = "is empty" if column in row else f"is missing (there are {', '.join(map(str, row))})"
            raise DataError(f"{where}: the column {column!r} {here}; name another by {option}, or repair or remove the row")
    response = row[response_column]
    if not isinstance(response, str):
        raise DataError(f"{where}: {response_column!r} is no text but {str(response)[:60]!r}; repair or remove it")
    task, gold = read_gold(row[gold_column], where)
    if strict and judged_by_text(task, gold):
        raise DataError(f"{where}: the gold {gold[:80]!r} cannot be read; repair or remove it, or leave --strict out to compare texts")
    return ScoreItem(task, response, gold)


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    """In one piece: a reader sees all rows or none."""
    try:
        with in_one_piece(path) as aside:
            if path.suffix == ".parquet":
                import pyarrow.parquet as pq

                pq.write_table(_table(rows), aside, compression="zstd")
            else:
                with aside.open("w", encoding="utf-8") as lines:
                    lines.writelines(json.dumps(row, ensure_ascii=False, default=str) + "\n" for row in rows)
    except OSError as error:
        raise DataError(f"--output {path}: {error.strerror}") from error


def _table(rows: list[dict[str, Any]]) -> pa.Table:
    """Columns of every row; one whose values are of different types, which Parquet cannot hold, becomes JSON text."""
    import pyarrow as pa

    names = [*dict.fromkeys(name for row in rows for name in row if name not in VERDICT), *VERDICT]
    columns = {}
    for name in names:
        values = [row.get(name) for row in rows]
        try:
            columns[name] = pa.array(values)
        except pa.ArrowException:
            columns[name] = pa.array([None if value is None else json.dumps(value, ensure_ascii=False, default=str) for value in values])
    columns["extracted"] = columns["extracted"].cast(pa.string())
    return pa.table(columns)
