"""The Prefect flow: a plan carried out, one task per stage.

Whether a stage is reused is for its manifest to say, not for Prefect's result cache: tasks persist nothing and are never cached. Stages
run one after another in the main thread, which alone can be interrupted by a cancellation.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prefect import State, flow, task
from prefect.cache_policies import NO_CACHE
from prefect.states import Completed

from flows.checks import check_before_run, check_names
from flows.console import make_console
from flows.order import Order
from flows.plan import Plan, PlannedStage, make_plan
from flows.recipe import resolved
from flows.runs import RunRecord
from flows.summary import note_of
from flows.terminal import Display
from tasks.context import RunContext
from tasks.digests import Digests
from tasks.lineage import Lineage
from tasks.run import run_stage
from tasks.stage import StageStopped, said, set_aside, why_not_done


def _flow_run_name() -> str:
    from prefect.runtime import flow_run

    order = Order.model_validate(flow_run.parameters["order"])
    profile = f"-{order.profile}" if order.profile else ""
    return f"{Path(order.recipe).stem}{profile} {flow_run.scheduled_start_time:%Y-%m-%d %H:%M:%S}"


@flow(name="r1flow", flow_run_name=_flow_run_name, persist_result=False)
def experiment(order: Order) -> str:
    """Run a recipe; returns the id of the run's record.

    Raises:
        InputError: the order, a setting, a file or a model is wrong.
        StageFailed, StageStopped: a stage did not end well; a later run goes on from there.
    """
    plan = make_plan(order)
    check_names(plan.recipe)
    check_before_run(plan)
    record = RunRecord.begin(plan)
    with Display(make_console(), len(plan.stages)) as display, _recorded(record), _lineage(plan, record, display) as lineage:
        context = RunContext(plan.workspace, resolved(plan.recipe), lineage, Digests(plan.workspace.digests), display.progress)
        # All at once and first: if the run stops halfway, the next one must not reuse what was to be made anew.
        for stage in plan.to_run:
            if stage.anew:
                set_aside(stage.spec.directory)
        for stage in plan.stages:
            if stage.action != "skip":
                _stage_task(stage)(stage.spec.fingerprint, str(stage.spec.directory), _Body(stage, context, display))
    return record.name


class _Body:
    """What a task does. Prefect looks into the containers and models among a task's arguments; it lets a plain object be."""

    def __init__(self, stage: PlannedStage, context: RunContext, display: Display) -> None:
        self.stage = stage
        self.context = context
        self.display = display

    def __call__(self) -> State[Any]:
        stage, spec = self.stage, self.stage.spec
        # A stage before this one may have been repaired to exactly what it was.
        if not stage.runs or (not stage.anew and why_not_done(spec, self.context.digests) is None and spec.kind != "analyze"):
            self.display.reused(stage)
            return Completed(name="Reused", message=str(spec.directory))
        self.display.begin(stage)
        manifest = run_stage(spec, self.context)
        self.display.end(stage, note_of(spec, manifest))
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
        stopped = isinstance(error, StageStopped) or not isinstance(error, Exception)
        record.end("stopped" if stopped else "failed", said(error))
        raise
    record.end("done")


@contextmanager
def _lineage(plan: Plan, record: RunRecord, display: Display) -> Iterator[Lineage]:
    lineage = Lineage(plan.workspace, plan.recipe.name, f"{plan.recipe.name} {record.name}", display.warn)
    record.note(mlflow={"tracking_uri": lineage.uri, "run_id": lineage.run_id})
    reused = {f"r1flow.reused.{stage.spec.stage}": stage.spec.directory.name for stage in plan.stages if stage.action == "reuse"}
    profile = {"r1flow.profile": plan.order.profile} if plan.order.profile else {}
    lineage.describe(resolved(plan.recipe), {"r1flow.run": record.name, "r1flow.workspace": str(plan.workspace.root), **profile, **reused})
    try:
        yield lineage
    except Exception:
        lineage.finish("FAILED")
        raise
    except BaseException:
        lineage.finish("KILLED")
        raise
    lineage.finish("FINISHED")
