"""Kills a run again and again, resumes it, and compares what it made with an uninterrupted run.

    python tests/end_to_end/chaos.py --kills 50 --seed 0 [--no-ray] [--keep DIR]

SIGKILL hits the flow's process, the trainer, a Ray worker, or Ray's head, at a random moment of a random stage. The run is started again
until it is done; what it made must be, bit for bit, what the run without kills made. When it is done before all kills are spent, its
stages are removed and it starts over.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parents[2]
RECIPE = ROOT / "tests" / "fixtures" / "chaos.yaml"
STAGES = ("puzzles", "cold", "warm", "scores", "cot", "report")
OWN_PROCESS = ("cold", "warm", "scores")  # stages with a trainer to kill
TIMINGS = ("seconds", "per_second", "memory", "utilisation", "time")  # parts of names of metrics that no two runs share
PATIENCE = 300.0  # seconds for a run
LONGEST = 8.0  # seconds into a stage at which it is struck


class Broken(AssertionError):
    """A promise that was not kept."""


@dataclass
class Chaos:
    """One workspace in which runs are killed."""

    workspace: Path
    stages: tuple[str, ...]
    ray: bool
    rng: random.Random
    processes: set[psutil.Process] = field(default_factory=set)  # every process that a run has started
    kills: Counter[str] = field(default_factory=Counter)

    def start(self) -> subprocess.Popen[bytes]:
        """The run, or its continuation."""
        known = {key: value for key, value in os.environ.items() if not key.startswith(("R1FLOW_", "PREFECT_", "MLFLOW_"))}
        known |= {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]), "RAY_USAGE_STATS_ENABLED": "0"}
        command = [sys.executable, "-m", "flows.cli", "run", str(RECIPE), "--workspace", str(self.workspace)]
        command += [
            "--set",
            f"warm.resources.ray={str(self.ray).lower()}",
            *(["--until", self.stages[-1]] if self.stages != STAGES else []),
        ]
        self.workspace.mkdir(exist_ok=True)
        log = (self.workspace / "chaos.log").open("ab")
        return subprocess.Popen(command, cwd=ROOT, env=known, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)

    def finish(self, run: subprocess.Popen[bytes]) -> int:
        """Wait for the run's end, taking note of its processes."""
        deadline = time.monotonic() + PATIENCE
        while run.poll() is None:
            self.look(run)
            if time.monotonic() > deadline:
                raise Broken(f"a run hangs; see {self.workspace}/chaos.log")
            time.sleep(0.1)
        return run.returncode

    def look(self, run: subprocess.Popen[bytes]) -> list[psutil.Process]:
        try:
            found = psutil.Process(run.pid).children(recursive=True)
        except psutil.Error:
            return []
        self.processes.update(found)
        return found

    def strike(self, run: subprocess.Popen[bytes]) -> bool:
        """Kill a process of the run at a random moment of a random stage that is still to come; whether it came to that."""
        [stage] = self.rng.choices(self.stages, [4 if stage in OWN_PROCESS else 1 for stage in self.stages])  # about as their time
        on_ray = ["ray worker", "ray worker", "ray head"] if stage == "warm" and self.ray else []
        target = self.rng.choice(["trainer", "flow", *on_ray] if stage in OWN_PROCESS else ["flow"])
        delay = self.rng.uniform(0, LONGEST if stage in OWN_PROCESS else 0.5)
        while run.poll() is None and not self.running(stage):
            self.look(run)
            time.sleep(0.02)
        # Ray starts seconds after its stage.
        while target.startswith("ray") and run.poll() is None and self.running(stage) and self.victim(run, target) is None:
            time.sleep(0.05)
        deadline = time.monotonic() + delay
        while run.poll() is None and (time.monotonic() < deadline):
            self.look(run)
            time.sleep(0.05)
        victim = self.victim(run, target)
        if victim is None:
            return False
        try:
            victim.kill()
        except psutil.Error:
            return False
        self.kills[f"{target} in {stage}"] += 1
        return True

    def running(self, stage: str) -> bool:
        for path in self.workspace.glob(f"chaos/{stage}-????????/state.json"):
            try:
                return bool(json.loads(path.read_text())["state"] == "running")
            except (OSError, ValueError):
                return False
        return False

    def victim(self, run: subprocess.Popen[bytes], target: str) -> psutil.Process | None:
        if run.poll() is not None:
            return None
        if target == "flow":
            return psutil.Process(run.pid)
        marks = {"trainer": ("rl_core.train", "evals.run"), "ray worker": ("ray::",), "ray head": ("raylet", "gcs_server")}[target]
        fitting = []
        for process in self.look(run):
            try:
                line = " ".join(process.cmdline()[:4])
            except psutil.Error:
                continue
            if any(mark in line for mark in marks):
                fitting.append(process)
        return self.rng.choice(fitting) if fitting else None

    def start_over(self) -> None:
        for path in self.workspace.glob("chaos/*-????????*"):
            if path.is_dir():
                shutil.rmtree(path)
        (self.workspace / "warehouse.duckdb").unlink(missing_ok=True)


