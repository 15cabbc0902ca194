from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from flows.runs.verify_databases import check_mlflow, check_prefect, check_warehouse
from tasks.workspace import Workspace, write_record


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_BACKEND_STORE_URI"):
        monkeypatch.delenv(name, raising=False)
    return Workspace.at(tmp_path)


def test_a_warehouse_is_missing_only_where_one_was_made(workspace: Workspace) -> None:
    assert check_warehouse(workspace, wanted=False) is None
    assert check_warehouse(workspace, wanted=True) == ("damaged", "is missing")


def test_no_bit_of_a_warehouses_rows_flips_unseen(workspace: Workspace) -> None:
    with duckdb.connect(workspace.warehouse) as connection:
        connection.execute("CREATE TABLE rollouts AS SELECT i AS step, repeat(md5(i::VARCHAR), 20) AS response FROM range(1000) t(i)")
        connection.execute("CREATE VIEW steps AS SELECT step FROM rollouts")
    assert check_warehouse(workspace, wanted=True) == ("sound", "1,000 rows in 1 tables")
    with duckdb.connect(workspace.warehouse, read_only=True) as connection:
        expected = connection.execute("FROM rollouts").fetchall()
    whole = workspace.warehouse.read_bytes()
    seen = 0
    for place in range(5000, len(whole), len(whole) // 16):
        flipped = bytearray(whole)
        flipped[place] ^= 8
        workspace.warehouse.write_bytes(flipped)
        state, text = check_warehouse(workspace, wanted=True) or ("", "")
        if state == "damaged":
            assert text.startswith("cannot be read (")
            seen += 1
        else:  # in a block that nothing uses
            with duckdb.connect(workspace.warehouse, read_only=True) as connection:
                assert connection.execute("FROM rollouts").fetchall() == expected
    assert seen >= 5
    for content in (b"", whole[: len(whole) // 2]):
        workspace.warehouse.write_bytes(content)
        assert (check_warehouse(workspace, wanted=True) or ("",))[0] == "damaged"


def test_a_warehouse_that_a_process_writes_is_not_judged(workspace: Workspace) -> None:
    script = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); c.execute('CREATE TABLE t (a INT)'); print(1, flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", script, str(workspace.warehouse)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        process.stdout.readline()
        assert check_warehouse(workspace, wanted=True) == ("in work", "a process has it open for writing")
        process.stdin.close()


@pytest.fixture
def stage(workspace: Workspace) -> Path:
    """A stage of which MLflow's database has heard to the end."""
    directory = workspace.root / "mini" / "warm-01234567"
    directory.mkdir(parents=True)
    (directory / "metrics.jsonl").write_text('{"step": 1, "reward": 0.25, "seconds/train": NaN}\n{"step": 2, "reward": 0.5}\n')
    notes = {"tracking_uri": "sqlite:////before/it/was/moved/mlflow.db", "run": "abc", "closed": True, "models": {}}
    write_record(directory / "mlflow.json", notes | {"settings": {"steps": "2"}})
    with closing(sqlite3.connect(workspace.root / "mlflow.db")) as connection:
        connection.executescript(
            """
            CREATE TABLE runs (run_uuid TEXT);
            CREATE TABLE params (run_uuid TEXT, key TEXT, value TEXT);
            CREATE TABLE metrics (run_uuid TEXT, key TEXT, step INT, value REAL, is_nan BOOL);
            INSERT INTO runs VALUES ('abc');
            INSERT INTO params VALUES ('abc', 'steps', '2');
            INSERT INTO metrics VALUES ('abc', 'reward', 1, 0.25, 0), ('abc', 'reward', 2, 0.5, 0);
            INSERT INTO metrics VALUES ('abc', 'system/seconds/train', 1, 0, 1);
            """
        )
    return directory


def change(workspace: Workspace, statement: str) -> None:
    with closing(sqlite3.connect(workspace.root / "mlflow.db")) as connection:
        connection.execute(statement)
        connection.commit()


@pytest.mark.parametrize(
    ("statement", "text"),
    [
        ("UPDATE metrics SET value = 0.75 WHERE step = 2", "metric reward of step 2 is not that of stage mini/warm-01234567"),
        ("UPDATE metrics SET is_nan = 0 WHERE is_nan", "metric seconds/train of step 1 is not that of"),
        ("DELETE FROM metrics WHERE step = 1", "metric reward of step 1 is not that of"),
        ("UPDATE params SET value = '3'", "setting steps is not that of"),
        ("DROP TABLE params", "cannot be read (no such table: params)"),
    ],
)
def test_mlflow_must_say_what_the_stages_files_say(workspace: Workspace, stage: Path, statement: str, text: str) -> None:
    assert check_mlflow(workspace, [stage]) == ("sound", "agrees with 1 stages")
    change(workspace, statement)
    state, found = check_mlflow(workspace, [stage]) or ("", "")
    assert state == "damaged"
    assert found.startswith(text)
    assert found.endswith("a new one is made of the stages' files")


def test_what_a_person_deletes_in_mlflow_is_no_damage(workspace: Workspace, stage: Path) -> None:
    change(workspace, "DELETE FROM runs")
    assert check_mlflow(workspace, [stage]) == ("sound", "agrees with 1 stages")


def test_a_stage_that_went_on_may_have_other_times_in_mlflow(workspace: Workspace, stage: Path) -> None:
    change(workspace, "UPDATE metrics SET value = 0.75 WHERE step = 2")
    owner = {"host": "here", "pid": 1, "born": 0.0}
    state = {"state": "done", "owner": owner, "started": 0.0, "heartbeat": 0.0, "attempt": 2}
    write_record(stage / "state.json", state)
    assert check_mlflow(workspace, [stage]) == ("sound", "agrees with 1 stages")
    write_record(stage / "state.json", state | {"attempt": 1})
    assert (check_mlflow(workspace, [stage]) or ("",))[0] == "damaged"
    write_record(stage / "state.json", state)
    change(workspace, "DELETE FROM metrics WHERE step = 2")
    assert (check_mlflow(workspace, [stage]) or ("",))[0] == "damaged"


def test_mlflow_on_a_server_is_not_judged(workspace: Workspace, stage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    assert check_mlflow(workspace, [stage]) is None


def test_a_database_that_is_missing_cut_empty_or_locked(workspace: Workspace, stage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flows.runs.verify_databases.WAIT", 0.1)
    database = workspace.root / "mlflow.db"
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        assert check_mlflow(workspace, [stage]) == ("in work", "a process has it open for writing")
    whole = database.read_bytes()
    for content in (whole[: len(whole) // 2], b"", b"no database" * 1000):
        database.write_bytes(content)
        assert (check_mlflow(workspace, [stage]) or ("",))[0] == "damaged"
    database.unlink()
    assert check_mlflow(workspace, [stage]) == ("damaged", "is missing; a new one is made of the stages' files")
    assert check_mlflow(workspace, []) is None


def test_the_structure_of_prefects_database(workspace: Workspace) -> None:
    assert check_prefect(workspace) is None
    path = workspace.prefect_home / "prefect.db"
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE flow_run (id TEXT)")
        connection.executemany("INSERT INTO flow_run VALUES (?)", [(json.dumps([number] * 50),) for number in range(200)])
        connection.commit()
    assert check_prefect(workspace) == ("sound", "its structure is whole")
    content = bytearray(path.read_bytes())
    content[4096:4104] = b"\xff" * 8  # the head of the table's page
    path.write_bytes(content)
    assert (check_prefect(workspace) or ("",))[0] == "damaged"
