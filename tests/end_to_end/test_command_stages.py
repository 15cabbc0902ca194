"""Programs of others as stages, as a user runs them: taken in like our own trainers, killed, stopped, resumed."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import time
from pathlib import Path

import duckdb
import mlflow
import psutil
import pytest
from safetensors.torch import load_file

from rl_core.training.checkpoint import verify
from tests.end_to_end.command import ROOT, finish, start

FIXTURES = ROOT / "tests" / "fixtures"
INTERRUPTED = 130
AT_WORK = """
name: own
model: none
stages:
  train:
    kind: command
    run: |
      trap '' TERM
      echo $$ > {output}/pid
      (trap '' TERM; exec sleep 302) & echo $! > {output}/child
      setsid bash -c "trap '' TERM; echo \\$\\$ > {output}/daemon; while :; do sleep 0.2; done" &
      if [ -e {output}/../../../done ]; then echo {output} > {output}/ended; exit; fi
      while :; do sleep 0.2; done
    resume: RESUME
"""

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("with_databases")]


def one(pattern: str, workspace: Path) -> Path:
    [found] = workspace.glob(pattern)
    return found


def test_a_script_in_the_place_of_a_stage(tmp_path: Path) -> None:
    for name in ("own_trainer.py", "own_trainer.yaml"):
        shutil.copy(FIXTURES / name, tmp_path / name)
    recipe = str(tmp_path / "own_trainer.yaml")
    output = finish(start(tmp_path, "run", recipe))
    assert "3 steps, 12 rollouts -> own/train/step-000003" in output
    assert "own@best is " in output
    train, cold = one("own/train-*", tmp_path), one("own/cold-*", tmp_path)
    assert verify(train / "checkpoints" / "step-000003")
    before = load_file(cold / "checkpoints" / "step-000002" / "model.safetensors")
    after = load_file(train / "checkpoints" / "step-000003" / "model.safetensors")
    assert all(((after[name] - before[name]).abs().max() > 0).item() for name in before)
    with duckdb.connect(tmp_path / "warehouse.duckdb", read_only=True) as database:
        assert database.sql("SELECT kind, start, steps, external FROM stages WHERE stage = 'train'").fetchall() == [
            ("command", "cold", 3, True)
        ]
        rows = database.sql("SELECT step, reward, correct, responses FROM reward_by_step WHERE stage = 'train' ORDER BY step").fetchall()
        assert rows == [(step, 0.5, 0.5, 4) for step in (1, 2, 3)]
        entropy = database.sql("SELECT value FROM metrics WHERE stage = 'train' AND name = 'entropy' ORDER BY step").fetchall()
        assert entropy == [(1.0,), (0.5,), (1 / 3,)]
        hits = database.sql("SELECT count(*) FROM keyword_hits JOIN stages USING (stage_run) WHERE stage = 'train'").fetchall()
        assert hits[0][0] > 0
        assert {name for (name,) in database.sql("SELECT DISTINCT checkpoint FROM scores").fetchall()} == {"cold", "train"}
    page = one("own/report-*/report.html", tmp_path).read_text()
    assert re.search(r"train</th><td>command</td><td>cold</td><td class=\"number\">3", page)
    assert (one("own/report-*", tmp_path) / "figures" / "health.svg").exists()  # of the entropy
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    notes = json.loads((train / "mlflow.json").read_text())
    assert [point.value for point in client.get_metric_history(notes["run"], "entropy")] == [1.0, 0.5, 1 / 3]
    assert list(notes["models"]) == ["checkpoints/step-000003"]
    assert "command" in finish(start(tmp_path, "status"))
    lineage = finish(start(tmp_path, "lineage", "own/scores/train"))
    assert re.search(r"train \(command, done\).*start: cold.*data: puzzles.*file: own_trainer\.py sha256 [0-9a-f]{16}", lineage, re.DOTALL)
    assert finish(start(tmp_path, "verify")).count("damaged ") == 0
    assert "6 reused" in finish(start(tmp_path, "plan", recipe))
    with (tmp_path / "own_trainer.py").open("a") as file:
        file.write("# another one\n")
    assert re.search(r"train +command +run +own_trainer\.py changed", finish(start(tmp_path, "plan", recipe)))


def numbers(workspace: Path) -> list[int]:
    """Of the processes that the command has started, once all of them run."""
    deadline = time.monotonic() + 120
    names = ("pid", "child", "daemon")
    while time.monotonic() < deadline:
        found = [path.read_text().strip() for name in names for path in workspace.glob(f"own/train-*/out/{name}")]
        if len(found) == len(names) and all(found):
            return list(map(int, found))
        time.sleep(0.1)
    raise AssertionError("the command does not run")


def wait_until_gone(pids: list[int], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and any(psutil.pid_exists(pid) for pid in pids):
        time.sleep(0.2)
    assert not any(psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE for pid in pids)


@pytest.mark.parametrize("resume", ["true", "false"])
def test_a_run_that_is_killed_takes_its_command_along_and_is_resumed(tmp_path: Path, resume: str) -> None:
    (tmp_path / "own.yaml").write_text(AT_WORK.replace("RESUME", resume))
    run = start(tmp_path, "run", str(tmp_path / "own.yaml"))
    pids = numbers(tmp_path)
    os.kill(run.pid, signal.SIGKILL)
    run.communicate()
    wait_until_gone(pids, 60)  # SIGTERM, which they ignore, and 18 s later SIGKILL
    (tmp_path / "done").touch()
    assert "train" in finish(start(tmp_path, "resume", "own"))
    stage = one("own/train-*", tmp_path)
    assert (stage / "out" / "ended").exists()
    log = (stage / "log.txt").read_text()
    assert ("what an earlier attempt left is in" in log) == (resume == "false")
    assert not (stage / ".earlier").exists()


def test_ctrl_c_ends_children_that_ignore_signals(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(AT_WORK.replace("RESUME", "true"))
    run = start(tmp_path, "run", str(tmp_path / "own.yaml"))
    pids = numbers(tmp_path)
    os.killpg(run.pid, signal.SIGINT)
    output = run.communicate(timeout=120)[0]
    assert run.returncode == INTERRUPTED, output
    assert "stopped; what is finished is kept" in output
    wait_until_gone(pids, 5)
    assert re.search(r"train +command +stopped", finish(start(tmp_path, "status")))


@pytest.mark.xdist_group("engines")
def test_a_run_of_trl_taken_in(tmp_path: Path) -> None:
    """The shipped recipe at smoke size: TRL's own trainer on a small model that is made first."""
    pytest.importorskip("trl", reason="TRL is not installed: pip install 'r1flow[trl]'")
    output = finish(start(tmp_path, "run", "trl_gsm8k", "--profile", "smoke"))
    assert "4 steps, 32 rollouts -> trl_gsm8k-smoke/grpo/step-000004" in output
    stage = one("trl_gsm8k-smoke/grpo-*", tmp_path)
    assert verify(stage / "checkpoints" / "step-000004")
    with duckdb.connect(tmp_path / "warehouse.duckdb", read_only=True) as database:
        rows = database.sql("SELECT step, responses FROM reward_by_step WHERE stage = 'grpo' ORDER BY step").fetchall()
        assert rows == [(step, 8) for step in (1, 2, 3, 4)]
        names = {name for (name,) in database.sql("SELECT DISTINCT name FROM metrics WHERE stage = 'grpo'").fetchall()}
        assert {"reward", "entropy", "grad_norm", "learning_rate", "clip_fraction", "response_tokens", "zero_advantage"} <= names
        assert {name for (name,) in database.sql("SELECT DISTINCT checkpoint FROM scores").fetchall()} == {"smoke_base", "grpo"}
