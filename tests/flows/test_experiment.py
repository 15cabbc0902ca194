"""Whole runs of the smallest recipe: real Prefect, trainer processes, MLflow and DuckDB."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MINI = ROOT / "tests" / "fixtures" / "mini.yaml"

pytestmark = pytest.mark.slow


def start(workspace: Path, *arguments: str) -> subprocess.Popen[str]:
    known = {key: value for key, value in os.environ.items() if not key.startswith(("R1FLOW_", "PREFECT_", "MLFLOW_"))}
    return subprocess.Popen(
        [sys.executable, "-m", "flows.cli", "run", str(MINI), "--workspace", str(workspace), *arguments],
        cwd=ROOT,
        env=known,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,  # so that Ctrl-C can be sent to the whole group, as a terminal does
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a suite run in the background inherits that it is ignored
    )


def run(workspace: Path, *arguments: str) -> str:
    process = start(workspace, *arguments)
    output = process.communicate(timeout=300)[0]
    assert process.returncode == 0, output
    return output


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace in which the whole recipe has run."""
    workspace = tmp_path_factory.mktemp("whole") / "runs"
    output = run(workspace)
    assert "Scores in percent" in output
    return workspace


def test_every_stage_leaves_its_manifest_and_the_run_its_record(workspace: Path) -> None:
    made = {path.parent.name.rpartition("-")[0] for path in workspace.glob("mini/*/manifest.json")}
    assert made == {"puzzles", "cold", "warm", "scores", "cot", "report"}
    record = json.loads(next(workspace.glob("mini/runs/*.json")).read_text())
    assert record["state"] == "done"
    assert (workspace / "warehouse.duckdb").exists()
    assert next(workspace.glob("mini/report-*/report.html")).stat().st_size > 10_000


def test_prefect_has_a_flow_run_and_a_task_run_for_each_stage(workspace: Path) -> None:
    with sqlite3.connect(workspace / ".prefect" / "prefect.db") as database:
        assert database.execute("SELECT state_name FROM flow_run").fetchall() == [("Completed",)]
        tasks = dict(database.execute("SELECT name, state_name FROM task_run").fetchall())
    assert tasks == dict.fromkeys(("puzzles", "cold", "warm", "scores", "cot", "report"), "Completed")


def test_mlflow_has_the_lineage(workspace: Path) -> None:
    import mlflow

    uri = f"sqlite:///{workspace}/mlflow.db"
    client = mlflow.MlflowClient(uri)
    experiment = client.get_experiment_by_name("mini")
    assert experiment is not None
    runs = {found.info.run_name.split()[0]: client.get_run(found.info.run_id) for found in client.search_runs([experiment.experiment_id])}
    parent, cold, warm, scores = (runs[name] for name in ("mini", "cold", "warm", "scores"))
    assert {child.data.tags["mlflow.parentRunId"] for name, child in runs.items() if name != "mini"} == {parent.info.run_id}
    assert all(found.info.status == "FINISHED" for found in runs.values())
    assert {artifact.path for artifact in client.list_artifacts(parent.info.run_id)} >= {"recipe.yaml", "report.html"}
    # Data as input, with the digest of the file.
    manifest = json.loads(next(workspace.glob("mini/puzzles-*/manifest.json")).read_text())
    data = cold.inputs.dataset_inputs[0].dataset
    assert (data.name, data.digest) == ("puzzles", manifest["outputs"]["train.parquet"]["sha256"][:36])
    assert [point.step for point in client.get_metric_history(cold.info.run_id, "loss")] == [1, 2, 3]
    # The checkpoint that one stage leaves, the next starts from and the evaluation judges is one model.
    model = cold.outputs.model_outputs[0].model_id
    assert [found.model_id for found in warm.inputs.model_inputs] == [model]
    assert model in [found.model_id for found in scores.inputs.model_inputs]
    logged = client.get_logged_model(model)
    assert Path(logged.params["path"]).is_dir()
    assert len(logged.params["sha256"]) == 64
    assert "knights_knaves/sampled/avg_at_2" in {metric.key for metric in logged.metrics or []}


