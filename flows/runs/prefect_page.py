"""What Prefect's page of a flow run shows: progress, a summary with links, the scores; and log lines.

Artifacts are requests to Prefect's API, so they are few. When the API does not answer, the run goes on: its record and MLflow
have all of it.
"""

import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import UUID

from prefect.artifacts import create_markdown_artifact, create_progress_artifact, create_table_artifact, update_progress_artifact
from prefect.logging import get_run_logger

from flows.planning.plan import Plan, PlannedStage
from flows.runs.display import Display
from flows.runs.summary import places, score_rows, warnings
from flows.servers.daemons import Servers
from tasks.format import clock
from tasks.kinds import KINDS
from tasks.stage.records import MLFLOW, read_record
from tasks.stage.spec import StageSpec, message_of, read_manifest
from tasks.tracking.experiment_run import Lineage, page
from tasks.trainer.local_process import Progress

PAUSE = 5.0  # seconds between two requests about progress
SILENCE = 60.0  # seconds without requests after one that failed


class FlowPage:
    """Shows in Prefect what the display shows in the terminal. A context manager: at its end it writes the summary."""

    def __init__(self, plan: Plan, lineage: Lineage, display: Display) -> None:
        self._plan = plan
        self._lineage = lineage
        self._display = display
        self._log = get_run_logger()
        self._rows: dict[str, tuple[str, str]] = {}  # stage -> what became of it, and a note
        self._artifact: UUID | None = None
        self._told = 0.0
        self._silent_until = 0.0
        self._warned = False
        self._begun = time.monotonic()

    def __enter__(self) -> Self:
        self._artifact = self._tell(lambda: create_progress_artifact(0.0, f"{self._name}-progress", "starting"))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is None or isinstance(error, Exception):
            self._summarize(message_of(error) if error else None)

    def reused(self, stage: PlannedStage) -> None:
        self._display.reused(stage)
        self._note(stage, "reused", stage.spec.directory.name)

    def begin(self, stage: PlannedStage) -> None:
        self._display.begin(stage)
        self._begun = time.monotonic()
        self._log.info(f"{stage.spec.stage}: {'; '.join(stage.reasons[:3])}")

    def progress(self, spec: StageSpec, progress: Progress) -> None:
        self._display.progress(spec, progress)
        now = time.monotonic()
        if self._artifact and now - self._told >= PAUSE:
            self._told = now
            done = min(1.0, progress.step / progress.total) if progress.total else 0.0
            self._update((len(self._rows) + done) / len(self._plan.stages), f"{spec.stage}: {progress.where}")

    def end(self, stage: PlannedStage, note: str, warnings: list[str]) -> None:
        self._display.end(stage, note)
        self._note(stage, f"done in {clock(time.monotonic() - self._begun)}", note)
        for text in warnings:
            self._display.warn(f"{stage.spec.stage}: {text}")
            self._log.warning(f"{stage.spec.stage}: {text}")
        if time.monotonic() - self._told >= PAUSE:
            self._told = time.monotonic()
            self._update(len(self._rows) / len(self._plan.stages), f"{stage.spec.stage} done")

    def say(self, text: str) -> None:
        self._display.console.print(text, highlight=False, markup=False, soft_wrap=True)
        self._log.info(text)

    @property
    def _name(self) -> str:
        return self._plan.recipe.name.replace("_", "-")  # artifact keys have no underscore

    def _note(self, stage: PlannedStage, state: str, note: str) -> None:
        self._rows[stage.spec.stage] = (state, note)
        self._log.info(f"{stage.spec.stage}: {state}{f': {note}' if note else ''}")

    def _update(self, share: float, description: str) -> None:
        artifact = self._artifact
        if artifact is not None:
            self._tell(lambda: update_progress_artifact(artifact, round(100 * share, 1), description))

    def _summarize(self, error: str | None) -> None:
        name = self._name
        self._silent_until = 0.0
        if error is None:
            self._update(1.0, "done")
        self._tell(lambda: create_markdown_artifact(self._summary(error), f"{name}-summary", "what ran, and where to look"))
        header, rows = score_rows(self._plan)
        if rows:
            columns = [title.replace("\n", ", ") for title in header]
            table = [dict(zip(columns, row, strict=True)) for row in rows]
            self._tell(lambda: create_table_artifact(table, f"{name}-scores", "scores in percent with their 95 % intervals"))
        base = self._mlflow()
        if base and (figures := pictures(self._plan, base, self._lineage.uri)):
            self._tell(lambda: create_markdown_artifact(figures, f"{name}-figures", "the figures of the report"))

    def _summary(self, error: str | None) -> str:
        lines = [f"# {self._plan.recipe.name}", ""]
        if error:
            lines += [f"**Did not end well:** {_escaped(error)}", ""]
        lines += ["| stage | kind | | |", "|---|---|---|---|"]
        for stage in self._plan.stages:
            state, note = self._rows.get(stage.spec.stage, ("not run", ""))
            lines.append(f"| {stage.spec.stage} | {stage.spec.kind} | {state} | {_escaped(note)} |")
        lines += ["", *(f"- **Warning:** {_escaped(text)}" for text in warnings(self._plan))]
        lines += ["", *(f"- {title}: {where}" for title, where in self._links())]
        return "\n".join(lines)

    def _mlflow(self) -> str | None:
        """Address of MLflow's pages, where a server shows them."""
        server = Servers(self._plan.workspace).running("mlflow")
        return server.url if server else self._plan.workspace.tracking_server

    def _links(self) -> list[tuple[str, str]]:
        found = []
        base = self._mlflow()
        if base:
            runs = f"/experiments/{self._lineage.experiment_id}/runs"
            found.append(("MLflow", f"[the run, its stages and curves]({page(base, f'{runs}/{self._lineage.run_id}')})"))
            for stage, run in _reports(self._plan, self._lineage.uri):
                artifacts = page(base, f"{runs}/{run}/artifacts")
                found.append(("Report and figures", f"[among the artifacts of {stage.spec.stage}]({artifacts})"))
        return found + [(title, f"`{where}`") for title, where in places(self._plan)]

    def _tell(self, request: Callable[[], Any]) -> Any:
        if time.monotonic() < self._silent_until:
            return None
        try:
            return request()
        except Exception as error:  # its HTTP client's, the server's, Prefect's own
            self._silent_until = time.monotonic() + SILENCE
            if not self._warned:
                self._display.warn(f"Prefect does not answer ({message_of(error)}); the run goes on")
            self._warned = True
            logging.raiseExceptions = False  # Prefect's log handlers would say the same at every line
            return None


