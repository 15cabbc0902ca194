"""Analysis stage: the responses of other stages in one DuckDB file, and in the workspace's."""

from __future__ import annotations

from typing import Any

from tasks.lease import Lease
from tasks.stage import StageSpec
from tasks.stage_runs import run_info, stage_run
from tasks.workspace import Workspace, read_json

DATABASE = "analysis.duckdb"


def run(spec: StageSpec, lease: Lease) -> dict[str, Any]:
    """Write the database of this experiment and add it to the workspace's; returns the rows by table."""
    from evals.analytics.keywords import document, with_own
    from evals.analytics.warehouse import Part, build, publish

    workspace = Workspace(spec.workspace)
    stages = [
        stage_run(spec.experiment, above.stage, above.kind, above.fingerprint, above.directory, above.position, above.start)
        for above in spec.upstream["of"]
    ]
    records = workspace.run_records(spec.experiment)
    record = read_json(records[-1]) if records else None  # the last one is the run that this stage belongs to
    part = Part(stages, with_own(document(spec.settings["keywords"])), run_info(record) if record else None)
    rows = build(part, spec.directory / DATABASE)
    lease.require()
    publish([part], workspace.warehouse)
    return {"rows": rows}
