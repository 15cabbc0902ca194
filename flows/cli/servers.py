"""Commands about what is at work: servers, schedules, status, doctor."""

import sys
from pathlib import Path
from typing import Any

import click

from flows.cli.group import FAILED, anyway_option, data_dir_option, main, stage_options, workspace_option
from flows.cli.run_request import scheduled_request
from tasks.workspace import Workspace


@main.command()
@click.option("--prefect-port", type=click.IntRange(1, 65535), default=4200, show_default=True)
@click.option("--mlflow-port", type=click.IntRange(1, 65535), default=5000, show_default=True)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; another than loopback needs R1FLOW_AUTH.")
@workspace_option
def up(prefect_port: int, mlflow_port: int, host: str, workspace: Workspace) -> None:
    """Start Prefect's server and UI, MLflow's, and a runner that serves every recipe; they outlive this terminal."""
    from flows.servers.daemons import Listen, Servers

    for name, url in Servers(workspace).up(Listen(host, prefect_port, mlflow_port)):
        click.echo(f"{name:<8} {url}")


@main.command()
@workspace_option
def down(workspace: Workspace) -> None:
    """Stop what `up` started. A stage in work writes its checkpoint first."""
    from flows.servers.daemons import Servers

    stopped = Servers(workspace).down()
    click.echo(f"stopped: {', '.join(stopped)}" if stopped else "nothing was up")


@main.command()
@click.argument("recipe")
@click.option("--cron", help="When, such as '0 2 * * *'. Without it the recipe is offered in the UI only.")
@click.option("--timezone", default="UTC", show_default=True)
@click.option("--off", is_flag=True, help="Take the schedule away.")
@stage_options
@anyway_option
def schedule(recipe: str, cron: str | None, timezone: str, off: bool, **options: Any) -> None:
    """Run RECIPE by itself whenever the servers are up; one run at a time, what was missed is not made up for."""
    from flows.servers.daemons import Servers
    from flows.servers.schedules import Schedule, drop_schedule, keep_schedule, path_of

    place = Workspace.at(options["workspace"])
    place.create(path_of(place).parent)
    if off:
        drop_schedule(place, Path(recipe).stem)
        click.echo(f"{Path(recipe).stem} is not scheduled any more")
        return
    request = scheduled_request(recipe, place, options)
    keep_schedule(place, Schedule(request=request, cron=cron, timezone=timezone))
    when = f"runs at {cron} {timezone}" if cron else "is served"
    hint = "" if Servers(place).running("runner") else "; nothing runs until the servers are up: r1flow up"
    click.echo(f"{Path(recipe).stem} {when}{hint}")


@main.command()
@workspace_option
def status(workspace: Workspace) -> None:
    """Show the stages of the workspace and who works on them."""
    from flows.console import make_console
    from flows.runs.status import print_status

    print_status(workspace, make_console())


@main.command()
@workspace_option
@data_dir_option
def doctor(workspace: Workspace, data_dir: Path | None) -> None:
    """Look at versions, devices, memory, disk and ports; say what is missing and how to get it."""
    from rich.markup import escape

    from flows.console import make_console
    from flows.servers.doctor import examine

    console = make_console()
    findings = examine(workspace, data_dir)
    for finding in findings:
        mark = "[green]ok[/green]     " if finding.fine else "[red]missing[/red]" if finding.needed else "[yellow]note[/yellow]   "
        console.print(f"{mark} {finding.subject:<14} {escape(finding.text)}", highlight=False, soft_wrap=True)
    if any(finding.needed and not finding.fine for finding in findings):
        sys.exit(FAILED)
