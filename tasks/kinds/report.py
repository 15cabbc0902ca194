"""Report stage: one HTML page and its figures."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import Any

from tasks.kinds.analyze import DATABASE
from tasks.stage.spec import StageSpec
from tasks.workspace import Workspace

REPORT = "report.html"
SQL_EXAMPLE = "SELECT stage, step, reward FROM reward_by_step ORDER BY position, step"


def run(spec: StageSpec, recipe: dict[str, Any]) -> dict[str, Any]:
    """Write `report.html` and `figures/`; returns their names."""
    from evals.analytics.report.page import write

    analysis = next(upstream for upstream in spec.upstream["of"] if upstream.kind == "analyze")
    reading = where_to_look(Workspace(spec.workspace))
    written = write(analysis.directory / DATABASE, spec.directory, recipe=recipe, title=spec.experiment, reading=reading)
    return {"files": [str(Path(path).relative_to(spec.directory)) for path in written]}


def where_to_look(workspace: Workspace) -> list[dict[str, Any]]:
    """Places to go on from, for the report and for the end of a run: title and where."""
    mlflow = workspace.tracking_server or f"mlflow ui --backend-store-uri {quote(workspace.tracking_uri)}"
    return [
        {"title": "MLflow", "where": mlflow, "note": "runs, curves, checkpoints"},
        {"title": "SQL", "where": f'r1flow sql --workspace {quote(str(workspace.root))} "{SQL_EXAMPLE}"', "note": "every response"},
    ]
