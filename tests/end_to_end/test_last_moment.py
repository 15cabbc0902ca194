"""Runs that make nothing, and still tell Prefect and MLflow what they have not heard."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tasks.workspace import write_record
from tests.end_to_end.command import ROOT, finish, start

RECIPE = str(ROOT / "tests" / "fixtures" / "mini.yaml")


@pytest.fixture(scope="module")
def workspace(databases: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One run is done in it."""
    path = Path(shutil.copytree(databases, tmp_path_factory.mktemp("last") / "runs"))
    finish(start(path, "run", RECIPE, "--until", "puzzles"))
    return path


@pytest.mark.slow
def test_the_next_run_settles_what_was_left_though_it_makes_nothing(workspace: Path) -> None:
    [path] = workspace.glob("mini/runs/*.json")
    record = json.loads(path.read_text())
    gone = {"pid": 2**22 + 1, "born": 0.0}  # as SIGKILL leaves it
    left = record | {"state": "running", "owner": record["owner"] | gone, "prefect": record["prefect"] | {"settled": False}}
    left["mlflow"] = record["mlflow"] | {"closed": False}
    write_record(path, left)
    finish(start(workspace, "run", RECIPE, "--until", "puzzles"))
    settled = json.loads(path.read_text())
    assert settled["prefect"]["settled"]
    assert settled["mlflow"]["closed"]
    assert "nothing has changed since they were made" in finish(start(workspace, "run", RECIPE, "--until", "puzzles"))


@pytest.mark.slow
def test_the_next_run_tells_a_new_database_what_was_made(workspace: Path) -> None:
    (workspace / "mlflow.db").rename(workspace / "lost.db")
    assert "1 reused" in finish(start(workspace, "run", RECIPE, "--until", "puzzles"))
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{workspace}/mlflow.db")
    [experiment] = client.search_experiments(filter_string="name = 'mini'")
    runs = {run.info.run_name.partition(" ")[0]: run for run in client.search_runs([experiment.experiment_id])}
    assert {name: run.info.status for name, run in runs.items()} == {"mini": "FINISHED", "puzzles": "FINISHED"}
    assert runs["puzzles"].data.params["train"] == "40"
    assert "nothing has changed since they were made" in finish(start(workspace, "run", RECIPE, "--until", "puzzles"))
