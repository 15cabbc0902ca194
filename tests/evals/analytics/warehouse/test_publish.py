import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evals.analytics import query
from evals.analytics.errors import WarehouseError
from evals.analytics.external.files import File
from evals.analytics.external.read import read_responses_of
from evals.analytics.query import QueryError
from evals.analytics.warehouse import publish as publishing
from evals.analytics.warehouse.migrations import MIGRATIONS, SCHEMA_VERSION
from evals.analytics.warehouse.publish import Part
from evals.config import StageRun
from rl_core.rollout.records import ROLLOUT_SCHEMA

RESPONSE = {
    "prompt_id": "p1",
    "task": "knights_knaves",
    "difficulty": "3",
    "prompt": "?",
    "prompt_tokens": 5,
    "think_tokens": 10,
    "answer_tokens": 2,
    "finish_reason": "stop",
    "gold": "g",
    "temperature": 1.0,
    "policy_version": 0,
    "advantage": 0.0,
    "logprob": -0.5,
    "step": 1,
}


def rl_stage(root: Path, rows: list[dict], name: str = "warmup", **fields: object) -> StageRun:
    directory = root / name
    (directory / "rollouts").mkdir(parents=True)
    rows = [{"sample": index, **RESPONSE, **row} for index, row in enumerate(rows)]
    pq.write_table(pa.Table.from_pylist(rows, schema=ROLLOUT_SCHEMA), directory / "rollouts" / "step-000001.parquet")
    values = {"experiment": "e", "stage": name, "kind": "rl", "fingerprint": "a" * 64, "directory": directory, "position": 1}
    return StageRun(**(values | fields))


def hand_made(root: Path) -> StageRun:
    """Two groups of two responses whose numbers are easy to work out."""
    think = "<think>é Step 1. Step 2: try again</think><answer>x</answer> too high"
    parts = {"think_start": 7, "think_end": 35 - 1, "answer_start": think.index("x<"), "answer_end": think.index("x<") + 1}
    assert think[7:34] == "é Step 1. Step 2: try again"
    plain = {"response": "First, check again", "think_tokens": None, "answer_tokens": None}
    return rl_stage(
        root,
        [
            {
                "group": 0,
                "response": think,
                **parts,
                "response_tokens": 20,
                "outcome": "correct",
                "reward": 3.0,
                "components": [("a", 2.0), ("f", 1.0)],
            },
            {"group": 0, **plain, "response_tokens": 10, "outcome": "wrong", "reward": -0.5, "components": [("a", -1.5), ("f", 1.0)]},
            {
                "group": 1,
                **plain,
                "response_tokens": 30,
                "outcome": "truncated",
                "finish_reason": "length",
                "reward": -3.0,
                "components": [],
            },
            {"group": 1, **plain, "response_tokens": 40, "outcome": "format_error", "reward": -3.0, "components": []},
        ],
    )


def test_build_counts_rows(experiment: list[StageRun], tmp_path: Path) -> None:
    counts = publishing.build(Part(experiment), tmp_path / "a.duckdb")
    assert counts == {
        "stages": 5,
        "rollouts": 36 * 32,
        "eval_samples": 4 * 2 * 20 * 5,
        "metrics": 36 * 8 + 40 * 4,
        "scores": 48,
        "comparisons": 60,
    }
    assert [path.name for path in tmp_path.iterdir()] == ["a.duckdb"]


def test_responses_carry_text_parts_and_keywords(tmp_path: Path) -> None:
    publishing.build(Part([hand_made(tmp_path)]), tmp_path / "a.duckdb")
    found = query.run(
        tmp_path / "a.duckdb",
        "SELECT think, answer, step_wise, reflection, map_from_entries(list((keyword, hits) ORDER BY keyword)) AS keywords "
        "FROM rollouts JOIN keyword_hits USING (response_id) WHERE family IN ('step_wise', 'reflection') "
        "GROUP BY think, answer, step_wise, reflection, sample ORDER BY sample",
    ).to_pylist()
    assert found[0] == {
        "think": "é Step 1. Step 2: try again",
        "answer": "x",
        "step_wise": 2,
        "reflection": 1,  # "too high" is outside the thinking
        "keywords": [("step N", 2), ("try again", 1)],
    }
    assert found[1] == {"think": None, "answer": None, "step_wise": 1, "reflection": 1, "keywords": [("check again", 1), ("first", 1)]}


