"""Every recipe as a Prefect deployment: a form in the UI, schedules, and the runner that carries the runs out.

`python -m flows.deployments WORKSPACE` is the runner. One run of a recipe at a time: a second one is cancelled rather than queued, and what
was due while nothing ran is dropped as deployments are registered anew.
"""

import asyncio
import contextlib
import os
import sys
from itertools import takewhile
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

import httpx
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas import filters
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy, StateType
from prefect.client.schemas.schedules import CronSchedule
from prefect.deployments.runner import RunnerDeployment
from prefect.runner import Runner
from prefect.types.entrypoint import EntrypointType
from prefect.utilities.callables import ParameterSchema
from pydantic import create_model

from flows.recipe.load import load_recipe, shipped
from flows.recipe.request import RunRequest
from flows.recipe.schema import Recipe, RecipeError
from flows.servers.schedules import Schedule, path_of
from flows.servers.served import offered
from rl_core.files import write_json
from tasks.workspace import Workspace

TAG = "r1flow"
GLANCE = 2.0  # seconds between two looks at the schedules
PAUSE = 10.0  # seconds until the server is tried again
FIXED = ("recipe", "workspace")  # parameters that a form shows and does not change
FORM = ("recipe", "rerun_from", "until", "force", "changes", "profile", "anyway", "data_dir", "workspace")  # from top to bottom
TITLES = {"rerun_from": "Start from", "changes": "Overrides"}


def form(recipe: Recipe, given: RunRequest) -> ParameterSchema:
    """The parameters of a recipe's runs, from the types of `RunRequest`: stages are choices among this recipe's own."""
    names: Any = Literal[tuple(recipe.stages)]
    chosen: dict[str, Any] = {"rerun_from": names | None, "until": names | None, "force": list[names]}
    fields: dict[str, Any] = {name: (kind, RunRequest.model_fields[name]) for name, kind in chosen.items()}
    request: type[RunRequest] = create_model("RunRequest", __base__=RunRequest, **fields)
    known = request.model_json_schema()["properties"]
    properties = {}
    for position, name in enumerate(FORM):
        entry = known[name] | {"position": position, "title": TITLES.get(name, name.replace("_", " ").capitalize())}
        if "anyOf" in entry:  # X or nothing: a form leaves nothing out as it is, and asks for a type otherwise
            entry = {**entry.pop("anyOf")[0], **entry}
        if "const" in entry:
            entry["enum"] = [entry.pop("const")]
        if entry.get("default", ...) is None:
            del entry["default"]
        if name in FIXED:
            entry |= {"readOnly": True, "enum": [str(getattr(given, name))]}
        properties[name] = entry
    # Title and type, too: of what is left to its default nothing is sent, and a form without them is a text field of JSON.
    return ParameterSchema(title="Parameters", type="object", properties=properties, required=["recipe"], definitions={})


def deployment(schedule: Schedule) -> RunnerDeployment:
    """A recipe as a deployment; its schedules are applied apart from it. Raises RecipeError if the recipe is missing or wrong."""
    from flows.experiment import experiment

    recipe = load_recipe(schedule.request.recipe, schedule.request.changes)
    made = RunnerDeployment.from_flow(
        experiment,
        name=schedule.name,
        parameters=schedule.request.model_dump(mode="json", exclude_none=True),
        description=_about(Path(schedule.request.recipe)),
        concurrency_limit=ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW),
        tags=[TAG],
        entrypoint_type=EntrypointType.MODULE_PATH,
    )
    made._parameter_openapi_schema = form(recipe, schedule.request)
    return made


def _about(recipe: Path) -> str:
    """The comment at the head of a recipe file."""
    lines = shipped().get(str(recipe), recipe).read_text().splitlines()
    return " ".join(line.lstrip("# ") for line in takewhile(lambda line: line.startswith("#"), lines))


class _Served:
    """Registers deployments and keeps their schedules as the workspace's file says."""

    def __init__(self, workspace: Workspace, runner: Runner) -> None:
        self.workspace = workspace
        self.runner = runner
        self.known: dict[str, Schedule] = {}

    async def refresh(self) -> None:
        """Register what is new, apply changed schedules, take away what is not offered any more."""
        wanted = offered(self.workspace)
        if self.known == wanted:
            return
        for name, schedule in wanted.items():
            if self.known.get(name) == schedule:
                continue
            try:
                await _apply(await self.runner.aadd_deployment(deployment(schedule)), schedule)
            except RecipeError as error:
                print(f"warning: {name} is not served: {error}", file=sys.stderr, flush=True)
            self.known[name] = schedule
        await self._withdraw(set(wanted))

    async def _withdraw(self, wanted: set[str]) -> None:
        """Delete a deployment that no runner serves: its runs would wait for ever."""
        async with get_client() as client:
            for found in await client.read_deployments():
                if TAG in found.tags and found.name not in wanted:
                    await client.delete_deployment(found.id)
        self.known = {name: schedule for name, schedule in self.known.items() if name in wanted}

    async def watch(self) -> None:
        while True:
            await asyncio.sleep(GLANCE)
            with contextlib.suppress(OSError, httpx.HTTPError):
                await self.refresh()


async def _apply(deployment: UUID, schedule: Schedule) -> None:
    async with get_client() as client:
        for old in await client.read_deployment_schedules(deployment):
            await client.delete_deployment_schedule(deployment, old.id)
        await _drop_missed(client, deployment)
        if schedule.cron:
            cron = CronSchedule(cron=schedule.cron, timezone=schedule.timezone)
            await client.create_deployment_schedules(deployment, [DeploymentScheduleCreate(schedule=cron, active=True)])


async def _drop_missed(client: PrefectClient, deployment: UUID) -> None:
    """Delete the runs that a schedule made for a time when nothing was up: Prefect keeps those that are due, and would start them now."""
    scheduled = filters.FlowRunFilterState(type=filters.FlowRunFilterStateType(any_=[StateType.SCHEDULED]))
    waiting = filters.FlowRunFilter(state=scheduled)
    known = filters.DeploymentFilter(id=filters.DeploymentFilterId(any_=[deployment]))
    for run in await client.read_flow_runs(flow_run_filter=waiting, deployment_filter=known):
        if run.auto_scheduled:
            await client.delete_flow_run(run.id)


async def serve(workspace: Workspace) -> None:
    """Be the runner until SIGTERM. While Prefect's server does not answer, runs continue and no new one starts."""
    path_of(workspace).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    while True:
        runner = Runner(name=TAG, query_seconds=GLANCE, pause_on_shutdown=False)
        served = _Served(workspace, runner)
        watching: asyncio.Task[None] | None = None
        try:
            await served.refresh()
            write_json(workspace.root / ".servers" / "runner.ready.json", {"pid": os.getpid(), "deployments": sorted(served.known)})
            watching = asyncio.create_task(served.watch())
            await runner.start()
            return
        except* (httpx.HTTPError, RuntimeError, OSError) as errors:
            print(f"warning: {errors.exceptions[0]}; trying again in {PAUSE:.0f} s", file=sys.stderr, flush=True)
        finally:
            if watching:
                watching.cancel()
        await asyncio.sleep(PAUSE)


if __name__ == "__main__":
    asyncio.run(serve(Workspace.at(Path(sys.argv[1]))))
