"""Commands about what becomes of runs: lineage, promotion, retention, archives."""

import sys
from pathlib import Path

import click

from flows.cli.group import FAILED, Output, main, workspace_option
from tasks.workspace import Workspace


@main.command()
@click.argument("what")
@click.option("--recipe", type=Output(directory=False), help="Write the recipe that makes exactly this, there.")
@workspace_option
def lineage(what: str, recipe: Path | None, workspace: Workspace) -> None:
    """Print how WHAT came about: from raw data through every stage and setting.

    WHAT is EXPERIMENT/STAGE, EXPERIMENT/STAGE/step-N for a checkpoint, EXPERIMENT/STAGE/CHECKPOINT/BENCHMARK for scores, NAME@ALIAS, or
    the path of a stage or checkpoint.
    """
    import yaml

    from flows.history.lineage import chain, described, rebuild
    from flows.history.references import find
    from flows.recipe.load import resolved

    subject = find(workspace, what)
    for line in list(described(workspace, subject)):  # all of it or an error, but no half
        click.echo(line)
    if recipe:
        try:
            recipe.write_text(
                yaml.safe_dump(resolved(rebuild(chain(workspace, subject.stage))), sort_keys=False, allow_unicode=True, width=110)
            )
        except OSError as error:
            error.filename = str(recipe)  # an error while writing names no file
            raise
        click.echo(f"recipe {recipe}")


@main.command()
@click.argument("checkpoint")
@click.argument("target", metavar="NAME@ALIAS")
@workspace_option
def promote(checkpoint: str, target: str, workspace: Workspace) -> None:
    """Give CHECKPOINT a name in MLflow's registry; `gc` keeps what has one.

    CHECKPOINT is EXPERIMENT/STAGE (its last one), EXPERIMENT/STAGE/step-N, NAME@ALIAS, or its path.
    """
    from flows.history.promote import promote as give_name
    from flows.history.references import find

    workspace.create()
    entry = give_name(workspace, find(workspace, checkpoint), target)
    click.echo(f"{target} is version {entry['version']}: {entry['checkpoint']}")


@main.command()
@click.argument("checkpoint")
@click.argument("repo", metavar="ORG/NAME")
@click.option("--private", is_flag=True, help="Make the repository private where it is new.")
@click.option("--dry-run", is_flag=True, help="Only write the folder that would be uploaded, and ask nobody.")
@click.option("--output", type=Output(directory=True), help="With --dry-run: the folder; default: NAME, here.")
@workspace_option
def push(checkpoint: str, repo: str, private: bool, dry_run: bool, output: Path | None, workspace: Workspace) -> None:
    """Upload CHECKPOINT to the Hugging Face hub, with its recipe and a model card written from its lineage.

    CHECKPOINT is EXPERIMENT/STAGE (its last one), EXPERIMENT/STAGE/step-N, NAME@ALIAS, or its path. The address is HF_ENDPOINT, the token
    HF_TOKEN or that of `hf auth login`.
    """
    from flows.history import push as hub
    from flows.history.references import find
    from rl_core.errors import InputError

    org, _, name = repo.partition("/")
    if not (org and name) or "/" in name:
        raise InputError(f"{repo}: write ORG/NAME")
    subject = find(workspace, checkpoint)
    if dry_run:
        folder = output or Path(name)
        hub.write_folder(workspace, subject, repo, folder, ask_hub=False)
        click.echo(f"{folder}: {', '.join(sorted(path.name for path in folder.iterdir()))}")
    elif output:
        raise InputError("--output goes with --dry-run; leave one out, or give both")
    else:
        click.echo(hub.push(workspace, subject, repo, private=private))


