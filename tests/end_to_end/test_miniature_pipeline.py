"""The product as a user runs it, small: one process per command, real Prefect, Ray, MLflow, DuckDB."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from random import Random

import duckdb
import mlflow
import pytest

from flows.history.promote import promote, promoted
from flows.history.references import find
from flows.runs.verify import Verification
from tasks.workspace import Workspace
from tests.end_to_end.command import plain_environment

RECIPE = Path(__file__).parents[1] / "fixtures" / "miniature.yaml"
STAGES = ("puzzles", "cold_start", "warmup", "scores", "cot", "report")

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("engines")]


def r1flow(workspace: Path, *arguments: str, code: int = 0) -> str:
    environment = plain_environment()
    command = [sys.executable, "-m", "flows.cli", *arguments, "--workspace", str(workspace)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400, env=environment, cwd=workspace.parent, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def workspace(databases: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(databases, tmp_path_factory.mktemp("pipeline") / "runs"))


@pytest.fixture(scope="module")
def first_run(workspace: Path) -> str:
    return r1flow(workspace, "run", str(RECIPE))


def stage(workspace: Path, name: str) -> Path:
    [directory] = [path for path in (workspace / "miniature").glob(f"{name}-????????") if path.is_dir()]
    return directory


def test_every_stage_leaves_its_outputs_and_a_manifest(first_run: str, workspace: Path) -> None:
    assert "Scores in percent" in first_run
    record = json.loads(next(workspace.glob("miniature/runs/*.json")).read_text())
    assert record["state"] == "done"
    for name in STAGES:
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


def test_whatever_happens_to_any_file_is_found(first_run: str, workspace: Path, tmp_path: Path) -> None:
    """By turns a bit flips, or the file is cut, empty or gone; in the whole workspace that file is named, and no other stage."""
    copy = Workspace.at(shutil.copytree(workspace, tmp_path / "copy"))
    unjudged = {"log.txt", "progress.jsonl", "job.json"}
    files = [
        path
        for path in sorted(copy.root.rglob("[!.]*"))
        if path.is_file()
        and not {".mlflow-artifacts", ".prefect", ".servers"} & set(path.parts)
        and not re.search(r"\.(svg|png|lock)$|\.damaged|superseded", str(path))
        and path.name not in unjudged
        and path.parent.parent.name != "runs"  # recipes of resumed runs
    ]
    random = Random(0)
    assert len(files) > 60
    for number, path in enumerate(files):
        state, content = path.stat(), path.read_bytes()
        how = ("flip", "cut", "empty", "gone")[number % 4]
        if how == "flip" and path.suffix != ".db":  # SQLite keeps no checksums
            flipped, place = bytearray(content), random.randrange(8 * len(content))
            flipped[place // 8] ^= 1 << place % 8
            path.write_bytes(flipped)
        elif how == "gone":
            path.unlink()
        else:
            path.write_bytes(b"" if how == "empty" else content[: len(content) // 2])
        os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns)) if path.exists() else None
        found = [finding for finding in Verification(copy, lambda text: None).findings() if finding.state == "damaged"]
        name = path.relative_to(copy.root).as_posix()
        silent = how == "gone" and (
            path.name in ("state.json", "mlflow.json", ".promoted.json", "report.json") or path.parent.name == "runs"
        )
        if silent or (how == "gone" and path.parent.parent == copy.cells):  # as in what was taken in, or was never made
            assert len(found) <= 1, (how, name)
        else:
            assert len(found) == 1, (how, name, found)
            assert name.startswith(found[0].what), (how, name, found)
            assert name == found[0].what or path.parent.parent == copy.cells or name.removeprefix(f"{found[0].what}/") in found[0].text
        path.write_bytes(content)
        os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert [finding for finding in Verification(copy, lambda text: None).findings() if finding.state != "sound"] == []


def test_prefect_has_a_flow_run_and_a_task_run_for_each_stage(first_run: str, workspace: Path) -> None:
    with sqlite3.connect(workspace / ".prefect" / "prefect.db") as database:
        assert database.execute("SELECT state_name FROM flow_run").fetchall() == [("Completed",)]
        tasks = dict(database.execute("SELECT name, state_name FROM task_run").fetchall())
    assert tasks == dict.fromkeys(STAGES, "Completed")


def test_mlflow_has_the_lineage(first_run: str, workspace: Path) -> None:
    client = mlflow.MlflowClient(f"sqlite:///{workspace}/mlflow.db")
    experiment = client.get_experiment_by_name("miniature")
    assert experiment is not None
    runs = {found.info.run_name.split()[0]: client.get_run(found.info.run_id) for found in client.search_runs([experiment.experiment_id])}
    assert set(runs) == {"miniature", *STAGES}
    parent, cold_start, warmup, scores = (runs[name] for name in ("miniature", "cold_start", "warmup", "scores"))
    children = {child.data.tags["mlflow.parentRunId"] for name, child in runs.items() if name != "miniature"}
    assert children == {parent.info.run_id}
    assert all(found.info.status == "FINISHED" for found in runs.values())
    assert {artifact.path for artifact in client.list_artifacts(parent.info.run_id)} >= {"recipe.yaml", "report.html"}
    assert len(client.get_metric_history(warmup.info.run_id, "reward")) == 3
    # Data as input, with the digest of the file.
    manifest = json.loads((stage(workspace, "puzzles") / "manifest.json").read_text())
    data = cold_start.inputs.dataset_inputs[0].dataset
    assert (data.name, data.digest) == ("puzzles", manifest["outputs"]["train.parquet"]["sha256"][:36])
    assert [point.step for point in client.get_metric_history(cold_start.info.run_id, "loss")] == list(range(1, 11))
    # The checkpoint that one stage leaves, the next starts from and the evaluation judges is one model.
    model = cold_start.outputs.model_outputs[0].model_id
    assert [found.model_id for found in warmup.inputs.model_inputs] == [model]
    assert model in [found.model_id for found in scores.inputs.model_inputs]
    logged = client.get_logged_model(model)
    assert Path(logged.params["path"]).is_dir()
    assert len(logged.params["sha256"]) == 64
    assert "knights_knaves/sampled/avg_at_2" in {metric.key for metric in logged.metrics or []}


@pytest.mark.follows("write NAME@alias, such as")
def test_a_promoted_checkpoint_is_a_version_in_the_registry_and_its_alias_moves(
    first_run: str, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)  # MLflow sets it where it is told an address
    place = Workspace.at(workspace)
    names = ("cold_start", "warmup", "cold_start")
    versions = [promote(place, find(place, f"miniature/{name}"), "miniature@best")["version"] for name in names]
    assert versions == ["1", "2", "1"]  # a checkpoint has one version, however often it is promoted
    assert int(mlflow.MlflowClient(place.tracking_uri).get_model_version_by_alias("miniature", "best").version) == 1
    assert promoted(place)["miniature@best"]["checkpoint"].startswith("miniature/cold_start-")


def test_report_of_a_run_from_what_is_finished(first_run: str, workspace: Path, tmp_path: Path) -> None:
    said = r1flow(workspace, "report", "miniature", "--output", str(tmp_path))
    assert Path(said.strip()) == tmp_path / "report.html"
    assert (tmp_path / "report.html").exists()


def test_second_run_reuses_everything_and_a_change_only_what_depends_on_it(first_run: str, workspace: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (workspace / "miniature").glob("*/manifest.json")}
    again = r1flow(workspace, "run", str(RECIPE))
    assert "all 6 stages are reused" in again
    assert "Scores in percent" in again
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
