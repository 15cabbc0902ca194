"""Analysis stage: the responses of other stages in one DuckDB file, and in the workspace's."""

from __future__ import annotations

from typing import Any

from evals.config import StageRun
from tasks.stage import StageSpec, Upstream

DATABASE = "analysis.duckdb"


def run(spec: StageSpec) -> dict[str, Any]:
    """Write the database of this experiment and add it to the workspace's; returns the rows by table."""
    from evals.analytics.warehouse import build, publish
    from tasks.workspace import Workspace

    stages = [_stage_run(spec.experiment, upstream) for upstream in spec.upstream["of"]]
    rows = build(stages, spec.directory / DATABASE)
    publish(stages, Workspace(spec.workspace).warehouse)
    return {"rows": rows}


def _stage_run(experiment: str, upstream: Upstream) -> StageRun:
    return StageRun(
        experiment=experiment,
        stage=upstream.stage,
        kind=upstream.kind,
        fingerprint=upstream.fingerprint,
        directory=upstream.directory,
        position=upstream.position,
        start=upstream.start,
    )