@main.command()
@click.option("--delete", is_flag=True, help="Delete; without it only say what would go.")
@click.option("--keep-runs", type=click.IntRange(min=0), default=1, show_default=True, help="Finished runs of each experiment to keep.")
@workspace_option
def gc(delete: bool, keep_runs: int, workspace: Workspace) -> None:
    """Find stages that no kept run and no promoted checkpoint needs."""
    from flows.history.garbage import garbage, remove
    from tasks.format import storage

    if delete:
        workspace.create()
    items = garbage(workspace, keep_runs)
    for item in items:
        click.echo(f"{storage(item.size):>8}  {item.directory.relative_to(workspace.root)}  ({item.why})")
    total = storage(sum(item.size for item in items))
    if delete:
        remove(items)
    click.echo(f"{total} in {len(items)} directories {'deleted' if delete else 'can go: --delete'}" if items else "nothing can go")


@main.command()
@click.argument("experiment", required=False)
@workspace_option
def verify(experiment: str | None, workspace: Workspace) -> None:
    """Read everything that is kept, and say what is sound, what is damaged and how it is made again.

    With EXPERIMENT only its runs, stages and reports. The exit code is 1 if something is damaged; what is unfinished or in work is not.
    """
    import time
    from collections import Counter

    from rich.text import Text

    from flows.console import make_console
    from flows.runs.verify import Verification
    from tasks.format import clock, storage, visible

    console, began, found = make_console(), time.monotonic(), Counter[str]()
    styles = {"sound": "green", "damaged": "red", "unfinished": "yellow", "in work": "yellow"}
    with console.status("") as status:
        verification = Verification(workspace, lambda name: status.update(f"{storage(verification.read)} read; {name}"))
        for finding in verification.findings(experiment):
            found[finding.state] += 1
            line = Text.assemble((f"{finding.state:<10}", styles[finding.state]), f"  {finding.what}  {visible(finding.text)}")
            console.print(line, highlight=False, soft_wrap=True)
            if finding.remedy:
                console.print(f"{'':<12}{finding.remedy}", highlight=False, markup=False, soft_wrap=True)
    counts = ", ".join(f"{count} {state}" for state, count in sorted(found.items()))
    read = f"{storage(verification.read)} read in {clock(time.monotonic() - began)}"
    console.print(f"{counts or 'nothing is kept here'}; {read}", highlight=False)
    if found["damaged"]:
        sys.exit(FAILED)


@main.command("export")
@click.argument("run")
@click.option("--output", type=Output(directory=False), help="The archive; default: EXPERIMENT-ID.tar here.")
@click.option(
    "--checkpoint",
    metavar="STAGE[/step-N]",
    help="The stage whose last checkpoint goes along, or which one; default: the last trained stage.",
)
@click.option("--whole", is_flag=True, help="Everything, so that the other machine reuses the stages.")
@workspace_option
def export_run(run: str, output: Path | None, checkpoint: str | None, whole: bool, workspace: Workspace) -> None:
    """Pack RUN for another machine: recipe, settings, metrics, samples, report, a checkpoint."""
    from flows.history.archive import export
    from flows.runs.record import find_run

    record = find_run(workspace, run)
    output = output or Path(f"{record['experiment']}-{record['run']}.tar")
    stages = export(workspace, record, output, checkpoint=checkpoint, whole=whole)
    click.echo(f"{output}: {', '.join(stages)}")


@main.command("import")
@click.argument("archive", type=click.Path(path_type=Path))
@workspace_option
def import_run(archive: Path, workspace: Workspace) -> None:
    """Take in an ARCHIVE of `export`, after checking every file of it; nothing that is there is overwritten."""
    from flows.history.archive import take_in
    from flows.history.archive_tracking import announce
    from tasks.tracking.experiment_run import TrackingError

    run, placed = take_in(workspace, archive)
    click.echo(f"{run}: {', '.join(placed) or 'all of it was there already'}")
    try:
        reported = announce(workspace, run, lambda line: click.echo(f"note: {line}", err=True))
    except TrackingError as error:
        click.echo(f"note: {error}; the run is here all the same, and the same command reports it to MLflow later", err=True)
        return
    if reported:
        click.echo(f"reported to MLflow at {workspace.tracking_uri}: {', '.join(reported)}")
