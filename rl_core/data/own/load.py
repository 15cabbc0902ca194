"""From a user's rows to problems: read, filtered, checked, each once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from rl_core.data.own.columns import BadRow, ColumnReader, Columns, Draft
from rl_core.data.own.row_filter import RowFilter
from rl_core.data.own.source import hub_sets, local_files, read_file
from rl_core.data.prompts import DataError, Prompt
from rl_core.data.repeats import Different, without_repeats
from rl_core.data.rows import Row
from rl_core.errors import InputError
from rl_core.nearest import nearest


class Bad(NamedTuple):
    """A row that cannot be used."""

    where: str
    why: str


@dataclass
class OwnProblems:
    """What a source holds."""

    different: Different
    rows: int  # in all
    filtered: int  # rows that the filter leaves out
    bad: list[Bad] = field(default_factory=list)
    commits: list[str] = field(default_factory=list)  # of sets on the hub, as far as known


def load(
    sources: Sequence[str],
    columns: Columns,
    where: str | None,
    make: Callable[[Draft], Prompt],
    *,
    needs_answer: bool,
    on_bad_row: Literal["refuse", "drop"],
) -> OwnProblems:
    """Read every row once.

    Args:
        make: the prompt of a row; raises InputError for an answer that its verifier does not take.

    Raises:
        DataError: a file or the filter is wrong, a column is missing, no row is left, or a row is bad and that is refused.
    """
    chosen = RowFilter(where) if where else None
    bad: list[Bad] = []
    drafts: list[tuple[str, Draft | str]] = []
    commits: list[str] = []
    for origin, rows in _sources(sources, commits):
        reader = ColumnReader(columns, needs_answer=needs_answer)
        for row in rows:
            if row.broken:
                bad.append(Bad(row.where, row.broken))
                continue
            drafts.append((row.where, _read(reader, row)))
            if chosen:
                chosen.add(row.content if isinstance(row.content, dict) else {})
        if reader.missing and reader.known:
            name = next(iter(reader.missing))
            raise DataError(f"{origin}: there is no column {name!r}; {nearest(name, reader.known)}")
    read = len(drafts) + len(bad)
    if not read:
        raise DataError(f"{', '.join(sources)}: no rows; put them there, or name another file")
    if chosen:
        places = chosen.places()
        kept = [draft for place, draft in enumerate(drafts) if place in places]
        if not kept and drafts:
            raise DataError(f"where {where!r}: it is true of none of the {len(drafts):,} rows; change it, or remove it")
    else:
        kept = drafts
    prompts = list(_made(kept, make, bad))
    if bad and (on_bad_row == "refuse" or not prompts):
        remedy = "repair it, or set on_bad_row: drop" if prompts else "repair it, or change `columns` or `verifier`"
        raise DataError(f"{bad[0].where} {bad[0].why} (1 of {len(bad):,} bad rows); {remedy}")
    return OwnProblems(without_repeats(prompts), read, len(drafts) - len(kept), bad, commits)


def _sources(sources: Sequence[str], commits: list[str]) -> Iterator[tuple[str, Iterable[Row]]]:
    for path in local_files(sources):
        yield str(path), read_file(path)
    for found in hub_sets(sources):
        if commit := found.commit():
            commits.append(f"{found.id}@{commit}")
        yield found.id, found.rows(commit)


def _read(reader: ColumnReader, row: Row) -> Draft | str:
    try:
        return reader.read(row.content)
    except BadRow as error:
        return str(error)


def _made(drafts: Iterable[tuple[str, Draft | str]], make: Callable[[Draft], Prompt], bad: list[Bad]) -> Iterator[Prompt]:
    """The prompts of the good rows; the others are added to `bad`."""
    for where, draft in drafts:
        if isinstance(draft, str):
            bad.append(Bad(where, draft))
            continue
        try:
            yield make(draft)
        except InputError as error:
            bad.append(Bad(where, f"has an answer that cannot be used: {error}"))