def test_views_by_step(tmp_path: Path) -> None:
    database = tmp_path / "a.duckdb"
    publishing.build(Part([hand_made(tmp_path)]), database)

    def row(view: str) -> dict:
        (found,) = query.run(
            database, f"SELECT * EXCLUDE (stage_run, experiment, stage, position, step, total_step) FROM {view}"
        ).to_pylist()
        return found

    reward = row("reward_by_step")
    assert (reward["responses"], reward["reward"], reward["correct"]) == (4, -0.875, 0.25)
    assert row("errors_by_step") == {
        "correct": 0.25,
        "wrong": 0.25,
        "unparseable": 0.0,
        "format_error": 0.25,
        "truncated": 0.25,
        "timeout": 0.0,
    }
    length = row("length_by_step")
    assert (length["response_tokens"], length["think_tokens"], length["response_tokens_correct"], length["at_limit"]) == (
        25.0,
        10.0,
        20.0,
        0.25,
    )
    keywords = row("keywords_by_step")
    assert (keywords["step_wise"], keywords["reflection"], keywords["with_reflection"]) == (1.25, 1.0, 1.0)
    assert keywords["step_wise_per_1000_tokens"] == pytest.approx(1000 * 5 / (10 + 10 + 30 + 40))
    groups = row("groups_by_step")
    assert (groups["groups"], groups["informative"], groups["none_correct"], groups["all_correct"]) == (2, 0.5, 0.5, 0.0)
    components = query.run(database, "SELECT component, reward FROM reward_components_by_step ORDER BY component").to_pylist()
    assert components == [{"component": "a", "reward": 0.25}, {"component": "f", "reward": 1.0}]
    use = query.run(database, "SELECT occurrences, responses_with, correct FROM keyword_use WHERE keyword = 'step N'").to_pylist()
    assert use == [{"occurrences": 2, "responses_with": 1, "correct": 1.0}]


def test_families_by_difficulty_outcome_and_part(database: Path) -> None:
    """The view against the responses themselves."""
    for table, part, source in (("rollouts", "train", "task"), ("eval_samples", "test", "benchmark")):
        direct = query.run(
            database,
            f"SELECT {source} AS source, difficulty, count(*) AS responses, avg((reflection > 0)::INTEGER) AS responses_with, "
            "avg((reflection > 0)::INTEGER) FILTER (outcome = 'correct') AS of_the_right, "
            f"avg((reflection > 0)::INTEGER) FILTER (outcome <> 'correct') AS of_the_others FROM {table} WHERE stage <> 'five' "
            "GROUP BY ALL ORDER BY difficulty",
        ).to_pylist()
        summed = query.run(
            database,
            "SELECT source, difficulty, responses, responses_with, of_the_right, of_the_others FROM families_by_difficulty "
            f"WHERE part = '{part}' AND family = 'reflection' AND stage <> 'five' ORDER BY difficulty",
        ).to_pylist()
        assert [row["difficulty"] for row in summed] == ["3", "5"]
        for row, same in zip(summed, direct, strict=True):
            assert row == {name: pytest.approx(value) if isinstance(value, float) else value for name, value in same.items()}


def test_every_view_and_column_comment_holds(database: Path) -> None:
    views = query.run(database, "SELECT view_name FROM duckdb_views() WHERE NOT internal").column(0).to_pylist()
    assert len(views) == 24
    for view in views:
        assert query.run(database, f"SELECT * FROM {view}").num_rows > 0 or view == "collapse", view
    tables = query.run(database, "SELECT table_name FROM duckdb_tables() WHERE NOT internal").column(0).to_pylist()
    assert {"runs", "stages", "checkpoints", "prompts", "rollouts", "eval_samples", "reward_components", "keyword_hits", "metrics"} < set(
        tables
    )
    bare = query.run(
        database,
        "SELECT c.table_name, column_name FROM duckdb_columns() AS c JOIN duckdb_tables() USING (table_oid) WHERE c.comment IS NULL",
    )
    assert bare.to_pylist() == []


def test_older_tools_can_open_it(database: Path) -> None:
    (row,) = query.run(database, "SELECT tags FROM duckdb_databases() WHERE NOT internal").to_pylist()
    assert dict(row["tags"])["storage_version"].startswith("v1.5.0")


