"""MLflow away, locked, or left by a killed run: nothing stops, nothing is missing afterwards, nothing is there twice."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import mlflow
import pytest
import sqlalchemy

from rl_core.fence import Fence
from rl_core.training.journal import Journal
from tasks.provenance import made_with
from tasks.stage.digests import Digests
from tasks.stage.records import MLFLOW, SPEC
from tasks.stage.spec import StageSpec, at_work, write_manifest
from tasks.tracking.experiment_run import Lineage, TrackingError
from tasks.workspace import Workspace, read_json, write_record

pytestmark = pytest.mark.slow
SpecOf = Callable[..., StageSpec]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace whose store is made once, for its migrations take seconds: in the place of a file that was none."""
    root = tmp_path_factory.mktemp("workspace")
    (root / "mlflow.db").write_text("no database")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        with pytest.raises(TrackingError, match=r"^MLflow at sqlite:.*mlflow.db cannot be used .*, or move the file away: a new one"):
            Lineage(Workspace(root), "mini", "mini test", print)
    (root / "mlflow.db").rename(root / "none.db")
    return root


@pytest.fixture
def warnings() -> list[str]:
    return []


@pytest.fixture
def lineage(root: Path, warnings: list[str], monkeypatch: pytest.MonkeyPatch) -> Lineage:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    text = sqlalchemy.sql.text
    monkeypatch.setattr(sqlalchemy.sql, "text", lambda query: text(query.replace("busy_timeout = 20000", "busy_timeout = 50")))  # ms
    monkeypatch.setattr("tasks.tracking.experiment_run.SILENCE", 0.0)
    monkeypatch.setattr("tasks.tracking.experiment_run.LIVE", 0.0)
    return Lineage(Workspace(root), "mini", "mini test", warnings.append)


@contextmanager
def locked(database: Path) -> Iterator[None]:
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield
        connection.execute("ROLLBACK")


def log(spec: StageSpec, *steps: int) -> None:
    spec.directory.mkdir(parents=True, exist_ok=True)
    write_record(spec.directory / SPEC, spec.model_dump(mode="json"))
    with (spec.directory / "metrics.jsonl").open("a") as file:
        for step in steps:
            file.write(json.dumps({"step": step, "reward": step / 10}) + "\n")


def points(lineage: Lineage, spec: StageSpec) -> list[tuple[int, float]]:
    run = read_json(spec.directory / MLFLOW)["run"]
    return [(point.step, point.value) for point in mlflow.MlflowClient(lineage.uri).get_metric_history(run, "reward")]


