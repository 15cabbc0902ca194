"""What is in a workspace and who works in it."""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.runs.stage_warnings import stage_warnings
from flows.servers.daemons import NAMES, Servers
from flows.servers.schedules import read_schedules
from tasks.format import clock, visible
from tasks.stage.lease import holder, orphan
from tasks.stage.records import SPEC, STATE, read_record
from tasks.stage.spec import PROGRESS, read_manifest
from tasks.workspace import Workspace

if TYPE_CHECKING:
    from rich.console import Console

RUNS_SHOWN = 3
HEADER = ["stage", "kind", "state", "when", "last in run", "directory"]


def print_status(workspace: Workspace, console: Console) -> None:
    """Every experiment with its last runs and the stages it has directories for, superseded ones left out."""
    _print_servers(workspace, console)
    experiments = workspace.experiments()
    if not experiments:
        console.print(f"{workspace.root}: no experiment yet; r1flow run quickstart", highlight=False)
    for experiment in experiments:
        console.print(f"[bold]{experiment}[/bold]")
        for path in workspace.run_records(experiment)[-RUNS_SHOWN:]:
            run = read_record(path)
            if run:
                error = f": {visible(run['error'])}" if run.get("error") else ""
                console.print(f"  run {run['run']} {_run_state(path, run)}{error}", highlight=False, markup=False, soft_wrap=True)
        rows = stage_rows(workspace, experiment)
        widths = [max(len(row[column]) for row in [HEADER, *rows]) for column in range(len(HEADER))]
        for row in [HEADER, *rows]:
            line = "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
            style = "bold" if row is HEADER else None
            console.print(f"  {line}", style=style, highlight=False, markup=False, soft_wrap=True)  # a directory is copied: never cut
        for row in rows:
            for text in stage_warnings(Path(row[-1])):
                console.print(f"  warning: {row[0]}: {text}", style="yellow", highlight=False, markup=False, soft_wrap=True)


def _print_servers(workspace: Workspace, console: Console) -> None:
    """What `r1flow up` started, and the schedules."""
    servers = Servers(workspace)
    if servers.folder.exists() and not os.access(servers.folder, os.R_OK | os.X_OK, effective_ids=True):
        console.print("servers and schedules: only their owner sees them", highlight=False)
        return
    for server in filter(None, map(servers.running, NAMES)):
        state = "up" if servers.healthy(server) else "does not answer"
        text = f"{server.name:<8} {state}: {server.page}, process {server.mark['pid']}, log {server.log}"
        console.print(text, highlight=False, markup=False, soft_wrap=True)
    for name, schedule in read_schedules(workspace).items():
        when = f"{schedule.cron} {schedule.timezone}" if schedule.cron else "served, not scheduled"
        console.print(f"schedule {name}: {when}", highlight=False, markup=False)


def stage_rows(workspace: Workspace, experiment: str) -> list[list[str]]:
    """The cells of HEADER for each stage directory of an experiment, in the order of the recipe."""
    last_run: dict[str, str] = {}  # directory -> id of the last run that made or reused it
    for path in workspace.run_records(experiment):
        last_run |= {entry["directory"]: path.stem for entry in (read_record(path) or {"stages": {}})["stages"].values()}
    found = []
    for path in (workspace.root / experiment).glob(f"*-????????/{SPEC}"):
        spec, directory = read_record(path), path.parent
        if spec:
            state, moment = describe(directory)
            when = datetime.fromtimestamp(moment).strftime("%Y-%m-%d %H:%M") if moment else ""
            row = [spec["stage"], spec["kind"], state, when, last_run.get(directory.name, "-"), str(directory)]
            found.append((spec["position"], moment, row))
    return [row for _, _, row in sorted(found, key=lambda item: item[:2])]


def describe(directory: Path) -> tuple[str, float]:
    """The state of a stage in words, and when it was last seen (seconds since the epoch)."""
    manifest = read_manifest(directory)
    if manifest:
        return f"done in {clock(manifest.get('seconds', 0.0))}", manifest.get("finished", 0.0)
    state: dict[str, Any] = read_record(directory / STATE) or {}
    last_seen = state.get("heartbeat", 0.0)
    owner = holder(directory / STATE, state)
    step = _last_step(directory / PROGRESS)
    if owner:
        return f"running{step}, process {owner['pid']} on {owner['host']}", last_seen
    if (trainer := orphan(state)) is not None:
        return f"left behind{step}: its run is gone, its trainer (process {trainer}) writes a checkpoint and ends", last_seen
    ended = state.get("state") if state.get("state") in ("failed", "stopped") else "interrupted"  # its process ended without a record
    return f"{ended}{step}", last_seen


def _run_state(path: Path, run: dict[str, Any]) -> str:
    made = sum(stage["action"] in ("run", "continue") for stage in run["stages"].values())
    state = run["state"] if run["state"] != "running" or holder(path, run) else "interrupted"
    took = "" if state == "interrupted" else f", {clock((run.get('finished') or time.time()) - run['started'])}"
    if made == 0:
        return f"{state}, all stages reused{took}"
    return f"{state}, {made} of {len(run['stages'])} stages {'made' if state == 'done' else 'to make'}{took}"


def _last_step(path: Path) -> str:
    with suppress(OSError), path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 4096))
        for line in reversed(file.read().splitlines()):
            with suppress(ValueError, KeyError, TypeError, RecursionError):
                progress = json.loads(line)
                return f" at step {progress['step']}{f' of {total}' if (total := progress['total']) else ''}"
    return ""