def test_curriculum_steps_count_on(database: Path) -> None:
    found = query.run(database, "SELECT stage, steps, steps_before FROM stages ORDER BY position").to_pylist()
    assert [(row["stage"], row["steps"], row["steps_before"]) for row in found] == [
        ("sft", 40, 0),
        ("warmup", 12, 0),
        ("five", 14, 12),
        ("anneal", 10, 26),
        ("scores", None, None),
    ]
    total = query.run(
        database, "SELECT min(total_step) AS low, max(total_step) AS high FROM reward_by_step WHERE stage = 'anneal'"
    ).to_pylist()
    assert total == [{"low": 27, "high": 36}]


def test_checkpoints_in_recipe_order(database: Path) -> None:
    found = query.run(database, "SELECT checkpoint FROM evaluated_checkpoints ORDER BY checkpoint_position").column(0).to_pylist()
    assert found == ["sft", "warmup", "five", "anneal"]


def test_metrics_of_a_resumed_step_count_once(tmp_path: Path) -> None:
    stage = hand_made(tmp_path)
    lines = ['{"step": 1, "reward": 1.0}', '{"step": 2, "reward": 2.0, "note": "x"}', '{"step": 2, "reward": 3.0, "kl": NaN}']
    (stage.directory / "metrics.jsonl").write_text("\n".join(lines) + "\n")
    publishing.build(Part([stage]), tmp_path / "a.duckdb")
    found = query.run(tmp_path / "a.duckdb", "SELECT step, name, value FROM metrics WHERE isfinite(value) ORDER BY step").to_pylist()
    assert found == [{"step": 1, "name": "reward", "value": 1.0}, {"step": 2, "name": "reward", "value": 3.0}]


def test_publish_replaces_its_rows_and_keeps_the_others(tmp_path: Path) -> None:
    first, second = hand_made(tmp_path / "one"), rl_stage(tmp_path / "two", [], experiment="other")
    workspace = tmp_path / "warehouse.duckdb"
    assert publishing.publish([Part([first])], workspace)["rollouts"] == 4
    assert publishing.publish([Part([second, first])], workspace) == {
        "stages": 2,
        "rollouts": 4,
        "eval_samples": 0,
        "metrics": 0,
        "scores": 0,
        "comparisons": 0,
    }
    assert publishing.publish([Part([first.model_copy(update={"fingerprint": "b" * 64})])], workspace)["rollouts"] == 8


def test_publish_does_not_disturb_readers(tmp_path: Path) -> None:
    workspace = tmp_path / "warehouse.duckdb"
    stage = hand_made(tmp_path)
    publishing.publish([Part([stage])], workspace)
    with query.connect(workspace) as reader:
        other = stage.model_copy(update={"experiment": "other"})
        publishing.publish([Part([other])], workspace)
        assert reader.execute("SELECT count(*) FROM rollouts").fetchone() == (4,)
    assert query.run(workspace, "SELECT count(*) AS n FROM rollouts").to_pylist() == [{"n": 8}]


@pytest.mark.slow
def test_concurrent_publishers_take_turns(tmp_path: Path) -> None:
    stage = hand_made(tmp_path)
    workspace = tmp_path / "warehouse.duckdb"
    stages = [stage.model_copy(update={"experiment": f"e{index}"}) for index in range(4)]
    threads = [threading.Thread(target=publishing.publish, args=([Part([one])], workspace)) for one in stages]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert query.run(workspace, "SELECT count(*) AS n FROM stages").to_pylist() == [{"n": 4}]


def test_a_failed_build_leaves_the_old_database(tmp_path: Path) -> None:
    database = tmp_path / "a.duckdb"
    stage = hand_made(tmp_path)
    publishing.build(Part([stage]), database)
    before = database.read_bytes()
    (stage.directory / "metrics.jsonl").write_text('{"step": 1}\n{"st\n')
    with pytest.raises(WarehouseError, match=r"metrics\.jsonl: line 2 is not a JSON object with a step"):
        publishing.build(Part([stage]), database)
    assert database.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.duckdb", "warmup"]


