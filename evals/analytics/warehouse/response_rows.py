"""The rows of responses: batches of them are read side by side and go into the tables one after another."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evals.analytics.keywords import Keyword, literal
from evals.analytics.repetition import character_repetition
from evals.analytics.warehouse.response_features import family_sum, read_responses, statement

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

PLACE = {"rollouts": ("step", "group_index", "sample"), "eval_samples": ("checkpoint", "benchmark", "mode", "prompt_id", "sample")}
READERS = 4  # batches at once, where there are as many cores: each takes about 0.4 GB


@dataclass(frozen=True)
class Batch:
    """What was read in some responses, not yet in the tables."""

    responses: pa.Table  # the columns of `rollouts` or `eval_samples`, `prompt`, `gold`, `components` and `keyword_0`, …
    groups: pa.Table


def read_side_by_side(
    connection: duckdb.DuckDBPyConnection, table: str, sources: Iterable[str], stage: tuple[str, str, str], keywords: Sequence[Keyword]
) -> Iterator[Batch]:
    """Batches of responses in the order of `sources`, as many at once as there are cores; the arguments are those of `read`."""
    readers = min(READERS, len(os.sched_getaffinity(0)))
    with ThreadPoolExecutor(readers) as pool:  # the engine works without Python's lock
        waiting: deque[Future[Batch]] = deque()
        for source in sources:
            waiting.append(pool.submit(read, connection.cursor(), table, source, stage, keywords))
            if len(waiting) > readers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def read(connection: duckdb.DuckDBPyConnection, table: str, source: str, stage: tuple[str, str, str], keywords: Sequence[Keyword]) -> Batch:
    """Read responses, which must hold whole groups.

    Args:
        table: `rollouts` or `eval_samples`.
        source: a SELECT of exactly the columns of the Parquet schema (`group` as `group_index`).
        stage: stage run, experiment and stage.
    """
    import pyarrow as pa

    # DuckDB's hash() may change between versions; a digest does not.
    identity = ", ".join(f"{column}::VARCHAR" for column in PLACE[table])
    keyed = f"""(SELECT *, {literal(stage[0])} AS stage_run, {literal(stage[1])} AS experiment, {literal(stage[2])} AS stage,
        md5_number_lower(concat_ws(chr(31), {literal(stage[0])}, {identity}))::UBIGINT AS response_id,
        md5_number_lower(concat_ws(chr(31), prompt_id, task, coalesce(difficulty, ''), coalesce(prompt, ''), coalesce(gold, '')))::UBIGINT
            AS prompt_key
        FROM ({source}))"""
    rewards = "if(count(reward) > 1, max(reward) - min(reward), NULL)" if table == "rollouts" else "NULL"
    read_responses(connection, "being_read", keyed, keywords)
    groups = connection.sql(statement("groups", place=", ".join(_place(table)), reward_spread=rewards)).to_arrow_table()
    responses = connection.sql("SELECT * EXCLUDE (grams, distinct_grams, prose, before_turn) FROM being_read").to_arrow_table()
    connection.execute("DROP TABLE being_read")
    repeated = pa.array([character_repetition(text) for text in responses["response"].to_pylist()], pa.float64())
    return Batch(responses.append_column("character_repetition", repeated), groups)


def insert(connection: duckdb.DuckDBPyConnection, table: str, batch: Batch, keywords: Sequence[Keyword]) -> None:
    """Put a batch into `rollouts` or `eval_samples` and into the tables of prompts, hits, components, families and groups."""
    connection.register("batch", batch.responses)
    connection.register("batch_groups", batch.groups)
    names = connection.execute(
        "SELECT column_name FROM duckdb_columns() WHERE database_name = current_database() AND table_name = ? AND column_name NOT IN "
        "('think', 'answer') ORDER BY column_index",
        [table],
    ).fetchall()
    columns = ", ".join(name for (name,) in names)
    connection.execute(f"INSERT INTO {table} ({columns}) SELECT {columns} FROM batch")
    connection.execute("INSERT OR IGNORE INTO prompts SELECT DISTINCT prompt_key, prompt_id, task, difficulty, prompt, gold FROM batch")
    entries = ", ".join(
        f"{{'f': {literal(keyword.family)}, 'k': {literal(keyword.name)}, 'n': keyword_{at}}}" for at, keyword in enumerate(keywords)
    )
    connection.execute(
        f"INSERT INTO keyword_hits SELECT stage_run, response_id, hit.f, hit.k, hit.n FROM "
        f"(SELECT stage_run, response_id, unnest(list_filter([{entries}], lambda entry: entry.n > 0)) AS hit FROM batch)"
    )
    if table == "rollouts":
        connection.execute(
            "INSERT INTO reward_components SELECT stage_run, response_id, entry.key, entry.value FROM "
            "(SELECT stage_run, response_id, unnest(map_entries(components)) AS entry FROM batch)"
        )
    families = ", ".join(
        f"{{'f': {literal(name)}, 'n': {family_sum(keywords, name)}}}" for name in dict.fromkeys(k.family for k in keywords)
    )
    place = ", ".join(column for column in _place(table) if column != "group_index")
    connection.execute(statement("family_counts", place=place, families=families))
    connection.execute("INSERT INTO groups BY NAME FROM batch_groups")
    connection.unregister("batch")
    connection.unregister("batch_groups")


def _place(table: str) -> list[str]:
    """The columns that identify a group, except its prompt."""
    return [column for column in PLACE[table] if column not in ("prompt_id", "sample")]
