"""`r1flow ingest` beside a training that goes on."""

import json
import threading
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evals.analytics import query
from flows.analysis import ingest
from rl_core.rollout.records import ROLLOUT_SCHEMA
from tasks.process import this_process
from tasks.workspace import Workspace


def write_step(stage: Path, step: int) -> None:
    """As a trainer does it: whole files only, renamed into place."""
    row = {
        "step": step,
        "group": 0,
        "prompt_id": "p",
        "task": "gsm8k",
        "prompt": "1 + 1?",
        "response": f"Wait, step {step}",
        "prompt_tokens": 3,
        "response_tokens": 4,
        "finish_reason": "stop",
        "outcome": "wrong",
        "gold": "2",
        "temperature": 1.0,
        "policy_version": step - 1,
        "reward": 0.0,
        "components": [],
        "advantage": 0.0,
        "logprob": -1.0,
    }
    table = pa.Table.from_pylist([row | {"sample": sample} for sample in range(2)], schema=ROLLOUT_SCHEMA)
    pq.write_table(table, stage / "unfinished")
    (stage / "unfinished").rename(stage / "rollouts" / f"step-{step:06d}.parquet")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A run at work on its RL stage."""
    found = Workspace.at(tmp_path / "runs")
    (found.root / "e" / "warm-aaaaaaaa" / "rollouts").mkdir(parents=True)
    (found.root / "e" / "runs").mkdir()
    stage = {"kind": "rl", "action": "run", "fingerprint": "a" * 64, "directory": "warm-aaaaaaaa", "position": 0}
    recipe = {"stages": {"warm": {"kind": "rl"}}}
    record = {"experiment": "e", "run": "1", "state": "running", "started": 1.0, "recipe": recipe, "stages": {"warm": stage}}
    record |= {"owner": this_process(), "order": {}}
    (found.root / "e" / "runs" / "1.json").write_text(json.dumps(record))
    return found


def test_following_brings_in_what_training_writes(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest, "PAUSE", 0.05)
    stage = workspace.root / "e" / "warm-aaaaaaaa"
    found = ingest.ingest(workspace, follow=True)
    assert next(found)["rollouts"] == 0
    for step in (1, 2):
        threading.Timer(0.1, write_step, [stage, step]).start()
        assert next(found)["rollouts"] == 2 * step
        newest = query.run(workspace.warehouse, "SELECT max(step) AS step, count(DISTINCT response_id) AS n FROM rollouts").to_pylist()
        assert newest == [{"step": step, "n": 2 * step}]
    assert query.run(workspace.warehouse, "SELECT run, state FROM runs").to_pylist() == [{"run": "e/1", "state": "running"}]
    assert [counts["rollouts"] for counts in ingest.ingest(workspace, follow=False)] == [4]
