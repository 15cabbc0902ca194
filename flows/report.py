"""A report outside of a run: from whatever a run has finished."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from evals.config import StageRun
from flows.recipe import check
from rl_core.errors import InputError
from tasks.report import REPORT, where_to_look
from tasks.stage import read_manifest
from tasks.workspace import Workspace


def write_report(workspace: Workspace, run: dict[str, Any], output: Path | None) -> Path:
    """Write the page of a recorded run and return its path.

    Raises:
        InputError: none of its stages with something to show is finished.
    """
    from evals.analytics.report import write
    from evals.analytics.warehouse import build

    recipe = check(run["recipe"])
    stages = [found for name, entry in run["stages"].items() if (found := _finished(workspace, recipe.name, name, entry, run))]
    if not stages:
        raise InputError(f"run {run['experiment']}/{run['run']}: no stage of training or evaluation is finished; run it on with r1flow run")
    output = output or workspace.root / recipe.name / "reports" / run["run"]
    output.mkdir(parents=True, exist_ok=True)
    database = output / "analysis.duckdb"
    build(stages, database)
    write(database, output, recipe=run["recipe"], title=recipe.name, reading=where_to_look(workspace))
    return output / REPORT


def _finished(workspace: Workspace, experiment: str, name: str, entry: dict[str, Any], run: dict[str, Any]) -> StageRun | None:
    directory = workspace.root / experiment / entry["directory"]
    if entry["kind"] not in ("sft", "rl", "eval") or read_manifest(directory) is None:
        return None
    start = run["recipe"]["stages"][name].get("start")
    return StageRun(
        experiment=experiment,
        stage=name,
        kind=entry["kind"],
        fingerprint=entry["fingerprint"],
        directory=directory,
        position=entry["position"],
        start=start if start in run["stages"] else None,
    )