def test_a_promoted_checkpoint_is_a_version_in_the_registry_and_its_alias_moves(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import mlflow

    from flows.ancestry import find
    from flows.promote import promote, promoted
    from tasks.workspace import Workspace

    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)  # MLflow sets it where it is told an address
    place = Workspace.at(workspace)
    versions = [promote(place, find(place, f"mini/{stage}"), "mini@best")["version"] for stage in ("cold", "warm", "cold")]
    assert versions == ["1", "2", "1"]  # a checkpoint has one version, however often it is promoted
    assert int(mlflow.MlflowClient(place.tracking_uri).get_model_version_by_alias("mini", "best").version) == 1
    assert promoted(place)["mini@best"]["checkpoint"].startswith("mini/cold-")


def test_the_second_run_reuses_everything(workspace: Path) -> None:
    output = run(workspace)
    assert "all 6 stages are reused" in output
    assert "Scores in percent" in output


def test_report_of_a_run_from_what_is_finished(workspace: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "flows.cli", "report", "mini", "--workspace", str(workspace), "--output", str(tmp_path)]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert Path(answer.stdout.strip()) == tmp_path / "report.html"
    assert (tmp_path / "report.html").exists()


def test_ctrl_c_keeps_the_checkpoint_and_the_next_run_goes_on(tmp_path: Path) -> None:
    settings = ("--until", "cold", "--set", "cold.steps=400", "--set", "cold.checkpoint_every=1000")
    process = start(tmp_path, *settings)
    progress = wait_for_step(tmp_path, process)
    os.killpg(process.pid, signal.SIGINT)
    output = process.communicate(timeout=60)[0]
    assert process.returncode == 130, output
    assert "goes on from the last checkpoint" in output
    assert "Traceback" not in output
    assert json.loads((progress.parent / "state.json").read_text())["state"] == "stopped"
    stopped_at = json.loads(progress.read_text().splitlines()[-1])["step"]
    assert (progress.parent / "checkpoints" / f"step-{stopped_at:06d}").is_dir()
    with sqlite3.connect(tmp_path / ".prefect" / "prefect.db") as database:
        assert database.execute("SELECT state_name FROM flow_run").fetchall() != [("Completed",)]
    run(tmp_path, *settings)
    steps = [json.loads(line)["step"] for line in (progress.parent / "metrics.jsonl").read_text().splitlines()]
    assert steps == list(range(1, 401))


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 300 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300m", "tmpfs", str(place)], capture_output=True, check=False).returncode:
        pytest.skip("only who may mount has a disk to fill")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_a_disk_that_fills_up_is_one_line_and_with_room_the_run_goes_on(disk: Path) -> None:
    settings = ("--until", "cold", "--set", "cold.steps=60", "--set", "cold.checkpoint_every=20")
    process = start(disk, *settings)
    wait_for_step(disk, process)
    with suppress(OSError), (disk / "filler").open("wb", buffering=0) as filler:
        while True:
            filler.write(bytes(1 << 20))
    output = process.communicate(timeout=120)[0]
    assert process.returncode == 1, output
    assert "Traceback" not in output
    assert f"the disk of {disk} is full; make room, and the same command goes on" in output.splitlines()[-1]
    (disk / "filler").unlink()
    run(disk, *settings)
    [metrics] = disk.glob("mini/cold-????????/metrics.jsonl")
    assert [json.loads(line)["step"] for line in metrics.read_text().splitlines()] == list(range(1, 61))


def wait_for_step(workspace: Path, process: subprocess.Popen[str]) -> Path:
    """Wait until the trainer has done a step; returns its progress file."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        for path in workspace.glob("mini/cold-*/progress.jsonl"):
            lines = path.read_text().splitlines()
            if len(lines) > 2:
                return path
        time.sleep(0.05)
    raise AssertionError("the trainer made no step")