def pictures(plan: Plan, mlflow: str, store: str) -> str:
    """Markdown with the figures of a plan's reports, each with a link to its SVG; empty without any.

    Args:
        mlflow: address of the server that shows them.
        store: its tracking URI. Only the run that made a report has its figures, be it of an earlier flow run, and of this store.
    """
    shown = []
    for stage, run in _reports(plan, store):
        place = f"{mlflow}/get-artifact?run_uuid={run}&path=figures"
        files = (read_manifest(stage.spec.directory) or {"result": {}})["result"].get("files", [])
        for path in sorted(stage.spec.directory.glob("figures/*.png"), key=lambda path: _place(files, path)):
            shown.append(f"![{path.stem}]({place}/{path.name})\n\n[{path.stem}.svg]({place}/{path.stem}.svg)")
    return "\n\n".join(shown)


def _place(files: list[str], figure: Path) -> tuple[int, str]:
    """Figures are in the order of the report: reward and scores first."""
    name = f"figures/{figure.name}"
    return files.index(name) if name in files else len(files), name


def _reports(plan: Plan, store: str) -> Iterator[tuple[PlannedStage, str]]:
    """Stages whose report MLflow has, and the MLflow runs that have it."""
    for stage in plan.stages:
        notes = read_record(stage.spec.directory / MLFLOW) if KINDS[stage.spec.kind].page(stage.spec.directory) else None
        if notes and notes["tracking_uri"] == store and "files" in notes["sent"]:
            yield stage, notes["run"]


def _escaped(text: str) -> str:
    """As the cell of a Markdown table; what models wrote is no markup."""
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("`", "\\`").replace("\n", " ")
