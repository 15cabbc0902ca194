"""A request to go on with a recorded run."""

from pathlib import Path
from typing import Any

from flows.recipe.request import RunRequest
from flows.recipe.smoke import data_directory
from rl_core.errors import InputError
from tasks.workspace import RECORDS, Workspace


def resume_request(
    workspace: Workspace,
    run: dict[str, Any],
    *,
    changes: list[str],
    rerun_from: str | None = None,
    until: str | None = None,
    anyway: bool = False,
    data_dir: Path | None = None,
) -> RunRequest:
    """A request for the recipe as it was in that run, whatever happened to its file since, with changes.

    What the run has finished is found by its fingerprints; `rerun_from` refuses where a stage before it would have to be made again.
    """
    import yaml

    recipe = workspace.root / run["experiment"] / RECORDS / run["run"] / f"{run['experiment']}.yaml"
    try:
        recipe.parent.mkdir(exist_ok=True)
        recipe.write_text(yaml.safe_dump(run["recipe"], sort_keys=False))
    except OSError as error:
        raise InputError(f"{recipe}: {error.strerror}; the recipe of the run is kept there") from error
    before = run["order"]
    return RunRequest(
        recipe=str(recipe),
        changes=changes,
        rerun_from=rerun_from,
        until=until or (before["until"] if rerun_from is None else None),
        anyway=anyway or before.get("anyway", False),
        data_dir=data_directory(data_dir or before["data_dir"], before.get("profile")),  # the recipe of a run is in its profile already
        workspace=workspace.root,
    )