@pytest.mark.follows(
    "no such stage directory; run stage {} again",
    "run its stage again: r1flow run RECIPE --force STAGE",
    "or read it with `r1flow analyze",
)
def test_bad_inputs_name_the_file(tmp_path: Path) -> None:
    stage = hand_made(tmp_path)
    database = tmp_path / "a.duckdb"
    with pytest.raises(WarehouseError, match="no such stage directory; run stage warmup again"):
        publishing.build(Part([stage.model_copy(update={"directory": tmp_path / "gone"})]), database)
    rollouts = stage.directory / "rollouts" / "step-000002.parquet"
    rollouts.write_bytes(b"PAR1 not really")
    with pytest.raises(WarehouseError, match=r"step-000002\.parquet: not a readable Parquet file"):
        publishing.build(Part([stage]), database)
    pq.write_table(pa.table({"step": [1]}), rollouts)
    with pytest.raises(WarehouseError, match=r"step-000002\.parquet: column 'group' is missing"):
        publishing.build(Part([stage]), database)
    held = pq.read_table(rollouts.with_name("step-000001.parquet"))
    pq.write_table(held.set_column(held.column_names.index("step"), "step", pa.array([2**40] * len(held), pa.int64())), rollouts)
    with pytest.raises(WarehouseError, match=r"rollouts: cannot be loaded \(.*\); run its stage again"):
        publishing.build(Part([stage]), database)
    pq.write_table(pa.table({"question": ["1+1?"], "words": ["2"]}), rollouts)
    with pytest.raises(WarehouseError, match=r"column .* is missing; .* or read it with `r1flow analyze .* --map …`") as error:
        publishing.build(Part([stage]), database)
    (advised,) = re.findall("`r1flow analyze (.*) --map …`", str(error.value))
    assert [found.response for found in read_responses_of(File(Path(advised), {"prompt": "question", "response": "words"}))] == ["2"]
    rollouts.unlink()
    (stage.directory / "scores.json").write_text(json.dumps({"scores": [{"checkpoint": "a"}]}))
    with pytest.raises(WarehouseError, match=r"scores\.json: scores row 1 has no benchmark; run its stage again"):
        publishing.build(Part([stage]), database)
    (stage.directory / "scores.json").unlink()
    assert publishing.build(Part([hand_made(tmp_path / "again")]), database)["rollouts"] == 4


def test_files_of_different_versions_mix(tmp_path: Path) -> None:
    """A later version's extra column and wider numbers do not matter; a column of another kind is refused with its place."""
    stage = hand_made(tmp_path)
    rollouts = stage.directory / "rollouts"
    table = pq.read_table(rollouts / "step-000001.parquet")
    wider = table.set_column(0, "step", pa.array([2] * len(table), pa.int64())).append_column("mood", pa.array(["calm"] * len(table)))
    pq.write_table(wider, rollouts / "step-000002.parquet")
    database = tmp_path / "a.duckdb"
    assert publishing.build(Part([stage]), database)["rollouts"] == 8
    assert query.run(database, "SELECT step, count(*) AS n FROM rollouts GROUP BY step ORDER BY step").to_pylist() == [
        {"step": 1, "n": 4},
        {"step": 2, "n": 4},
    ]
    pq.write_table(table.set_column(0, "step", pa.array(["second"] * len(table))), rollouts / "step-000002.parquet")
    with pytest.raises(WarehouseError, match=r"step-000002\.parquet: column 'step' holds string, not int32; run its stage") as caught:
        publishing.build(Part([stage]), database)
    assert "\n" not in str(caught.value)


@pytest.mark.follows(
    "not a readable DuckDB file ({}); remove it to start anew",
    "a DuckDB file, but no r1flow warehouse; move it away",
    "update r1flow, or move the file away and run `r1flow ingest`",
)
def test_foreign_databases_are_refused(tmp_path: Path) -> None:
    stage = hand_made(tmp_path)
    workspace = tmp_path / "warehouse.duckdb"
    workspace.write_bytes(b"x" * 5000)
    with pytest.raises(WarehouseError, match="not a readable DuckDB file"):
        publishing.publish([Part([stage])], workspace)
    workspace.unlink()
    with duckdb.connect(workspace) as connection:
        connection.execute("CREATE TABLE t (x INTEGER)")
    with pytest.raises(WarehouseError, match="no r1flow warehouse"):
        publishing.publish([Part([stage])], workspace)
    workspace.unlink()
    publishing.publish([Part([stage])], workspace)
    with duckdb.connect(workspace) as connection:
        connection.execute("UPDATE schema_version SET version = 99")
    with pytest.raises(WarehouseError, match="version 99"):
        publishing.publish([Part([stage])], workspace)
    workspace.unlink()
    assert publishing.publish([Part([stage])], workspace)["rollouts"] == 4


