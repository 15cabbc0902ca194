"""Makes a run request of options and carries it out: exit code and last line for every way in which a run ends."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from flows.cli.group import FAILED, INTERRUPTED, STOPPED
from flows.cli.plan_table import print_plan, print_summary
from rl_core.errors import is_disk_full
from tasks.interrupts import is_of_a_signal, leave_at_once

if TYPE_CHECKING:
    from flows.planning.plan import Plan
    from flows.recipe.request import RunRequest
    from tasks.workspace import Workspace


def make_request(recipe: str, options: dict[str, Any]) -> RunRequest:
    """The request for a recipe, with the values of `stage_options`."""
    from flows.recipe.request import RunRequest

    return RunRequest(recipe=recipe, **{name: list(value) if isinstance(value, tuple) else value for name, value in options.items()})


def scheduled_request(recipe: str, workspace: Workspace, options: dict[str, Any]) -> RunRequest:
    """A request that another process runs later: checked now, with absolute paths."""
    from flows.planning.checks import check_names
    from flows.planning.plan import make_plan
    from flows.planning.requirements import require_machine
    from flows.recipe.load import shipped

    if recipe not in shipped():
        recipe = str(Path(recipe).resolve())
    data_dir = options["data_dir"]
    fixed = {"workspace": workspace.root, "data_dir": data_dir.expanduser().resolve() if data_dir else None}
    request = make_request(recipe, options | fixed)
    plan = make_plan(request)
    check_names(plan.recipe)
    if not request.anyway:
        require_machine(plan)
    return request


def run_request(request: RunRequest) -> None:
    """Check a request, carry it out, and say where to look; leaves with an exit code if it does not end well.

    Raises InputError if a setting, a file or a model is wrong, or another process works on a stage.
    """
    from flows.console import make_console
    from flows.planning.checks import check_before_run, check_names
    from flows.planning.plan import make_plan
    from flows.runs.record import RunRecord, unreported
    from flows.servers.prefect_server import has_server
    from tasks.tracking.stage_run import is_reported

    plan = make_plan(request)
    check_names(plan.recipe)
    check_before_run(plan)
    console = make_console()
    # A run that was killed after its last stage has left runs open in Prefect and MLflow, and `best` where it was.
    unfinished = any(record["state"] == "running" for _, record in unreported(plan.workspace, "prefect"))
    left_open = unfinished or any(unreported(plan.workspace, "mlflow"))
    missing_in_mlflow = not is_reported(plan.workspace, [stage.spec.directory for stage in plan.stages if stage.action == "reuse"])
    if not plan.to_run and not has_server() and not left_open and not missing_in_mlflow:
        # Nothing happens: not worth the seconds in which the embedded server starts.
        RunRecord.begin(plan).end("done")
        console.print(f"all {len(plan.stages)} stages are reused: nothing has changed since they were made", highlight=False)
    else:
        print_plan(plan, console)
        console.print("starting Prefect and MLflow", style="dim", highlight=False)
        _carry_out(request, plan)
    print_summary(plan, console)


def _carry_out(request: RunRequest, plan: Plan) -> None:
    """Run the flow, and leave with the exit code that fits if it does not end well."""
    from flows.runs.prefect_states import reporting_ends
    from flows.runs.record import own_run
    from flows.servers.prefect_server import PrefectServer
    from tasks.stage.lease import StageFailed
    from tasks.stage.spec import StageStopped

    try:
        server = PrefectServer(plan.workspace)
        server.start()
        from flows.experiment import experiment

        server.wait()
        with reporting_ends(plan.workspace):
            experiment(**request.model_dump())
    except BaseException as error:
        if is_of_a_signal(error):
            leave_at_once()
            _leave(INTERRUPTED, "stopped; what is finished is kept, and the same command goes on from the last checkpoint")
        if isinstance(error, StageFailed):
            _leave(FAILED, f"failed: {error}")
        if isinstance(error, StageStopped):
            _leave(STOPPED, f"stopped: {error}")
        if is_disk_full(error):
            _leave(FAILED, f"failed: the disk of {plan.workspace.root} is full; make room, and the same command goes on")
        record = own_run(plan.workspace, plan.recipe.name)
        if not isinstance(error, Exception) or server.answers() or record is None or record["state"] == "running":
            raise
        # Prefect does not know how the run ended. Its record does.
        click.echo("warning: Prefect's server went away; the next command reports to it how this run ended", err=True)
        if record["state"] != "done":
            _leave(FAILED if record["state"] == "failed" else STOPPED, f"{record['state']}: {record['error']}")


def _leave(code: int, line: str) -> NoReturn:
    click.echo(line, err=True)
    sys.exit(code)