def outputs(workspace: Path, stages: tuple[str, ...]) -> dict[str, Any]:
    """What a finished run made, without what no two runs share: times and paths."""
    found: dict[str, Any] = {}
    for stage in stages:
        directories = [path for path in workspace.glob(f"chaos/{stage}-????????") if path.is_dir()]
        if len(directories) != 1:
            raise Broken(f"{stage}: {len(directories)} directories")
        [directory] = directories
        manifest = json.loads((directory / "manifest.json").read_text())
        for name, output in manifest["outputs"].items():
            if name.endswith((".parquet", ".safetensors")) or "tokenizer" in name:
                found[f"{stage}/{name}"] = output["sha256"]
        if (directory / "metrics.jsonl").exists():
            rows = [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]
            found[f"{stage}/metrics"] = [
                {key: value for key, value in row.items() if not any(part in key for part in TIMINGS)} for row in rows
            ]
        if stage == "scores":
            found["scores"] = json.loads((directory / "scores.json").read_text())["scores"]
    return found


def rows_in_warehouse(workspace: Path) -> dict[str, int]:
    import duckdb

    if not (workspace / "warehouse.duckdb").exists():
        return {}
    with duckdb.connect(str(workspace / "warehouse.duckdb"), read_only=True) as connection:
        return {
            table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("rollouts", "eval_samples", "metrics", "scores")
        }


def check_mlflow(workspace: Path) -> None:
    """No run is left open, no point of a curve is there twice, every finished stage has its whole curve."""
    import sqlite3

    with sqlite3.connect(workspace / "mlflow.db") as connection:
        twice = connection.execute("SELECT run_uuid, key, step, count(*) FROM metrics GROUP BY 1, 2, 3 HAVING count(*) > 1").fetchall()
        if twice:
            raise Broken(f"MLflow has points twice: {twice[:3]}")
        for name, status, count in connection.execute(
            "SELECT runs.name, status, (SELECT count(*) FROM metrics WHERE metrics.run_uuid = runs.run_uuid AND key IN ('loss', 'reward'))"
            " FROM runs"
        ):
            if status not in ("FINISHED", "FAILED", "KILLED"):
                raise Broken(f"MLflow's run {name} is {status}")
            steps = {"cold": 16, "warm": 6}.get(name)
            # An attempt that only had to seal what was there sends all of it, too.
            if status == "FINISHED" and steps and count != steps:
                raise Broken(f"MLflow's finished run of {name} has {count} of {steps} points")


def left_over(processes: set[psutil.Process]) -> list[str]:
    """Processes that outlived their run, after a little patience."""
    deadline = time.monotonic() + 15
    while True:
        alive = []
        for process in processes:
            try:
                if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                    alive.append(" ".join(process.cmdline())[:120])
            except psutil.Error:
                continue
        if not alive or time.monotonic() > deadline:
            return alive
        time.sleep(0.3)


def unowned_shared_memory() -> set[str]:
    """Files in /dev/shm that no process maps or holds open."""
    shared = {str(path) for path in Path("/dev/shm").glob("*") if path.is_file()}
    for process in psutil.process_iter():
        try:
            shared -= {region.path.removesuffix(" (deleted)") for region in process.memory_maps()}
            shared -= {file.path for file in process.open_files()}
        except (psutil.Error, OSError):
            continue
    return {path for path in shared if Path(path).exists()}  # what another process has removed meanwhile was not left


def run_chaos(kills: int, seed: int, *, ray: bool, folder: Path, stages: tuple[str, ...] = STAGES) -> dict[str, Any]:
    """Returns what was killed and how long recovery took.

    Raises:
        Broken: something differs from the uninterrupted run, or was left behind.
    """
    before = unowned_shared_memory()
    calm = Chaos(folder / "calm", stages, ray, random.Random(seed))
    if calm.finish(calm.start()) != 0:
        raise Broken(f"the run without kills failed; see {calm.workspace}/chaos.log")
    wanted, wanted_rows = outputs(calm.workspace, stages), rows_in_warehouse(calm.workspace)
    chaos = Chaos(folder / "chaos", stages, ray, random.Random(seed))
    rounds = 0
    while True:
        run = chaos.start()
        if chaos.kills.total() < kills:
            chaos.strike(run)
        code = chaos.finish(run)
        if code != 0:
            print(f"{chaos.kills.total():>3} kills: {dict(chaos.kills)}", flush=True)
            continue
        rounds += 1
        made = outputs(chaos.workspace, stages)
        different = [name for name in wanted.keys() | made.keys() if wanted.get(name) != made.get(name)]
        if different:
            raise Broken(f"not as without kills: {sorted(different)[:5]}; see {folder}")
        if rows_in_warehouse(chaos.workspace) != wanted_rows:
            raise Broken(f"rows in the warehouse: {rows_in_warehouse(chaos.workspace)}, wanted {wanted_rows}")
        check_mlflow(chaos.workspace)
        if chaos.kills.total() >= kills:
            break
        chaos.start_over()
    if alive := left_over(chaos.processes | calm.processes):
        raise Broken(f"processes outlived their runs: {alive}")
    if leaked := unowned_shared_memory() - before:
        raise Broken(f"shared memory was left: {sorted(leaked)}")
    return {"kills": dict(chaos.kills), "rounds": rounds, "outputs": len(wanted)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-ray", action="store_true", help="train in one process")
    parser.add_argument("--keep", type=Path, help="work there and leave it")
    options = parser.parse_args()
    began = time.time()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(exist_ok=True)
        found = run_chaos(options.kills, options.seed, ray=not options.no_ray, folder=folder)
    print(json.dumps(found | {"seconds": round(time.time() - began)}))


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    main()