# Opens a database for writing by itself, and leaves what it wrote in the write-ahead log.
WRITER = """
import sys, time, duckdb
connection = duckdb.connect(sys.argv[1])
connection.execute("SET checkpoint_threshold = '1GB'")
connection.execute("CREATE TABLE mine AS SELECT 1 AS x")
print("ready", flush=True)
time.sleep(300)
"""


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A published database, held by another program."""
    publishing.publish([Part([hand_made(tmp_path)])], tmp_path / "warehouse.duckdb")
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path / "warehouse.duckdb")], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


@pytest.mark.follows("has it open for writing; wait until it closes it, or end it")
def test_a_program_that_writes_into_the_warehouse_is_named(writer: subprocess.Popen[str], tmp_path: Path) -> None:
    with pytest.raises(QueryError, match=rf"process {writer.pid} \(.*python.*\) has it open for writing; wait until it closes it"):
        query.run(tmp_path / "warehouse.duckdb", "SELECT 1")
    writer.terminate()
    writer.wait()
    assert query.run(tmp_path / "warehouse.duckdb", "SELECT 1 AS x").to_pylist() == [{"x": 1}]


@pytest.mark.parametrize("killed", [False, True])
def test_the_log_of_a_program_that_wrote_into_the_warehouse_spoils_nothing(
    writer: subprocess.Popen[str], tmp_path: Path, killed: bool
) -> None:
    database = tmp_path / "warehouse.duckdb"
    if killed:
        writer.kill()
        writer.wait()
    assert not publishing.is_current([], database)
    (tmp_path / "more").mkdir()
    publishing.publish([Part([hand_made(tmp_path / "more")])], database)
    assert query.run(database, "SELECT count(*) AS n FROM rollouts").to_pylist() == [{"n": 4}]


@pytest.mark.follows("its log does not fit any more; `r1flow ingest` makes it whole again")
def test_a_log_that_does_not_fit_is_said_and_the_remedy_works(tmp_path: Path) -> None:
    database = tmp_path / "warehouse.duckdb"
    part = Part([hand_made(tmp_path)])
    publishing.publish([part], database)
    with duckdb.connect(tmp_path / "other.duckdb") as connection:
        connection.execute("SET checkpoint_threshold = '1GB'")
        connection.execute("CREATE TABLE mine AS SELECT 1 AS x")
        shutil.copyfile(tmp_path / "other.duckdb.wal", tmp_path / "warehouse.duckdb.wal")
    with pytest.raises(QueryError, match="its log does not fit any more; `r1flow ingest` makes it whole again"):
        query.run(database, "SELECT 1")
    publishing.publish([part], database)
    assert query.run(database, "SELECT count(*) AS n FROM rollouts").to_pylist() == [{"n": 4}]


@pytest.mark.follows("and a new one was made; `r1flow ingest` brings in what it lacks")
def test_a_damaged_warehouse_is_set_aside_and_made_anew(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    database = tmp_path / "warehouse.duckdb"
    part = Part([hand_made(tmp_path)])
    rows = publishing.publish([part], database)
    content = database.read_bytes()
    database.write_bytes(content[: len(content) // 2])
    assert publishing.publish([part], database) == rows
    assert query.run(database, "SELECT count(*) AS n FROM rollouts").to_pylist() == [{"n": 4}]
    assert "was damaged" in capsys.readouterr().err
    assert (tmp_path / "warehouse.duckdb.damaged").stat().st_size == len(content) // 2


FULL = """
import resource, signal, sys
from pathlib import Path
from evals.analytics.warehouse import publish as publishing
from evals.config import StageRun
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]),) * 2)
stage = StageRun.model_validate_json(sys.argv[1])
try:
    publishing.publish([publishing.Part([stage])], Path(sys.argv[2]))
except ValueError as error:
    print(type(error).__name__, error)
except OSError as error:
    print(error.strerror)
