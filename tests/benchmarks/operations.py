"""What orchestration costs: `python tests/benchmarks/operations.py`, on an otherwise idle machine. Seconds, printed as they come."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.end_to_end.command import finish, start

ROOT = Path(__file__).parents[2]
RECIPE = ROOT / "tests" / "fixtures" / "chaos.yaml"
LONG = ("--until", "cold", "--set", "cold.steps=100000", "--set", "cold.checkpoint_every=100")


def timed(workspace: Path, *arguments: str) -> float:
    began = time.perf_counter()
    finish(start(workspace, *arguments))
    return time.perf_counter() - began


def until_training(workspace: Path, began: float) -> float:
    """Wait for the next step of the long stage."""
    while True:
        for path in workspace.glob("chaos/cold-*/metrics.jsonl"):
            if path.stat().st_mtime > began:
                return time.time() - began
        time.sleep(0.02)


def show(what: str, seconds: float) -> None:
    print(f"{what:<55} {seconds:6.2f}", flush=True)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        workspace = Path(folder) / "runs"
        subprocess.run([sys.executable, "-m", "flows.cli", "--help"], cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
        began = time.perf_counter()
        subprocess.run([sys.executable, "-m", "flows.cli", "--help"], cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
        show("--help", time.perf_counter() - began)
        show("plan of quickstart", timed(workspace, "plan", "quickstart"))
        whole = timed(workspace, "run", str(RECIPE), "--set", "warm.resources.ray=false")
        manifests = [json.loads(path.read_text()) for path in workspace.glob("chaos/*/manifest.json")]
        work = sum(manifest["seconds"] for manifest in manifests)
        show(f"whole run of {len(manifests)} stages", whole)
        show("  of which outside of stages, per stage", (whole - work) / len(manifests))
        show("run with everything reused", timed(workspace, "run", str(RECIPE), "--set", "warm.resources.ray=false"))
        for name, number in (
            ("Ctrl-C until everything is gone", signal.SIGINT),
            ("kill -9 of the run until training goes on", signal.SIGKILL),
        ):
            run = start(workspace, "run", str(RECIPE), *LONG)
            until_training(workspace, time.time())
            time.sleep(3)
            began = time.time()
            os.killpg(run.pid, number)
            run.wait()
            if number == signal.SIGINT:
                show(name, time.time() - began)
                continue
            again = start(workspace, "run", str(RECIPE), *LONG)
            # The orphaned trainer is ended by the new run; what counts is the first step after that.
            attempt = _attempt(workspace)
            while _attempt(workspace) == attempt:
                time.sleep(0.02)
            until_training(workspace, time.time())
            show(name, time.time() - began)
            os.killpg(again.pid, signal.SIGINT)
            again.wait()


def _attempt(workspace: Path) -> int:
    states = sorted(workspace.glob("chaos/cold-*/state.json"), key=lambda path: path.stat().st_mtime)
    return int(json.loads(states[-1].read_text())["attempt"])


if __name__ == "__main__":
    main()
