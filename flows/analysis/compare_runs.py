"""`r1flow compare RUN RUN…`: what differs between runs in recipe, curves and scores, as one page."""

from collections.abc import Callable, Sequence
from pathlib import Path

from flows.analysis.ingest import part_of
from flows.runs.record import find_run
from rl_core.errors import InputError
from tasks.kinds.report import where_to_look
from tasks.tracking.experiment_run import Lineage, TrackingError
from tasks.tracking.stage_run import flatten
from tasks.workspace import Workspace

DATABASE = "comparison.duckdb"


def compare_runs(workspace: Workspace, names: Sequence[str], output: Path | None, warn: Callable[[str], None]) -> Path:
    """Write `comparison.duckdb`, `comparison.html` and `figures/`, and keep page and figures as an MLflow run; returns the page.

    Raises InputError if a run is not there, named twice, or has nothing finished.
    """
    from evals.analytics.report.comparison import write
    from evals.analytics.warehouse.publish import build_several

    if len(names) < 2:
        raise InputError(f"{names[0]} alone cannot be compared; name another run")
    records = [find_run(workspace, name) for name in names]
    labels = [f"{record['experiment']}/{record['run']}" for record in records]
    if repeated := next((label for label in labels if labels.count(label) > 1), None):
        raise InputError(f"{repeated} is named twice; give different runs, such as EXPERIMENT/ID (`r1flow status` lists them)")
    parts = []
    for label, record in zip(labels, records, strict=True):
        part = part_of(workspace, record, finished=True)
        if not part.stages:
            raise InputError(f"run {label}: no stage of training or evaluation is finished; go on with it: r1flow resume {label}")
        parts.append(part)
    if output is None:
        output = workspace.root / "comparisons" / "-vs-".join(label.replace("/", "-") for label in labels)
        workspace.require_writable(output, "another directory by --output")
    output.mkdir(parents=True, exist_ok=True)
    build_several(parts, output / DATABASE)
    recipes = {label: dict(flatten(record["recipe"])) for label, record in zip(labels, records, strict=True)}
    runs = {label: [stage.stage for stage in part.stages] for label, part in zip(labels, parts, strict=True)}
    page = write(output / DATABASE, output, runs=runs, recipes=recipes, links=where_to_look(workspace))
    try:
        lineage = Lineage(workspace, records[0]["experiment"], f"comparison of {' and '.join(labels)}", warn)
    except TrackingError as error:
        warn(f"{error}; the page is complete without it")
    else:
        lineage.keep(page)
        lineage.close(lineage.run_id, "FINISHED")
    return page
