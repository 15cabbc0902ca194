"""A training that fails, is cancelled or is killed, and then is resumed: unchanged, with another setting, with another setting before it.

    python -m pytest tests/end_to_end/resume_matrix.py

Fifteen runs, minutes of them, so it is not part of the suite. Whatever came before, a resumed run makes bit for bit what an undisturbed
run with those settings makes. `tests/flows/runs/test_resume.py` has the same matrix for every kind of stage, without the work.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.end_to_end.command import finish, start

RECIPE = Path(__file__).parents[1] / "fixtures" / "chaos.yaml"
RUN = ("run", str(RECIPE), "--until", "warm", "--set", "warm.resources.ray=false", "--set", "warm.steps=40")
CHANGES = {"its setting": ("warm.temperature=0.9",), "a setting before it": ("cold.steps=12",), "unchanged": ()}


def settings(changes: tuple[str, ...]) -> list[str]:
    return [part for change in changes for part in ("--set", change)]


def last_run(workspace: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(max(workspace.glob("chaos/runs/*.json")).read_text())
    return record


def made(workspace: Path) -> dict[str, str]:
    """Digests of the rows and weights that the stages of the last run hold."""
    entries = {name: entry for name, entry in last_run(workspace)["stages"].items() if entry["action"] != "skip"}
    manifests = {name: workspace / "chaos" / entry["directory"] / "manifest.json" for name, entry in entries.items()}
    return {name: json.loads(path.read_text())["content"] for name, path in manifests.items()}


def fail(process: subprocess.Popen[str]) -> None:
    [trainer] = [child for child in psutil.Process(process.pid).children(recursive=True) if "rl_core.train" in child.cmdline()]
    trainer.kill()


def cancel(process: subprocess.Popen[str]) -> None:
    os.killpg(process.pid, signal.SIGINT)


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """What runs make that nothing happened to, by the change of settings."""
    workspace = tmp_path_factory.mktemp("undisturbed")
    found = {}
    for name, changes in CHANGES.items():
        finish(start(workspace, *RUN, *settings(changes)))
        found[name] = made(workspace)
    assert len({contents["warm"] for contents in found.values()}) == len(CHANGES)
    return found


@pytest.mark.parametrize(("end", "state"), [(fail, "failed"), (cancel, "stopped"), (kill, "running")])
def test_resumed_it_makes_what_an_undisturbed_run_makes(
    undisturbed: dict[str, dict[str, str]], tmp_path: Path, end: Callable[[subprocess.Popen[str]], None], state: str
) -> None:
    process = start(tmp_path, *RUN)
    while not list(tmp_path.glob("chaos/warm-*/checkpoints/step-000002")):
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.01)
    end(process)
    assert process.communicate(timeout=60)[0] is not None
    assert process.returncode != 0
    [stage] = tmp_path.glob("chaos/warm-????????")
    assert json.loads((stage / "state.json").read_text())["state"] == state
    assert not (stage / "manifest.json").exists()
    run = f"chaos/{last_run(tmp_path)['run']}"
    for name, changes in CHANGES.items():
        finish(start(tmp_path, "resume", run, *settings(changes)))
        assert made(tmp_path) == undisturbed[name], name
    # Unchanged, it went on where it had stopped.
    assert json.loads((stage / "state.json").read_text())["attempt"] == 2
    assert [json.loads(line)["step"] for line in (stage / "metrics.jsonl").read_text().splitlines()] == list(range(1, 41))
    assert not list(tmp_path.glob("chaos/*.superseded-*"))
