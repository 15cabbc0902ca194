"""A run whose process is suspended while its trainer works on; another host takes the stage over; the first one goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import psutil
import pytest

from tasks.stage.lease import state_lock
from tests.end_to_end.command import ROOT, finish, plain_environment, start

RECIPE = ROOT / "tests" / "fixtures" / "chaos.yaml"
STEPS = 400


def run(host: str, workspace: Path) -> subprocess.Popen[bytes]:
    arguments = ["run", str(RECIPE), "--until", "cold", "--set", f"cold.steps={STEPS}", "--workspace", str(workspace)]
    with (workspace / f"{host}.log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, str(ROOT / "tests" / "fixtures" / "elsewhere.py"), host, *arguments],
            cwd=ROOT,
            env=plain_environment() | {"PYTHONPATH": str(ROOT)},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def steps(workspace: Path) -> list[int]:
    """Of the stage's metrics, in the order in which they were written."""
    found = list(workspace.glob("chaos/cold-????????/metrics.jsonl"))
    return [json.loads(line)["step"] for line in found[0].read_text().splitlines() if line.endswith("}")] if found else []


def wait(condition: object, what: str, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


@pytest.mark.usefixtures("with_databases")
@pytest.mark.slow
def test_a_stage_taken_over_from_a_suspended_run_has_every_step_once(tmp_path: Path) -> None:
    first = run("one", tmp_path)
    second = None
    try:
        wait(lambda: len(steps(tmp_path)) >= 20, "the first run trains")
        [trainer] = [p for p in psutil.Process(first.pid).children() if "rl_core.train" in " ".join(p.cmdline())]
        [stage] = tmp_path.glob("chaos/cold-????????")
        with state_lock(stage):  # suspended while it holds this, it would have to be ended or continued first: another test
            first.send_signal(signal.SIGSTOP)
        time.sleep(5)
        second = run("two", tmp_path)
        owner = stage / "state.json"
        wait(lambda: json.loads(owner.read_text())["owner"]["host"] == "two", "the second run takes the stage over")
        wait(lambda: not trainer.is_running() or trainer.status() == psutil.STATUS_ZOMBIE, "the first trainer ends", 30)
        first.send_signal(signal.SIGCONT)
        assert first.wait(60) != 0
        assert "another process took this stage over" in (tmp_path / "one.log").read_text()
        assert second.wait(300) == 0, (tmp_path / "two.log").read_text()
    finally:
        for process in filter(None, (first, second)):
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    assert steps(tmp_path) == list(range(1, STEPS + 1))
    finish(start(tmp_path, "ingest"))
    with duckdb.connect(str(tmp_path / "warehouse.duckdb"), read_only=True) as warehouse:
        rows = warehouse.sql("SELECT count(*), count(DISTINCT step) FROM metrics WHERE name = 'loss'").fetchall()
    assert rows == [(STEPS, STEPS)]
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    runs = client.search_runs([e.experiment_id for e in client.search_experiments(filter_string="name = 'chaos'")])
    assert {run.info.status for run in runs} <= {"FINISHED", "FAILED", "KILLED"}
    [whole] = [run for run in runs if run.info.run_name == "cold" and run.info.status == "FINISHED"]
    assert sorted(point.step for point in client.get_metric_history(whole.info.run_id, "loss")) == list(range(1, STEPS + 1))