"""


@pytest.mark.slow
@pytest.mark.follows("make room, and run the same command again")
@pytest.mark.parametrize("room", [0, 100_000, 1_000_000])
@pytest.mark.parametrize("there", [False, True])
def test_a_full_disk_is_no_damage(tmp_path: Path, room: int, there: bool) -> None:
    """Files may not grow beyond a size, which is an error of the same kind."""
    database, before = tmp_path / "warehouse.duckdb", b""
    if there:
        publishing.publish([Part([hand_made(tmp_path / "first")])], database)
        before = database.read_bytes()
    stage = rl_stage(
        tmp_path / "second", [{"group": 0, "response": "x", "response_tokens": 1, "outcome": "wrong", "reward": 0.0}], "second"
    )
    command = [sys.executable, "-c", FULL, stage.model_dump_json(), str(database), str(room)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if said != "File too large\n":  # as the file there was copied
        assert said.startswith(f"WarehouseError {database}: cannot be written (")
        assert said.endswith("File too large); make room, and run the same command again\n")
    assert not there or database.read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} <= {"first", "second", "warehouse.duckdb", "warehouse.duckdb.lock"}
    publishing.publish([Part([stage])], database)
    assert query.run(database, "SELECT stage FROM stages WHERE stage = 'second'").num_rows == 1


NAMES = ("what?", "a?b=c&d", "what? 2", "it's; [one]", "* a#b%20c")  # of directories, as a person may call them


@pytest.mark.parametrize("name", NAMES)
def test_any_name_of_a_directory_will_do(tmp_path: Path, name: str) -> None:
    root = tmp_path / name
    database, part = root / "warehouse.duckdb", Part([hand_made(root)])
    rows = publishing.publish([part], database)
    assert rows["rollouts"] == 4
    assert publishing.is_current([part], database)
    assert publishing.publish([part, Part([hand_made(root / "more")])], database) == rows
    assert query.run(database, "SELECT count(*) AS n FROM rollouts").to_pylist() == [{"n": 4}]
    with query.connect(database) as first, query.connect(database) as second:
        for connection in (first, second):
            with pytest.raises(QueryError, match="disabled by configuration"):
                query.ask(connection, "SELECT * FROM read_text('/etc/hostname')", {})
            with pytest.raises(QueryError, match="configuration has been locked"):
                query.ask(connection, "SET enable_external_access = true", {})
    (tmp_path / "linked").symlink_to(root, target_is_directory=True)
    assert publishing.publish([part], tmp_path / "linked" / "warehouse.duckdb") == rows
    assert {path.name for path in root.iterdir()} == {"warmup", "more", "warehouse.duckdb", "warehouse.duckdb.lock"}
    assert {path.name for path in tmp_path.iterdir()} == {name, "linked"}


@contextmanager
def as_a_stranger() -> Iterator[None]:
    """Root may do everything: meanwhile this process is somebody else's."""
    own = os.geteuid()
    if own == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(own)


@pytest.mark.follows("remove the cause, and run the same command again", "remove the cause, and ask again")
def test_what_the_system_refuses_is_no_damage() -> None:
    with tempfile.TemporaryDirectory() as root:
        Path(root).chmod(0o555)
        database, part = Path(root) / "warehouse.duckdb", Part([])
        with (
            as_a_stranger(),
            pytest.raises(WarehouseError, match=r"Permission denied.; nothing is damaged: remove the cause, and run the same"),
        ):
            publishing.build(part, database)
        Path(root).chmod(0o755)
        publishing.build(part, database)
        database.chmod(0)
        with as_a_stranger(), pytest.raises(QueryError, match=r"Permission denied.*nothing is damaged: remove the cause, and ask again"):
            query.run(database, "SELECT 1")
        database.chmod(0o444)
        with as_a_stranger():
            assert query.run(database, "SELECT * FROM stages").num_rows == 0


def test_a_moved_database_opens(database: Path, tmp_path: Path) -> None:
    """Views refer to tables of their own file, whatever it is called."""
    shutil.copyfile(database, tmp_path / "renamed.duckdb")
    assert query.run(tmp_path / "renamed.duckdb", "SELECT * FROM errors_by_step").num_rows == 36


def contents(database: Path) -> dict[str, list[tuple]]:
    """Every table without what differs from place to place, sorted."""
    with duckdb.connect(database, read_only=True) as connection:
        tables = [name for (name,) in connection.execute("SELECT table_name FROM duckdb_tables() ORDER BY 1").fetchall()]
        return {table: sorted(connection.execute(f"SELECT * FROM {table}").fetchall(), key=repr) for table in tables}


