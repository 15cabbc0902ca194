"""The Prefect flow: carries out a plan, one task per stage.

Manifests decide whether a stage is reused, not Prefect's result cache: tasks persist nothing and are never cached. Stages run one after
another in the main thread, for a cancellation can interrupt no other.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prefect import State, flow, task
from prefect.cache_policies import NO_CACHE
from prefect.runtime import flow_run
from prefect.states import Completed

from flows.console import make_console
from flows.history.best import move_best
from flows.planning.checks import check_before_run, check_names, check_with_data
from flows.planning.plan import Plan, PlannedStage, make_plan
from flows.recipe.load import resolved
from flows.recipe.request import DEFAULT_WORKSPACE, Profile, RunRequest
from flows.runs.display import Display
from flows.runs.prefect_page import FlowPage
from flows.runs.record import RunRecord, unreported
from flows.runs.stage_warnings import stage_warnings
from flows.servers.served import check_served
from rl_core.errors import InputError
from tasks.interrupts import go_on, hear_signals
from tasks.kinds import KINDS
from tasks.provenance import git_diff, made_with
from tasks.run import RunContext, run_stage
from tasks.stage.digests import Digests
from tasks.stage.spec import ending, message_of, set_aside, why_not_done
from tasks.tracking.experiment_run import Lineage
from tasks.workspace import Workspace, write_record


def _flow_run_name() -> str:
    given = flow_run.parameters
    profile = f"-{given['profile']}" if given["profile"] else ""
    return f"{Path(given['recipe']).stem}{profile} {flow_run.scheduled_start_time:%Y-%m-%d %H:%M:%S}"


@flow(name="r1flow", flow_run_name=_flow_run_name, persist_result=False)
def experiment(
    recipe: str,
    changes: list[str] | None = None,
    profile: Profile | None = None,
    rerun_from: str | None = None,
    until: str | None = None,
    force: list[str] | None = None,
    anyway: bool = False,
    data_dir: Path | None = None,
    workspace: Path = DEFAULT_WORKSPACE,
) -> str:
    """Run a recipe; returns the id of the run's record. The parameters are those of `RunRequest`, flat so that a form shows them.

    Raises:
        InputError: the request, a setting, a file or a model is wrong.
        StageFailed, StageStopped: a stage did not end well; a later run goes on from there.
    """
    hear_signals()
    request = RunRequest(
        recipe=recipe,
        changes=changes or [],
        profile=profile,
        rerun_from=rerun_from,
        until=until,
        force=force or [],
        anyway=anyway,
        data_dir=data_dir,
        workspace=workspace,
    )
    check_served(request)
    plan = make_plan(request)
    check_names(plan.recipe)
    check_before_run(plan)
    record = RunRecord.begin(plan)
    record.note(prefect={"api_url": os.environ.get("PREFECT_API_URL"), "flow_run_id": str(flow_run.id)})
    with (
        Display(make_console(), len(plan.stages)) as display,
        _recorded(record),
        _lineage(plan, record, display) as lineage,
        FlowPage(plan, lineage, display) as page,
    ):
        context = RunContext(plan.workspace, resolved(plan.recipe), lineage, Digests(plan.workspace.digests), page.progress)
        # All of them before the first stage: if the run stops halfway, the next one must not reuse what was to be made again.
        for stage in plan.to_run:
            if stage.anew:
                set_aside(stage.spec.directory)
        checked = False
        for stage in plan.stages:
            if not checked and not KINDS[stage.spec.kind].first:
                check_with_data(plan)
                checked = True
            if stage.action != "skip":
                _stage_task(stage)(stage.spec.fingerprint, str(stage.spec.directory), _Body(stage, context, page))
        if plan.recipe.best and all(stage.action != "skip" for stage in plan.stages if stage.spec.stage == plan.recipe.best.stage):
            try:
                page.say(move_best(plan, plan.recipe.best))
            except InputError as error:  # the stages are done; a checkpoint can be promoted by hand
                display.warn(f"nothing is promoted: {error}")
    return record.name


class _Body:
    """What a task does. Prefect copies containers and models among a task's arguments, but not a plain object."""

    def __init__(self, stage: PlannedStage, context: RunContext, page: FlowPage) -> None:
        self.stage = stage
        self.context = context
        self.page = page

    def __call__(self) -> State[Any]:
        go_on()
        stage, spec = self.stage, self.stage.spec
        # A stage before this one may have been repaired to exactly what it was.
        if not stage.runs or (not stage.anew and why_not_done(spec, self.context.digests) is None and not KINDS[spec.kind].publishes):
            self.context.lineage.recall(spec.directory)
            self.page.reused(stage)
            return Completed(name="Reused", message=str(spec.directory))
        self.page.begin(stage)
        manifest = run_stage(spec, self.context)
        self.page.end(stage, KINDS[spec.kind].note(spec, manifest), stage_warnings(spec.directory))
        return Completed(message=str(spec.directory))


def _stage_task(stage: PlannedStage) -> Any:
    @task(
        name=stage.spec.kind,
        task_run_name=stage.spec.stage,
        description="; ".join(stage.reasons) or "reused",
        cache_policy=NO_CACHE,
        persist_result=False,
    )
    def run(fingerprint: str, directory: str, body: _Body) -> State[Any]:
        return body()

    return run


@contextmanager
def _recorded(record: RunRecord) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        record.end(ending(error), message_of(error))
        raise
    record.end("done")


@contextmanager
def _lineage(plan: Plan, record: RunRecord, display: Display) -> Iterator[Lineage]:
    lineage = Lineage(plan.workspace, plan.recipe.name, f"{plan.recipe.name} {record.name}", display.warn)
    status = "FINISHED"
    try:
        record.note(mlflow={"tracking_uri": lineage.uri, "run_id": lineage.run_id}, made_with=made_with())
        reused = {f"r1flow.reused.{stage.spec.stage}": stage.spec.directory.name for stage in plan.stages if stage.action == "reuse"}
        profile = {"r1flow.profile": plan.request.profile} if plan.request.profile else {}
        tags = {"r1flow.run": record.name, "r1flow.workspace": str(plan.workspace.root), "prefect.flow_run_id": str(flow_run.id)}
        lineage.describe(resolved(plan.recipe), {**tags, **profile, **reused, **record.content["made_with"]}, git_diff())
        _close_earlier(plan.workspace, lineage)
        lineage.catch_up()
        yield lineage
    except BaseException as error:
        status = "FAILED" if isinstance(error, Exception) else "KILLED"
        raise
    finally:
        lineage.catch_up()
        _close_earlier(plan.workspace, lineage)  # also of a run on another host that could not be given up at the start
        if lineage.close(lineage.run_id, status):
            record.note(mlflow=record.content["mlflow"] | {"closed": True})


def _close_earlier(workspace: Workspace, lineage: Lineage) -> None:
    """Close the MLflow runs of runs that were killed, or that ended while MLflow did not answer."""
    for path, record in unreported(workspace, "mlflow"):
        status = {"done": "FINISHED", "failed": "FAILED"}.get(record["state"], "KILLED")
        if not lineage.close(record["mlflow"]["run_id"], status):
            return
        write_record(path, record | {"mlflow": record["mlflow"] | {"closed": True}})
