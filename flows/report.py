"""A report outside of a run: from whatever a run has finished."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flows.ingest import part_of
from flows.recipe import check
from rl_core.errors import InputError
from tasks.report import REPORT, where_to_look
from tasks.workspace import Workspace


def write_report(workspace: Workspace, run: dict[str, Any], output: Path | None) -> Path:
    """Write the page of a recorded run and return its path.

    Raises:
        InputError: none of its stages with something to show is finished.
    """
    from evals.analytics.report import write
    from evals.analytics.warehouse import build

    recipe = check(run["recipe"])
    part = part_of(workspace, run, finished=True)
    if not part.stages:
        raise InputError(f"run {run['experiment']}/{run['run']}: no stage of training or evaluation is finished; run it on with r1flow run")
    output = output or workspace.root / recipe.name / "reports" / run["run"]
    output.mkdir(parents=True, exist_ok=True)
    database = output / "analysis.duckdb"
    build(part, database)
    write(database, output, recipe=run["recipe"], title=recipe.name, reading=where_to_look(workspace))
    return output / REPORT
