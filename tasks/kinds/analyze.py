"""Analysis stage: the responses of other stages in one DuckDB file, and in the workspace's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from evals.analytics.keywords import Families
from evals.config import StageRun
from rl_core.errors import naming
from tasks.analytics_runs import run_info, stage_run
from tasks.kind import Kind, Role, Stages, StageSettings, Work
from tasks.stage.records import SPEC, read_record
from tasks.stage.spec import StageSpec, stage_directory
from tasks.workspace import Workspace

DATABASE = "analysis.duckdb"
STARTS = ("start", "checkpoints")  # roles by which a stage goes on from others or judges them


class AnalyzeStage(StageSettings):
    """All responses of the named stages in one DuckDB file, with spans, lengths, outcomes and keywords."""

    kind: Literal["analyze"] = Field(description="The kind of stage.")
    of: Stages = Field(description="Stages whose responses are read.")
    keywords: Families = Field({}, description="Keyword families besides those of evals/analytics/keywords.yaml, or in place of one.")


class Analyze(Kind[AnalyzeStage]):
    """Responses, metrics and scores of stages in SQL."""

    name = "analyze"
    version = 3
    settings = AnalyzeStage
    roles: ClassVar[Mapping[str, Role]] = {"of": Role("responses")}
    makes = frozenset({"page"})
    publishes = True

    def check_names(self, stage: AnalyzeStage, where: str) -> None:
        """The patterns of its own keyword families."""
        from evals.analytics.keywords import with_own

        if stage.keywords:
            with naming(where):
                with_own(stage.keywords)

    def run(self, spec: StageSpec, work: Work) -> dict[str, Any]:
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
        work.lease.require()
        publish([part], workspace.warehouse)
        return {"rows": rows}

    def why_again(self, spec: StageSpec) -> tuple[str, bool] | None:
        """The database of the workspace is part of what it makes."""
        warehouse = Workspace(spec.workspace).warehouse
        return None if warehouse.exists() else (f"{warehouse.name} is missing", False)

    def note(self, spec: StageSpec, manifest: Mapping[str, Any]) -> str:
        """Rows by table."""
        return ", ".join(f"{rows:,} {table}" for table, rows in manifest["result"]["rows"].items() if rows)


def cold_starts(spec: StageSpec) -> list[StageRun]:
    """Fine-tuning on which the stages of an analysis build and which it does not name: part of what they learned, and of what they cost."""
    from tasks.kinds import KINDS

    fine_tuning = {name for name, kind in KINDS.items() if kind.fine_tunes}
    found: dict[str, StageRun] = {}
    waiting = [above.directory for above in spec.upstream["of"]]
    while waiting:
        identity = (read_record(waiting.pop() / SPEC) or {}).get("identity", {})
        for role in STARTS:
            for name, fingerprint in identity.get("inputs", {}).get(role, {}).items():
                directory = stage_directory(spec.workspace, spec.experiment, name, fingerprint)
                above = read_record(directory / SPEC) or {}
                waiting.append(directory)
                if above.get("kind") in fine_tuning and name not in {other.stage for other in spec.upstream["of"]}:
                    start = next(iter(above["identity"]["inputs"].get("start", {})), None)
                    found[name] = stage_run(spec.experiment, name, above["kind"], fingerprint, directory, above["position"], start)
    return list(found.values())


KIND = Analyze()
