"""Analysis stage: the responses of other stages in one DuckDB file, and in the workspace's."""

from __future__ import annotations

from typing import Any

from evals.config import StageRun
from tasks.analytics_runs import run_info, stage_run
from tasks.stage.lease import Lease
from tasks.stage.records import SPEC, read_record
from tasks.stage.spec import StageSpec, stage_directory
from tasks.workspace import Workspace

DATABASE = "analysis.duckdb"
STARTS = ("start", "checkpoints")  # roles by which a stage goes on from others or judges them


def run(spec: StageSpec, lease: Lease) -> dict[str, Any]:
    """Write the database of this experiment and add it to the workspace's; returns the rows by table."""
    from evals.analytics.keywords import document, with_own
    from evals.analytics.warehouse.publish import Part, build, publish

    workspace = Workspace(spec.workspace)
    stages = [
        stage_run(spec.experiment, above.stage, above.kind, above.fingerprint, above.directory, above.position, above.start)
        for above in spec.upstream["of"]
    ]
    stages += cold_starts(spec)
    records = workspace.run_records(spec.experiment)
    record = read_record(records[-1]) if records else None  # the last one is the run that this stage belongs to
    part = Part(stages, with_own(document(spec.settings["keywords"])), run_info(record) if record else None)
    rows = build(part, spec.directory / DATABASE)
    lease.require()
    publish([part], workspace.warehouse)
    return {"rows": rows}


def cold_starts(spec: StageSpec) -> list[StageRun]:
    """Fine-tuning on which the stages of an analysis build and which it does not name: part of what they learned, and of what they cost."""
    found: dict[str, StageRun] = {}
    waiting = [above.directory for above in spec.upstream["of"]]
    while waiting:
        identity = (read_record(waiting.pop() / SPEC) or {}).get("identity", {})
        for role in STARTS:
            for name, fingerprint in identity.get("inputs", {}).get(role, {}).items():
                directory = stage_directory(spec.workspace, spec.experiment, name, fingerprint)
                above = read_record(directory / SPEC) or {}
                waiting.append(directory)
                if above.get("kind") == "sft" and name not in {other.stage for other in spec.upstream["of"]}:
                    start = next(iter(above["identity"]["inputs"].get("start", {})), None)
                    found[name] = stage_run(spec.experiment, name, "sft", fingerprint, directory, above["position"], start)
    return list(found.values())
