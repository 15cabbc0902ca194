"""Report stage: one HTML page and its figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from shlex import quote
from typing import Any, ClassVar, Literal

from pydantic import Field

from tasks.kind import Kind, Role, Stages, StageSettings, Work
from tasks.stage.spec import StageSpec
from tasks.workspace import Workspace

REPORT = "report.html"
SQL_EXAMPLE = "SELECT stage, step, reward FROM reward_by_step ORDER BY position, step"


class ReportStage(StageSettings):
    """One HTML page and its figures."""

    kind: Literal["report"] = Field(description="The kind of stage.")
    of: Stages = Field(description="The analyze stage, and eval stages whose scores are shown.")


class Report(Kind[ReportStage]):
    """A page about the stages of one analysis."""

    name = "report"
    version = 2
    settings = ReportStage
    roles: ClassVar[Mapping[str, Role]] = {"of": Role("page")}

    def check_references(self, stage: ReportStage, kinds: Mapping[str, Kind[Any]], parents: Callable[[str], Sequence[str]]) -> str | None:
        """It reads one database, which must hold all stages that it names."""
        analyses = [name for name in stage.of if kinds[name].publishes]
        if len(analyses) != 1:
            return f"of: a report reads the database of one analyze stage, {len(analyses)} are named"
        missing = next((name for name in stage.of if name != analyses[0] and name not in parents(analyses[0])), None)
        return f"of: {missing!r} is not in the database; add it to stages.{analyses[0]}.of" if missing else None

    def run(self, spec: StageSpec, work: Work) -> dict[str, Any]:
        """Write `report.html` and `figures/`; returns their names."""
        from evals.analytics.report.page import write
        from tasks.kinds.analyze import DATABASE

        analysis = next(above for above in spec.upstream["of"] if (above.directory / DATABASE).exists())
        links = where_to_look(Workspace(spec.workspace))
        written = write(analysis.directory / DATABASE, spec.directory, recipe=work.recipe, title=spec.experiment, links=links)
        return {"files": [str(Path(path).relative_to(spec.directory)) for path in written]}

    def note(self, spec: StageSpec, manifest: Mapping[str, Any]) -> str:
        """Where the page is."""
        return str(self.page(spec.directory))

    def page(self, directory: Path) -> Path | None:
        """The report itself."""
        return directory / REPORT


def where_to_look(workspace: Workspace) -> list[dict[str, Any]]:
    """Places to go on from, for the report and for the end of a run: title and where."""
    mlflow = workspace.tracking_server or f"mlflow ui --backend-store-uri {quote(workspace.tracking_uri)}"
    return [
        {"title": "MLflow", "where": mlflow, "note": "runs, curves, checkpoints"},
        {"title": "SQL", "where": f'r1flow sql --workspace {quote(str(workspace.root))} "{SQL_EXAMPLE}"', "note": "every response"},
    ]


KIND = Report()
