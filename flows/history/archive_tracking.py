"""Reports an imported run to this workspace's MLflow: its stages, curves, checkpoints and scores."""

from collections.abc import Callable

from flows.runs.record import find_run
from tasks.stage.records import MLFLOW
from tasks.stage.spec import read_manifest
from tasks.tracking.experiment_run import Lineage
from tasks.workspace import RECORDS, Workspace, write_record


def announce(workspace: Workspace, name: str, warn: Callable[[str], None]) -> list[str]:
    """Report to MLflow the finished stages of a run that it does not have; returns their names, in the order of the recipe.

    Args:
        name: `EXPERIMENT/RUN`.
        warn: called with a line when MLflow falls silent in the middle; the rest is sent by the next run of the experiment.

    Raises:
        TrackingError: MLflow does not answer.
    """
    run = find_run(workspace, name)
    folder = workspace.root / run["experiment"]
    ordered = sorted(run["stages"].items(), key=lambda item: int(item[1]["position"]))
    directories = {stage: folder / entry["directory"] for stage, entry in ordered}
    unheard = [stage for stage, path in directories.items() if read_manifest(path) and not (path / MLFLOW).exists()]
    if not unheard:
        return []
    lineage = Lineage(workspace, run["experiment"], f"{run['experiment']} {run['run']}", warn)
    tags = {"r1flow.run": run["run"], "r1flow.workspace": str(workspace.root), "r1flow.imported": "true"}
    lineage.describe(run["recipe"], tags | run.get("made_with", {}))
    for stage in unheard:
        lineage.adopt(directories[stage])
    closed = lineage.close(lineage.run_id, "FINISHED")
    run["mlflow"] = {"tracking_uri": lineage.uri, "run_id": lineage.run_id, "closed": closed}
    run.pop("prefect", None)  # of the other machine's server
    write_record(folder / RECORDS / f"{run['run']}.json", run)
    return unheard