@pytest.mark.slow
def test_order_and_repetition_of_ingest_do_not_matter(experiment: list[StageRun], tmp_path: Path) -> None:
    one, other = tmp_path / "one.duckdb", tmp_path / "other.duckdb"
    chosen = [experiment[3], experiment[2], experiment[1]]
    publishing.publish([Part(chosen)], one)
    publishing.publish([Part(chosen[::-1])], other)
    assert contents(one) == contents(other)
    publishing.publish([Part(chosen), Part(chosen)], other)
    assert contents(one) == contents(other)


def test_only_new_files_are_read_again(tmp_path: Path) -> None:
    stage = hand_made(tmp_path)
    rollouts = stage.directory / "rollouts"
    database, whole = tmp_path / "a.duckdb", tmp_path / "whole.duckdb"
    publishing.publish([Part([stage])], database)
    assert publishing.is_current([Part([stage])], database)
    table = pq.read_table(rollouts / "step-000001.parquet")
    second = table.set_column(0, table.schema.field(0), pa.array([2] * len(table), pa.int32()))
    pq.write_table(second, rollouts / "step-000002.parquet")
    assert not publishing.is_current([Part([stage])], database)
    assert publishing.publish([Part([stage])], database)["rollouts"] == 8
    publishing.build(Part([stage]), whole)
    assert contents(database) == contents(whole)
    pq.write_table(second.slice(0, 1), rollouts / "step-000002.parquet")  # a step made again after a crash
    assert publishing.publish([Part([stage])], database)["rollouts"] == 5


@pytest.mark.slow
def test_a_writer_that_was_killed_leaves_the_old_rows_and_the_next_one_is_whole(tmp_path: Path) -> None:
    stage = hand_made(tmp_path)
    database, whole = tmp_path / "a.duckdb", tmp_path / "whole.duckdb"
    publishing.publish([Part([stage.model_copy(update={"experiment": "before"})])], database)
    program = (
        "import os, sys; from evals.analytics.warehouse import publish, stage_rows; from evals.config import StageRun\n"
        "from pathlib import Path\n"
        "stage_rows._replace_small_tables = lambda *_: os._exit(9)\n"
        "publish.publish([publish.Part([StageRun.model_validate_json(sys.argv[1])])], Path(sys.argv[2]))"
    )
    done = subprocess.run([sys.executable, "-c", program, stage.model_dump_json(), str(database)], check=False)
    assert done.returncode == 9
    assert query.run(database, "SELECT count(*) AS n FROM rollouts").to_pylist() == [{"n": 4}]
    both = [Part([stage.model_copy(update={"experiment": "before"})]), Part([stage])]
    publishing.publish(both[1:], database)
    publishing.publish(both, whole)
    assert contents(database) == contents(whole)


@pytest.mark.slow
def test_a_database_of_the_first_version_is_brought_up_to_date(tmp_path: Path) -> None:
    stage = hand_made(tmp_path)
    old, new = tmp_path / "old.duckdb", tmp_path / "new.duckdb"
    file = stage.directory / "rollouts" / "step-000001.parquet"
    with duckdb.connect(old) as connection:
        connection.execute(MIGRATIONS[0].read_text())
        connection.execute("INSERT INTO schema_version VALUES (1)")
        connection.execute("CREATE VIEW reward_by_step AS FROM rollouts")
        connection.execute(
            'INSERT INTO rollouts BY NAME SELECT * EXCLUDE ("group"), "group" AS group_index, \'e/warmup-aaaaaaaa\' AS stage_run, '
            "'e' AS experiment, 'warmup' AS stage, 0 AS step_wise, 0 AS reflection, MAP {} AS keywords FROM read_parquet(?)",
            [str(file)],
        )
    publishing.publish([], old)
    publishing.build(Part([stage]), new)
    for table in ("rollouts", "prompts", "keyword_hits", "reward_components", "groups"):
        assert contents(old)[table] == contents(new)[table], table
    assert query.run(old, "FROM schema_version").to_pylist() == [{"version": SCHEMA_VERSION}]
    assert "old_rollouts" not in contents(old)


