"""Commands that read responses: SQL, ingest, files of other frameworks, the report."""

import sys
from pathlib import Path
from typing import Any

import click

from flows.cli.group import INTERRUPTED, Output, main, workspace_option
from tasks.workspace import Workspace


@main.command()
@click.argument("query", required=False)
@click.argument("parameters", nargs=-1, metavar="[NAME=VALUE]...")
@click.option("--format", "form", type=click.Choice(["table", "csv", "json", "parquet", "markdown"]), default="table", show_default=True)
@click.option("--output", type=Output(directory=False), help="Write there instead of the terminal.")
@click.option(
    "--file",
    "script",
    type=click.Path(path_type=Path, dir_okay=False, exists=True, allow_dash=True),
    help="Read the SQL from a file; - is stdin.",
)
@click.option("--allow-files", is_flag=True, help="Let the SQL read and write other files.")
@click.option("--database", type=click.Path(path_type=Path, dir_okay=False), help="Another database than the workspace's.")
@workspace_option
def sql(query: str | None, parameters: tuple[str, ...], **options: Any) -> None:
    """Ask the workspace in SQL: views such as reward_by_step, tables rollouts, eval_samples, scores.

    QUERY is SQL, or @NAME for a saved query (@queries lists them; your own are WORKSPACE/queries/*.sql).
    NAME=VALUE gives the value of $NAME.
    Without QUERY at a terminal it asks you.
    """
    from flows.analysis.sql import answer

    answer(query, parameters, **options)


@main.command()
@click.option("--follow", is_flag=True, help="Go on bringing in what training writes, until Ctrl-C.")
@workspace_option
def ingest(follow: bool, workspace: Workspace) -> None:
    """Bring what the stages have written so far into the workspace's warehouse; what is already in it is not read again."""
    from flows.analysis.ingest import ingest as bring_in

    workspace.create()
    try:
        for rows in bring_in(workspace, follow=follow):
            click.echo(", ".join(f"{count:,} {table}" for table, count in rows.items() if count) or f"nothing to read in {workspace.root}")
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


@main.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--output", type=Output(directory=True), default=Path("analysis"), show_default=True)
@click.option("--think-tags", metavar="OPEN,CLOSE", help="Tags around the thinking; default: <think>, <reasoning>.")
@click.option("--map", "mapping", multiple=True, metavar="ROLE=COLUMN", help="What a column stands for, such as response=text. Repeatable.")
@click.option("--correct-from", type=float, help="Reward from which a response without verdict is correct; default: that is unknown.")
@click.option("--keywords", type=click.Path(path_type=Path, dir_okay=False), help="YAML file of keyword families of your own.")
def analyze(files: tuple[Path, ...], output: Path, **options: Any) -> None:
    """Read rollouts and samples of other frameworks: SQL database, figures and report below OUTPUT.

    FILES are rollouts of verl, TRL, ms-swift, OpenRLHF, verifiers, prime-rl, NeMo-RL, SkyRL, rLLM or slime, samples of
    lm-evaluation-harness, lighteval, Inspect, NeMo-Skills or OpenAI evals, or any JSON lines, JSON, CSV or Parquet with a column for the
    response. What they do not say stays unknown.
    """
    from flows.analysis.external import analyze as read_files

    page, notes = read_files(files, output, **options)
    for note in notes:
        click.echo(note, err=True)
    click.echo(page)


@main.command()
@click.argument("run")
@click.option("--output", type=Output(directory=True), help="Directory for the report.")
@workspace_option
def report(run: str, output: Path | None, workspace: Workspace) -> None:
    """Write the report of RUN, also while it goes on: what is finished, and the steps so far of the stage that runs.

    RUN is the name of an experiment (its last run), EXPERIMENT/ID or ID; `r1flow status` lists them.
    """
    from flows.analysis.report import write_report
    from flows.runs.record import find_run

    click.echo(write_report(workspace, find_run(workspace, run), output))
