"""What the runner of `r1flow up` runs: the recipes that the operator offers, in the operator's workspace, on the operator's data.

Prefect's form shows these as fixed, but whoever reaches the API can send others. So the flow checks them itself.
"""

import os
from pathlib import Path
from shlex import quote

from flows.recipe.load import shipped
from flows.recipe.request import RunRequest
from flows.servers.schedules import Schedule, read_schedules
from rl_core.errors import InputError
from tasks.workspace import Workspace

SERVED = "R1FLOW_SERVED"  # in the runner's environment: the workspace


def offered(workspace: Workspace) -> dict[str, Schedule]:
    """Every shipped recipe, and what was scheduled, by the deployment's name."""
    known = {name: Schedule(request=RunRequest(recipe=name, workspace=workspace.root)) for name in shipped()}
    return known | read_schedules(workspace)


def check_served(request: RunRequest) -> None:
    """Refuse a request that a runner does not offer. Outside of a runner everything is allowed.

    Raises InputError for another workspace, recipe or data directory than those that are offered.
    """
    root = os.environ.get(SERVED)
    if not root:
        return
    workspace = Workspace.at(Path(root))
    if Workspace.at(request.workspace) != workspace:
        raise InputError(f"workspace {request.workspace}: this runner works in {root}; r1flow up --workspace DIR serves another one")
    allowed = [schedule.request for schedule in offered(workspace).values() if schedule.request.recipe == request.recipe]
    if not allowed:
        raise InputError(f"recipe {request.recipe}: this runner does not offer it; r1flow schedule {quote(request.recipe)} does")
    if request.data_dir not in [None, *(known.data_dir for known in allowed)]:
        command = f"r1flow schedule {quote(request.recipe)} --data-dir {quote(str(request.data_dir))}"
        raise InputError(f"data_dir {request.data_dir}: this runner does not offer it; {command} does")
