"""The rows of one stage run: from the files of its directory into the tables of an open warehouse."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evals.analytics.errors import WarehouseError, first_line
from evals.analytics.keywords import Keyword, literal
from evals.analytics.reading import family_sum, read_responses
from evals.config import StageRun
from rl_core.rollout.records import ROLLOUT_SCHEMA, SAMPLE_SCHEMA

if TYPE_CHECKING:
    import duckdb

# Tables with a column `stage_run`, all that belongs to a stage run.
TABLES = (
    "stages",
    "checkpoints",
    "rollouts",
    "eval_samples",
    "reward_components",
    "keyword_hits",
    "keyword_patterns",
    "family_counts",
    "groups",
    "metrics",
    "scores",
    "comparisons",
    "files",
)
SCORE_COLUMNS = ("checkpoint", "benchmark", "subset", "mode", "metric", "value", "low", "high", "problems", "samples")
COMPARISON_COLUMNS = ("benchmark", "subset", "mode", "metric", "first", "second", "difference", "low", "high", "noise")
OPTIONAL_COLUMNS = {"subset", "low", "high"}
RESPONSE_FILES = {"rollouts": ("rollouts/*.parquet", ROLLOUT_SCHEMA), "eval_samples": ("samples/**/*.parquet", SAMPLE_SCHEMA)}
PLACE = {"rollouts": ("step", "group_index", "sample"), "eval_samples": ("checkpoint", "benchmark", "mode", "prompt_id", "sample")}
BATCH = 8192  # responses that are read together: what bounds the memory of reading


def key(stage: StageRun) -> str:
    """Key of a stage run: its directory below the workspace."""
    return f"{stage.experiment}/{stage.stage}-{stage.fingerprint[:8]}"


def changes(known: dict[str, tuple[int, int]], stage: StageRun) -> tuple[list[Path], bool]:
    """Files of a stage that are not in the database as they are now, and whether one that is there was changed or removed."""
    now = {str(path.relative_to(stage.directory)): (path, _mark(path)) for path in _files(stage)}
    new = [path for name, (path, mark) in now.items() if known.get(name) != mark]
    growing = {"metrics.jsonl", "manifest.json"}
    spoiled = any(name not in now or now[name][1] != mark for name, mark in known.items() if name not in growing)
    return new, spoiled


def bring_up_to_date(connection: duckdb.DuckDBPyConnection, stage: StageRun, keywords: Sequence[Keyword]) -> None:
    """Put the rows of a stage's new files into the tables; all of them anew where a file that is there was changed.

    Raises:
        WarehouseError: a file is broken.
    """
    run, reading = key(stage), _digest(keywords)
    row = connection.execute("SELECT reading FROM stages WHERE stage_run = ?", [run]).fetchone()
    found = connection.execute("SELECT file, bytes, modified FROM files WHERE stage_run = ?", [run]).fetchall()
    new, spoiled = changes({name: (size, modified) for name, size, modified in found}, stage)
    if spoiled or row is None or row[0] != reading:
        for table in TABLES:
            connection.execute(f"DELETE FROM {table} WHERE stage_run = ?", [run])
        for keyword in keywords:
            values = [run, keyword.family, keyword.version, keyword.name, keyword.pattern, keyword.turn]
            connection.execute("INSERT INTO keyword_patterns VALUES (?, ?, ?, ?, ?, ?)", values)
        new = list(_files(stage))
    for table, (pattern, _) in RESPONSE_FILES.items():
        fresh = set(new)
        _insert_files(connection, stage, table, [path for path in sorted(stage.directory.glob(pattern)) if path in fresh], keywords)
    _replace_small_tables(connection, stage, reading)


def _insert_files(
    connection: duckdb.DuckDBPyConnection, stage: StageRun, table: str, files: list[Path], keywords: Sequence[Keyword]
) -> None:
    batch: list[Path] = []
    rows = 0
    for path in files:
        count = _check(path, table)
        if batch and rows + count > BATCH:
            _insert_batch(connection, stage, table, batch, keywords)
            batch, rows = [], 0
        batch.append(path)
        rows += count
    if batch:
        _insert_batch(connection, stage, table, batch, keywords)


def _insert_batch(
    connection: duckdb.DuckDBPyConnection, stage: StageRun, table: str, files: list[Path], keywords: Sequence[Keyword]
) -> None:
    import duckdb

    columns = ", ".join('"group" AS group_index' if name == "group" else name for name in RESPONSE_FILES[table][1].names)  # a word of SQL
    source = f"(SELECT {columns} FROM read_parquet([{', '.join(literal(str(path)) for path in files)}], union_by_name = true))"
    try:
        insert_responses(connection, table, source, (key(stage), stage.experiment, stage.stage), keywords)
    except duckdb.Error as error:
        raise WarehouseError(f"{files[0].parent}: cannot be loaded ({first_line(error)}); run stage {stage.stage} again") from error


def insert_responses(
    connection: duckdb.DuckDBPyConnection, table: str, source: str, stage: tuple[str, str, str], keywords: Sequence[Keyword]
) -> None:
    """Read the responses of a relation into `rollouts` or `eval_samples`, with their prompts, hits, components and groups.

    Args:
        source: a relation with exactly the columns of the Parquet schema (`group` as `group_index`).
        stage: stage run, experiment and stage.
    """
    # DuckDB's hash() may change between versions; a digest does not.
    identity = ", ".join(f"{column}::VARCHAR" for column in PLACE[table])
    keyed = f"""(SELECT *, {literal(stage[0])} AS stage_run, {literal(stage[1])} AS experiment, {literal(stage[2])} AS stage,
        md5_number_lower(concat_ws(chr(31), {literal(stage[0])}, {identity}))::UBIGINT AS response_id,
        md5_number_lower(concat_ws(chr(31), prompt_id, task, coalesce(difficulty, ''), prompt, gold))::UBIGINT AS prompt_key
        FROM {source})"""
    connection.execute(f"CREATE OR REPLACE TEMP TABLE batch AS {read_responses(keyed, keywords)}")
    columns = ", ".join(
        name
        for (name,) in connection.execute(
            "SELECT column_name FROM duckdb_columns() WHERE database_name = current_database() AND table_name = ? AND column_name NOT IN "
            "('think', 'answer') ORDER BY column_index",
            [table],
        ).fetchall()
    )
    connection.execute(f"INSERT INTO {table} ({columns}) SELECT {columns} FROM batch")
    connection.execute("INSERT OR IGNORE INTO prompts SELECT DISTINCT prompt_key, prompt_id, task, difficulty, prompt, gold FROM batch")
    entries = ", ".join(
        f"{{'f': {literal(keyword.family)}, 'k': {literal(keyword.name)}, 'n': keyword_{at}}}" for at, keyword in enumerate(keywords)
    )
    connection.execute(
        f"INSERT INTO keyword_hits SELECT stage_run, response_id, hit.f, hit.k, hit.n FROM "
        f"(SELECT stage_run, response_id, unnest(list_filter([{entries}], lambda entry: entry.n > 0)) AS hit FROM batch)"
    )
    rewards = "NULL"
    if table == "rollouts":
        rewards = "max(reward) - min(reward)"
        connection.execute(
            "INSERT INTO reward_components SELECT stage_run, response_id, entry.key, entry.value FROM "
            "(SELECT stage_run, response_id, unnest(map_entries(components)) AS entry FROM batch)"
        )
    place = [column for column in ("step", "group_index", "checkpoint", "benchmark", "mode") if column in PLACE[table]]
    families = ", ".join(
        f"{{'f': {literal(name)}, 'n': {family_sum(keywords, name)}}}" for name in dict.fromkeys(k.family for k in keywords)
    )
    connection.execute(
        f"""
        INSERT INTO family_counts BY NAME
        SELECT stage_run, {", ".join(column for column in place if column != "group_index")}, difficulty, outcome, entry.f AS family,
            count(*) AS responses, sum(coalesce(think_tokens, response_tokens)) AS tokens, sum(entry.n) AS hits,
            count(*) FILTER (entry.n > 0) AS responses_with
        FROM (SELECT *, unnest([{families}]) AS entry FROM batch) GROUP BY ALL
        """
    )
    connection.execute(
        f"""
        INSERT INTO groups BY NAME
        SELECT stage_run, experiment, stage, {", ".join(place)}, prompt_id, any_value(difficulty) AS difficulty, count(*) AS responses,
            avg((outcome = 'correct')::INTEGER) AS solved, {rewards} AS reward_spread, count(DISTINCT extracted) AS distinct_answers,
            len(list_distinct(flatten(list(distinct_grams)))) / nullif(sum(len(grams)), 0) AS distinct_4grams
        FROM batch GROUP BY stage_run, experiment, stage, {", ".join(place)}, prompt_id
        """
    )
    connection.execute("DROP TABLE batch")


def _replace_small_tables(connection: duckdb.DuckDBPyConnection, stage: StageRun, reading: str) -> None:
    """What is a few rows per stage and may have changed since it was read: the stage itself, metrics, scores, checkpoints, files."""
    run = key(stage)
    for table in ("stages", "checkpoints", "metrics", "scores", "comparisons", "files"):
        connection.execute(f"DELETE FROM {table} WHERE stage_run = ?", [run])
    connection.execute(
        "INSERT INTO stages BY NAME SELECT ? AS stage_run, ? AS experiment, ? AS stage, ? AS kind, ? AS fingerprint, ? AS position, "
        "? AS start, ? AS directory, ? AS seconds, ? AS devices, ? AS reading",
        [
            run,
            *(getattr(stage, name) for name in ("experiment", "stage", "kind", "fingerprint", "position", "start")),
            str(stage.directory),
            stage.seconds,
            stage.devices,
            reading,
        ],
    )
    metrics = stage.directory / "metrics.jsonl"
    if metrics.is_file():
        _insert_rows(connection, stage, "metrics", ("step", "name", "value"), _metric_rows(metrics))
    scores = stage.directory / "scores.json"
    if scores.is_file():
        content = _read_json(scores)
        _insert_rows(connection, stage, "scores", SCORE_COLUMNS, _json_rows(scores, content, "scores", SCORE_COLUMNS))
        _insert_rows(connection, stage, "comparisons", COMPARISON_COLUMNS, _json_rows(scores, content, "comparisons", COMPARISON_COLUMNS))
    saved = [path for path in sorted(stage.directory.glob("checkpoints/step-*")) if path.is_dir()]
    _insert_rows(
        connection, stage, "checkpoints", ("step", "directory", "bytes"), ((_step(path), str(path), _size(path)) for path in saved)
    )
    for path in _files(stage):
        connection.execute("INSERT INTO files VALUES (?, ?, ?, ?)", [run, str(path.relative_to(stage.directory)), *_mark(path)])


def _files(stage: StageRun) -> Iterator[Path]:
    for pattern in (*(pattern for pattern, _ in RESPONSE_FILES.values()), "metrics.jsonl", "scores.json", "manifest.json"):
        yield from sorted(stage.directory.glob(pattern))


def _mark(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def _step(checkpoint: Path) -> int:
    return int(checkpoint.name.rpartition("-")[2])


def _size(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())


def _digest(keywords: Sequence[Keyword]) -> str:
    return hashlib.sha256(repr(sorted(map(repr, keywords))).encode()).hexdigest()[:16]


def _check(path: Path, table: str) -> int:
    """Rows of a Parquet file of responses, which is whole and has every column."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        metadata = pq.read_metadata(path)
    except (OSError, pa.ArrowException) as error:
        raise WarehouseError(f"{path}: not a readable Parquet file ({first_line(error)}); run its stage again with --force") from error
    names = set(metadata.schema.to_arrow_schema().names)
    missing = [field.name for field in RESPONSE_FILES[table][1] if field.name not in names]
    if missing:
        raise WarehouseError(
            f"{path}: column {missing[0]!r} is missing; run its stage again with --force, or read it with `r1flow analyze {path} --map …`"
        )
    return int(metadata.num_rows)


