"""What a finished run made, without what no two runs share, and what it must not leave behind."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import duckdb
import psutil

from tests.end_to_end.chaos.site import STAGES, Broken, Site

TIMINGS = ("seconds", "per_second", "memory", "utilisation", "time")  # parts of names of metrics that no two runs share
OWN = {"modified", "directory", "seconds", "run", "started", "finished", "reading", "bytes"}  # columns of the same sort
EQUAL = {".parquet", ".safetensors", ".jinja", ".png", ".svg"}  # files that are the same in every byte
EQUAL_NAMES = {"tokenizer.json", "config.json", "overlap.json", "trainer.json"}
AFTERWARDS = 40.0  # seconds: a trainer whose run is gone ends within 20
TIMED = {"sft.png", "sft.svg"}  # they show tokens per second


def made(site: Site) -> dict[str, Any]:
    """Outputs, rows and curves by name: of files, DuckDB and MLflow.

    Raises:
        Broken: a stage is not there once, or its files are not those of its manifest.
    """
    return _files(site) | _rows(site.workspace / "warehouse.duckdb") | _curves(site.workspace / "mlflow.db")


def _files(site: Site) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for stage in site.stages:
        directories = list(site.workspace.glob(f"chaos/{stage}-????????"))
        if len(directories) != 1:
            raise Broken(f"{stage}: {len(directories)} directories")
        manifest = json.loads((directories[0] / "manifest.json").read_text())
        if any(name.endswith((".parquet", ".safetensors")) for name in manifest["outputs"]):  # others hold timings
            found[f"{stage}/content"], found[f"{stage}/inputs"] = manifest["content"], manifest["inputs"]
        for name, output in manifest["outputs"].items():
            path = directories[0] / name
            digest = _digest(path)
            if digest != output["sha256"]:
                raise Broken(f"{path} is not what its manifest says")
            found[f"{stage}/{name}"] = digest if path.name not in TIMED and (path.suffix in EQUAL or path.name in EQUAL_NAMES) else "there"
        if (directories[0] / "metrics.jsonl").exists():
            rows = [json.loads(line) for line in (directories[0] / "metrics.jsonl").read_text().splitlines()]
            found[f"{stage}/metrics"] = [{key: value for key, value in row.items() if not _is_timing(key)} for row in rows]
        if stage == "scores":
            found["scores"] = json.loads((directories[0] / "scores.json").read_text())["scores"]
    for path in site.workspace.glob("cells/*/samples.parquet"):
        found[f"cells/{path.parent.name}"] = _digest(path)
    return found


def _rows(warehouse: Path) -> dict[str, Any]:
    """Rows by table, in an order that does not depend on when they came."""
    if not warehouse.exists():
        return {}
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        found = {}
        for (table,) in connection.execute("SELECT table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE'").fetchall():
            names = [name for name, *_ in connection.execute(f'DESCRIBE "{table}"').fetchall() if name not in OWN]
            columns = ", ".join(f'"{name}"' for name in names)
            rows = connection.execute(f'SELECT {columns} FROM "{table}"').fetchall()
            if table == "metrics":
                rows = [row for row in rows if not _is_timing(row[names.index("name")])]
            found[f"DuckDB's {table}"] = sorted(map(repr, rows)) if table != "runs" else "there"
    return found


def _curves(database: Path) -> dict[str, Any]:
    """Points by stage and metric.

    Raises:
        Broken: a run is left open, or a point of a curve is there twice.
    """
    with sqlite3.connect(database) as connection:
        twice = connection.execute("SELECT run_uuid, key, step FROM metrics GROUP BY 1, 2, 3 HAVING count(*) > 1").fetchall()
        if twice:
            raise Broken(f"MLflow has points twice: {twice[:3]}")
        query = "SELECT name, status, run_uuid FROM runs WHERE lifecycle_stage = 'active' ORDER BY start_time"
        runs = connection.execute(query).fetchall()
        if open_runs := [name for name, status, _ in runs if status not in ("FINISHED", "FAILED", "KILLED")]:
            raise Broken(f"MLflow's runs are open: {open_runs}")
        found = {}
        for name, status, run in runs:
            points = connection.execute("SELECT key, step, value FROM metrics WHERE run_uuid = ? ORDER BY 1, 2", (run,)).fetchall()
            if status == "FINISHED" and name in STAGES:  # of several, each has the whole curve
                found[f"MLflow's {name}"] = [point for point in points if not _is_timing(point[0])]
    return found


def without_lost(things: dict[str, Any], lost: set[tuple[str, int]]) -> dict[str, Any]:
    """What can be compared where checkpoints of a stage and step are not there: neither these nor what sums a stage's files up."""
    found = {name: thing for name, thing in things.items() if not (lost and name.endswith(("/inputs", "/content")))}
    for stage, step in lost:
        folder, row = f"{stage}/checkpoints/step-{step:06}/", f"'{stage}', {step})"
        found = {name: thing for name, thing in found.items() if not name.startswith(folder)}
        found["DuckDB's checkpoints"] = [text for text in found.get("DuckDB's checkpoints", []) if not text.endswith(row)]
    return found


def differences(wanted: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """Names of what is not as it should be."""
    return sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))


def check_nothing_left(site: Site) -> None:
    """Raises Broken if a process, shared memory or a session of Ray outlived its run."""
    deadline = time.monotonic() + AFTERWARDS
    while left := [*_alive(site), *(path for path in site.shared if Path(path).exists()), *_sessions(site)]:
        if time.monotonic() > deadline:
            raise Broken(f"left behind: {left}")
        time.sleep(0.5)


def _is_timing(name: str) -> bool:
    return any(part in name for part in TIMINGS)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _alive(site: Site) -> Iterator[str]:
    for process in site.processes:
        with suppress(psutil.Error):
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                yield " ".join(process.cmdline())[:120]


def _sessions(site: Site) -> Iterator[str]:
    """Ray's folders: their names end with the number of the process that began them."""
    numbers = {str(process.pid) for process in site.processes}
    for path in Path(tempfile.gettempdir(), "ray").glob("session_*_*"):
        if path.name.rpartition("_")[2] in numbers:
            yield str(path)
