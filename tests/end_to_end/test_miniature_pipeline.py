"""The product as a user runs it, small: one process per command, real Prefect, Ray, MLflow, DuckDB."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

RECIPE = Path(__file__).parents[1] / "fixtures" / "miniature.yaml"

pytestmark = pytest.mark.slow


def r1flow(workspace: Path, *arguments: str, code: int = 0) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "MLFLOW_"))}
    command = [sys.executable, "-m", "flows.cli", *arguments, "--workspace", str(workspace)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400, env=environment, cwd=workspace.parent, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pipeline") / "runs"


@pytest.fixture(scope="module")
def first_run(workspace: Path) -> str:
    return r1flow(workspace, "run", str(RECIPE))


def stage(workspace: Path, name: str) -> Path:
    [directory] = [path for path in (workspace / "miniature").glob(f"{name}-????????") if path.is_dir()]
    return directory


def test_every_stage_leaves_its_outputs_and_a_manifest(first_run: str, workspace: Path) -> None:
    for name in ("puzzles", "cold_start", "warmup", "scores", "cot", "report"):
        manifest = json.loads((stage(workspace, name) / "manifest.json").read_text())
        assert manifest["outputs"], name
    assert len(list((stage(workspace, "warmup") / "rollouts").glob("*.parquet"))) == 3
    page = (stage(workspace, "report") / "report.html").read_text()
    assert not re.search(r"(src|href)\s*=\s*[\"']?https?://", page)
    assert "report.html" in first_run


def test_sql_sees_every_rollout_and_sample(first_run: str, workspace: Path) -> None:
    rows = json.loads(r1flow(workspace, "sql", "SELECT count(*) AS n, count(DISTINCT step) AS steps FROM rollouts", "--format", "json"))
    assert rows == [{"n": 36, "steps": 3}]
    rows = json.loads(r1flow(workspace, "sql", "SELECT checkpoint, mode, count(*) AS n FROM eval_samples GROUP BY ALL", "--format", "json"))
    assert {(row["checkpoint"], row["mode"]): row["n"] for row in rows} == {
        (checkpoint, mode): 8 * count for checkpoint in ("cold_start", "warmup") for mode, count in (("greedy", 1), ("sampled", 2))
    }
    assert "rollouts" in r1flow(workspace, "sql", "SELECT * FROM rollout", code=2)


def test_mlflow_knows_the_runs_and_links_checkpoints_to_scores(first_run: str, workspace: Path) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{workspace}/mlflow.db")
    [experiment] = [found for found in client.search_experiments() if found.name == "miniature"]
    runs = client.search_runs([experiment.experiment_id])
    parents = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    assert len(parents) == 1
    children = {run.info.run_name: run for run in runs if run.data.tags.get("mlflow.parentRunId") == parents[0].info.run_id}
    assert set(children) == {"puzzles", "cold_start", "warmup", "scores", "cot", "report"}
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert len(client.get_metric_history(children["warmup"].info.run_id, "reward")) == 3
    assert children["warmup"].inputs.dataset_inputs
    models = client.search_logged_models([experiment.experiment_id])
    assert models
    assert any(metric.key for model in models for metric in model.metrics or [])


def test_prefect_kept_the_flow_run(first_run: str, workspace: Path) -> None:
    [database] = workspace.rglob("prefect.db")
    import sqlite3

    with sqlite3.connect(database) as connection:
        states = connection.execute("SELECT state_type, count(*) FROM task_run GROUP BY 1").fetchall()
        assert dict(states)["COMPLETED"] >= 6


def test_second_run_reuses_everything_and_a_change_only_what_depends_on_it(first_run: str, workspace: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (workspace / "miniature").glob("*/manifest.json")}
    again = r1flow(workspace, "run", str(RECIPE))
    assert "all 6 stages are reused" in again
    assert {path: path.stat().st_mtime_ns for path in (workspace / "miniature").glob("*/manifest.json")} == before

    plan = r1flow(workspace, "plan", str(RECIPE), "--set", "stages.warmup.temperature=0.9")
    assert "warmup.temperature" in plan
    assert re.search(r"cold_start\s+sft\s+reuse", plan)
    for name in ("warmup", "scores", "cot", "report"):
        assert re.search(rf"{name}\s+\w+\s+run", plan), plan


def test_from_refuses_when_an_ancestor_would_have_to_rerun(first_run: str, workspace: Path) -> None:
    said = r1flow(workspace, "run", str(RECIPE), "--set", "stages.cold_start.steps=11", "--from", "warmup", code=2)
    assert "cold_start" in said
    assert len(said.strip().splitlines()) == 1


def test_a_stage_made_again_is_the_same(first_run: str, workspace: Path) -> None:
    def weights() -> bytes:
        directory = stage(workspace, "warmup")
        return (directory / json.loads((directory / "result.json").read_text())["checkpoint"] / "model.safetensors").read_bytes()

    before = weights()
    r1flow(workspace, "run", str(RECIPE), "--force", "warmup", "--until", "warmup")
    assert weights() == before
    assert list((workspace / "miniature").glob("warmup-*.superseded-*"))


def test_the_snapshot_opens_in_plain_duckdb(first_run: str, workspace: Path) -> None:
    with duckdb.connect(str(workspace / "warehouse.duckdb"), read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM rollouts").fetchone() == (36,)
