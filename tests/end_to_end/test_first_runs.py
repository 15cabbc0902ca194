"""Several first runs at once: the databases of Prefect and MLflow do not exist yet, and each run would make them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.end_to_end.command import ROOT, finish, start

RECIPE = str(ROOT / "tests" / "fixtures" / "mini.yaml")


@pytest.mark.slow
def test_three_first_runs_at_once_in_a_fresh_workspace(tmp_path: Path) -> None:
    workspace = tmp_path / "runs"
    names = ("one", "two", "three")
    runs = [start(workspace, "run", RECIPE, "--set", f"name={name}", "--until", "puzzles") for name in names]
    for run in runs:
        finish(run)
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{workspace}/mlflow.db")
    assert {found.name for found in client.search_experiments()} >= set(names)
