"""The report of a run at any time: of its finished stages, and of the steps so far of the one that runs."""

from pathlib import Path
from typing import Any

from flows.analysis.ingest import part_of
from flows.recipe.load import check
from flows.runs.status import describe
from rl_core.errors import InputError
from tasks.kinds.report import REPORT, where_to_look
from tasks.stage.digests import Digests
from tasks.stage.records import SPEC, WRITTEN
from tasks.stage.spec import read_manifest
from tasks.workspace import Workspace, write_record


def write_report(workspace: Workspace, run: dict[str, Any], output: Path | None) -> Path:
    """Write the page of a recorded run and return its path. Raises InputError if none of its stages has something to show yet."""
    from evals.analytics.report.page import write
    from evals.analytics.warehouse.publish import build

    recipe = check(run["recipe"])
    part = part_of(workspace, run, finished=False)
    if not part.stages:
        name = f"{run['experiment']}/{run['run']}"
        raise InputError(f"run {name}: no stage of training or evaluation has begun; go on with it: r1flow resume {name}")
    underway = _unfinished(workspace, run)
    if output is None:
        output = workspace.root / recipe.name / "reports" / run["run"]
        workspace.require_writable(output, "another directory by --output")
    output.mkdir(parents=True, exist_ok=True)
    (output / WRITTEN).unlink(missing_ok=True)
    database = output / "analysis.duckdb"
    build(part, database)
    written = write(database, output, recipe=run["recipe"], title=recipe.name, links=where_to_look(workspace), underway=underway)
    digests = Digests(workspace.digests)
    files = {path.relative_to(output).as_posix(): path for path in [database, *written]}
    write_record(
        output / WRITTEN,
        {"files": {name: {"bytes": path.stat().st_size, "sha256": digests.of(path, again=True)} for name, path in files.items()}},
    )
    return output / REPORT


def _unfinished(workspace: Workspace, run: dict[str, Any]) -> list[tuple[str, str]]:
    """Stages that a run has still to make, and their state in words; those that have not begun together."""
    found, waiting = [], []
    for name, entry in run["stages"].items():
        directory = workspace.root / run["experiment"] / entry["directory"]
        if entry["action"] == "skip" or read_manifest(directory):
            continue
        if (directory / SPEC).exists():
            found.append((name, describe(directory)[0]))
        else:
            waiting.append(name)
    return [*found, (", ".join(waiting), "not begun")] if waiting else found
