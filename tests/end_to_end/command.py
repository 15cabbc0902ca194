"""The command line in a process of its own, as a person starts it: without this environment's settings, in a group for Ctrl-C."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def plain_environment() -> dict[str, str]:
    """This process's, without what it says of r1flow's, Prefect's and MLflow's settings, and pytest-xdist of the width of a terminal."""
    return {key: value for key, value in os.environ.items() if not key.startswith(("R1FLOW_", "PREFECT_", "MLFLOW_", "COLUMNS"))}


def copied_packages(directory: Path) -> dict[str, str]:
    """Copies the packages to a directory, for a file to be added to them; returns the environment in which the copies are imported."""
    for package in ("flows", "tasks", "evals", "rl_core"):
        shutil.copytree(ROOT / package, directory / package, ignore=shutil.ignore_patterns("__pycache__", "screenshots"))
    return plain_environment() | {"PYTHONPATH": str(directory)}


def start(workspace: Path, *arguments: str) -> subprocess.Popen[str]:
    """`r1flow ARGUMENTS` in a workspace; its output, errors included, is text to read."""
    return subprocess.Popen(
        [sys.executable, "-m", "flows.cli", *arguments, "--workspace", str(workspace)],
        cwd=ROOT,
        env=plain_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,  # so that Ctrl-C can be sent to the whole group, as a terminal does
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a suite run in the background inherits that it is ignored
    )


def finish(process: subprocess.Popen[str]) -> str:
    """Wait for a command that must end well; returns its output."""
    output = process.communicate(timeout=300)[0]
    assert process.returncode == 0, output
    return output