def _insert_rows(
    connection: duckdb.DuckDBPyConnection, stage: StageRun, table: str, columns: tuple[str, ...], rows: Iterable[tuple[Any, ...]]
) -> None:
    """Insert Python rows through one Arrow table (row-wise inserts take a millisecond each)."""
    import pyarrow as pa

    values = list(zip(*rows, strict=True))
    if not values:
        return
    batch = pa.table(dict(zip(columns, (list(column) for column in values), strict=True)))
    connection.register("batch", batch)
    connection.execute(
        f"INSERT INTO {table} BY NAME SELECT ? AS stage_run, ? AS experiment, ? AS stage, * FROM batch",
        [key(stage), stage.experiment, stage.stage],
    )
    connection.unregister("batch")


def _metric_rows(path: Path) -> Iterator[tuple[int, str, float]]:
    """(step, name, value) of metrics.jsonl; a step logged again after a resume counts once, with its last values.

    A last line without its end is still being written and is left out.
    """
    steps: dict[int, dict[str, Any]] = {}
    for number, line in enumerate(path.read_text().split("\n")[:-1], start=1):
        try:
            row = json.loads(line)
            steps[int(row["step"])] = row
        except (ValueError, TypeError, KeyError) as error:
            raise WarehouseError(f"{path}: line {number} is not a JSON object with a step; run its stage again with --force") from error
    for step, row in sorted(steps.items()):
        for name, value in row.items():
            if name != "step" and isinstance(value, int | float):
                yield step, name, float(value)


def _json_rows(path: Path, content: Any, key: str, columns: tuple[str, ...]) -> Iterator[tuple[Any, ...]]:
    rows = content.get(key, []) if isinstance(content, dict) else []
    for number, row in enumerate(rows, start=1):
        missing = [name for name in columns if name not in row and name not in OPTIONAL_COLUMNS]
        if missing:
            raise WarehouseError(f"{path}: {key} row {number} has no {missing[0]}; run its stage again with --force")
        yield tuple(row.get(name) for name in columns)


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        raise WarehouseError(f"{path}: not JSON ({error}); run its stage again with --force") from error


def scalar(connection: duckdb.DuckDBPyConnection, sql: str, parameters: list[Any] | None = None) -> Any:
    """The one value of a query of one row."""
    row = connection.execute(sql, parameters).fetchone()
    assert row is not None  # every caller selects an aggregate or a single-row table
    return row[0]