@pytest.mark.slow
def test_a_database_of_the_second_version_is_read_again(tmp_path: Path) -> None:
    """Its families did not know their task."""
    stage = hand_made(tmp_path)
    database, new = tmp_path / "a.duckdb", tmp_path / "new.duckdb"
    publishing.publish([Part([stage])], database)
    publishing.build(Part([stage]), new)
    with duckdb.connect(database) as connection:
        for (view,) in connection.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall():
            connection.execute(f"DROP VIEW {view}")
        connection.execute("ALTER TABLE family_counts DROP COLUMN task")
        connection.execute("UPDATE schema_version SET version = 2")
    publishing.publish([Part([stage])], database)
    assert contents(database)["family_counts"] == contents(new)["family_counts"]


def test_a_newer_database_is_left_as_it_is(tmp_path: Path) -> None:
    database = tmp_path / "a.duckdb"
    publishing.publish([], database)
    with duckdb.connect(database) as connection:
        connection.execute("UPDATE schema_version SET version = 99")
    before = database.read_bytes()
    with pytest.raises(WarehouseError, match="version 99, of a newer r1flow"):
        publishing.publish([Part([hand_made(tmp_path)])], database)
    assert database.read_bytes() == before


@pytest.mark.slow
def test_two_readers_and_one_writer_at_once(tmp_path: Path) -> None:
    database = tmp_path / "a.duckdb"
    stage = hand_made(tmp_path)
    publishing.publish([], database)
    seen: list[set[int]] = [set(), set()]
    done = threading.Event()

    def read(counts: set[int]) -> None:
        while not done.is_set():
            counts.update(row["n"] for row in query.run(database, "SELECT count(*) AS n FROM rollouts").to_pylist())

    readers = [threading.Thread(target=read, args=(counts,)) for counts in seen]
    for reader in readers:
        reader.start()
    for number in range(3):
        publishing.publish([Part([stage.model_copy(update={"experiment": f"e{number}"})])], database)
    done.set()
    for reader in readers:
        reader.join()
    assert all(counts and counts <= {0, 4, 8, 12} for counts in seen)


def test_groups_history_and_collapse(tmp_path: Path) -> None:
    """A stage of 20 steps of 2 responses to 1 prompt; from step 13 on it repeats itself to the limit."""
    stage = rl_stage(tmp_path, [])
    for step in range(1, 21):
        lost = step >= 13
        rows = [
            {
                "step": step,
                "group": 0,
                "prompt_id": "p",
                "task": "t",
                "sample": sample,
                "prompt": "q",
                "response": "go on and on " * 20 if lost else f"Wait, it is {sample}",
                "prompt_tokens": 1,
                "response_tokens": 80,
                "finish_reason": "length" if lost else "stop",
                "outcome": "truncated" if lost else "correct" if sample == 0 and step > 2 else "wrong",
                "extracted": None if lost else str(sample),
                "gold": "0",
                "temperature": 1.0,
                "policy_version": step - 1,
                "reward": float(sample == 0),
                "components": [("t", float(sample == 0))],
                "advantage": 0.0,
                "logprob": -1.0,
            }
            for sample in range(2)
        ]
        pq.write_table(pa.Table.from_pylist(rows, schema=ROLLOUT_SCHEMA), stage.directory / "rollouts" / f"step-{step:06d}.parquet")
    database = tmp_path / "a.duckdb"
    publishing.build(Part([stage]), database)
    assert query.run(database, "SELECT stage, onset FROM collapse").to_pylist() == [{"stage": "warmup", "onset": 13}]
    assert query.run(database, "SELECT step FROM reflection_onset").to_pylist() == [{"step": 1}]
    (history,) = query.run(database, "SELECT solved, responses, story FROM solve_history").to_pylist()
    assert history == {"solved": [0.0] * 2 + [0.5] * 10 + [0.0] * 8, "responses": 40, "story": "forgotten"}
    groups = query.run(database, "SELECT distinct_answers, distinct_4grams, reward_spread FROM groups WHERE step IN (1, 20) ORDER BY step")
    # 2 x 1 4-gram "Wait, it is 0/1": both different; 2 x 77 4-grams of which 4 differ
    assert groups.to_pylist() == [
        {"distinct_answers": 2, "distinct_4grams": 1.0, "reward_spread": 1.0},
        {"distinct_answers": 0, "distinct_4grams": pytest.approx(4 / 154), "reward_spread": 1.0},
    ]