def test_a_locked_database_stops_nothing_and_hears_the_rest_later(
    root: Path, lineage: Lineage, spec_of: SpecOf, warnings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = spec_of("locked", workspace=root)
    digests = Digests(root / "digests.json")
    with at_work(spec, digests), lineage.child(spec.directory) as tell:
        log(spec, 1, 2)
        tell()
        with locked(root / "mlflow.db"):
            for step in (3, 4):
                log(spec, step)
                tell()
            monkeypatch.setattr(lineage, "_silent_until", float("inf"))
        write_manifest(spec, {"steps": 4}, digests)
    assert points(lineage, spec) == [(1, 0.1), (2, 0.2)]
    assert len(warnings) == 1
    assert warnings[0].endswith("the run goes on, what is missing there is sent later")
    monkeypatch.setattr(lineage, "_silent_until", 0.0)
    lineage.catch_up()
    lineage.catch_up()
    assert points(lineage, spec) == [(step, step / 10) for step in (1, 2, 3, 4)]
    run = mlflow.MlflowClient(lineage.uri).get_run(read_json(spec.directory / MLFLOW)["run"])
    assert run.info.status == "FINISHED"
    assert run.data.params["steps"] == "3"
    assert run.data.metrics["system/result/steps"] == 4


def test_the_run_of_a_killed_attempt_is_closed_and_its_curve_completed(root: Path, lineage: Lineage, spec_of: SpecOf) -> None:
    spec = spec_of("killed", workspace=root)
    log(spec, 1)
    with lineage.child(spec.directory) as tell:
        tell()
    # As SIGKILL leaves it: a step was made that nobody sent, and nobody said how it ended.
    notes = read_json(spec.directory / MLFLOW)
    mlflow.MlflowClient(lineage.uri).update_run(notes["run"], "RUNNING")
    write_record(spec.directory / MLFLOW, {key: value for key, value in notes.items() if key not in ("status", "closed")})
    log(spec, 2)
    lineage.catch_up()
    assert points(lineage, spec) == [(1, 0.1), (2, 0.2)]
    assert mlflow.MlflowClient(lineage.uri).get_run(notes["run"]).info.status == "KILLED"


def test_steps_that_are_made_again_are_sent_when_they_are(root: Path, lineage: Lineage, spec_of: SpecOf) -> None:
    """A stage goes on whose first step's line is damaged: its trainer starts anew, after MLflow has been told of what is there."""
    spec = spec_of("damaged", workspace=root)
    log(spec)
    journal = Journal(spec.directory, 3, Fence(None))
    for step in (1, 2):
        journal.log(step, {"reward": step / 10})
    metrics = spec.directory / "metrics.jsonl"
    metrics.write_bytes(metrics.read_bytes().replace(b"0.1", b"0.9"))
    with lineage.child(spec.directory) as tell:
        tell()
        assert points(lineage, spec) == []
        journal.rewind(0)
        for step in (1, 2, 3):
            journal.log(step, {"reward": step / 10})
        tell()
    assert points(lineage, spec) == [(1, 0.1), (2, 0.2), (3, 0.3)]


def test_samples_of_every_checkpoint_are_kept(root: Path, lineage: Lineage, spec_of: SpecOf) -> None:
    spec = spec_of("judged", workspace=root)
    log(spec)
    paths = {f"samples/{checkpoint}/math500.parquet": checkpoint for checkpoint in ("cold", "warm")}
    for name, content in paths.items():
        (spec.directory / name).parent.mkdir(parents=True)
        (spec.directory / name).write_text(content)
    with lineage.child(spec.directory):
        write_manifest(spec, {}, Digests(root / "digests.json"))
    client, run = mlflow.MlflowClient(lineage.uri), read_json(spec.directory / MLFLOW)["run"]
    found = {file.path for folder in client.list_artifacts(run, "samples") for file in client.list_artifacts(run, folder.path)}
    assert found == paths.keys()


def test_a_run_that_mlflow_does_not_have_needs_no_end(lineage: Lineage, warnings: list[str]) -> None:
    assert lineage.close("0" * 32, "KILLED")
    assert warnings == []


def test_a_full_disk_is_said_as_such(root: Path, lineage: Lineage, warnings: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite may not add a page: this is what it says on a full disk, and what MLflow and SQLAlchemy make of that."""

    def no_page(connection: sqlite3.Connection, _: object) -> None:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")

    sqlalchemy.event.listen(sqlalchemy.pool.Pool, "connect", no_page)
    try:
        full = mlflow.MlflowClient(f"sqlite:///{root}/../{root.name}/mlflow.db")  # another address, so that MLflow opens it anew
        lineage._client = full
        for number in range(200):
            lineage.describe({}, {f"tag {number}": "x" * 4000})
            if warnings:
                break
    finally:
        sqlalchemy.event.remove(sqlalchemy.pool.Pool, "connect", no_page)
    [warning] = warnings
    assert warning == f"MLflow at {lineage.uri}: database or disk is full; the run goes on, what is missing there is sent later"


def test_points_sent_again_are_there_once(root: Path, lineage: Lineage, spec_of: SpecOf, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer to a request can be lost after the store has taken it."""
    spec = spec_of("twice", workspace=root)
    client = lineage._client
    send = client.log_batch

    def lose_the_answer(run: str, metrics: tuple = (), params: tuple = ()) -> None:
        send(run, metrics=metrics, params=params)
        if metrics:
            monkeypatch.setattr(client, "log_batch", send)
            raise ConnectionError("no answer")

    log(spec, 1)
    with lineage.child(spec.directory) as tell:
        log(spec, 2)
        monkeypatch.setattr(client, "log_batch", lose_the_answer)
        tell()
        tell()
    assert points(lineage, spec) == [(1, 0.1), (2, 0.2)]


def test_mlflow_shows_training_and_the_curves_that_matter_first(root: Path, lineage: Lineage, spec_of: SpecOf) -> None:
    client = mlflow.MlflowClient(lineage.uri)
    assert client.get_experiment(lineage.experiment_id).tags["mlflow.experimentKind"] == "custom_model_development"
    spec = spec_of("curves", workspace=root)
    log(spec)
    (spec.directory / "metrics.jsonl").write_text('{"step": 1, "reward": 0.5, "memory/policy": 1e9, "seconds/train": 2.0}\n')
    with lineage.child(spec.directory) as tell:
        tell()
    logged = client.get_run(read_json(spec.directory / MLFLOW)["run"]).data.metrics
    assert logged == {"reward": 0.5, "system/memory/policy": 1e9, "system/seconds/train": 2.0}


def test_an_earlier_experiment_gets_its_kind_and_another_kind_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    client = mlflow.MlflowClient(Workspace(tmp_path).tracking_uri)
    experiments = {name: client.create_experiment(name) for name in ("earlier", "mine")}
    client.set_experiment_tag(experiments["mine"], "mlflow.experimentKind", "finetuning")
    for name, identifier in experiments.items():
        Lineage(Workspace(tmp_path), name, "test", print)
        kind = client.get_experiment(identifier).tags["mlflow.experimentKind"]
        assert kind == {"earlier": "custom_model_development", "mine": "finetuning"}[name]


def test_what_a_run_was_made_with_is_among_its_tags(lineage: Lineage) -> None:
    lineage.describe({"name": "mini"}, {"r1flow.run": "x"} | made_with(), diff="-a\n+b\n")
    tags = mlflow.MlflowClient(lineage.uri).get_run(lineage.run_id).data.tags
    assert {"r1flow.version.torch", "r1flow.version.python", "r1flow.cpu", "r1flow.memory", "r1flow.run"} <= set(tags)
    assert tags["r1flow.git.dirty"] == "true"


@pytest.mark.follows("or move the file away: a new one is made")
def test_a_store_that_is_none_is_refused_and_gives_way_to_a_new_one(root: Path, lineage: Lineage) -> None:
    assert (root / "none.db").read_text() == "no database"
    assert mlflow.MlflowClient(lineage.uri).get_run(lineage.run_id)


def test_a_stage_whose_run_was_lost_is_sent_anew_from_its_own_files(
    root: Path, lineage: Lineage, spec_of: SpecOf, warnings: list[str]
) -> None:
    spec = spec_of("lost", workspace=root)
    log(spec, 1)
    with lineage.child(spec.directory) as tell:
        tell()
    notes = read_json(spec.directory / MLFLOW)
    # As of a database that was lost: its run, its parent and its experiment are unknown here, and a step is not sent yet.
    gone = {"run": "0" * 32, "parent": "1" * 32, "experiment": "987654"}
    write_record(spec.directory / MLFLOW, {key: value for key, value in (notes | gone).items() if key not in ("status", "closed")})
    log(spec, 2)
    lineage.catch_up()
    assert warnings == []
    assert points(lineage, spec) == [(1, 0.1), (2, 0.2)]
    run = mlflow.MlflowClient(lineage.uri).get_run(read_json(spec.directory / MLFLOW)["run"])
    assert run.data.tags["mlflow.parentRunId"] == lineage.run_id
    assert run.data.params["steps"] == "3"
