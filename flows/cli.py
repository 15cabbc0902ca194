"""The command line: `r1flow …`. Everything heavy is imported by the command that needs it."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console

    from flows.order import Order, Profile
    from flows.plan import Plan
    from tasks.workspace import Workspace

OUR_PACKAGES = {"flows", "tasks", "evals", "rl_core"}
FAILED, BAD_INPUT, STOPPED = 1, 2, 75
INTERRUPTED = 130


class Commands(click.Group):
    """Prints the errors of our own making as one line."""

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except ValueError as error:
            # A person can mend these; any other ValueError is a defect and keeps its traceback.
            if type(error).__module__.partition(".")[0] not in OUR_PACKAGES:
                raise
            click.echo(f"error: {error}", err=True)
            context.exit(BAD_INPUT)


workspace_option = click.option(
    "--workspace",
    type=click.Path(path_type=Path),
    default=Path("runs"),
    envvar="R1FLOW_WORKSPACE",
    show_default=True,
    help="Directory where everything is kept.",
)
data_dir_option = click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    envvar="R1FLOW_DATA_DIR",
    help="Directory of local data files; without it the hub is used.",
)
set_option = click.option(
    "--set", "changes", multiple=True, metavar="PATH=VALUE", help="Change a setting, such as stages.five.temperature=0.9. Repeatable."
)

profile_option = click.option(
    "--profile", type=click.Choice(["smoke"]), help="smoke: the same stages on a small model and few prompts, in a minute or two on a CPU."
)


def stage_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options by which stages are chosen."""
    for option in (
        click.option("--force", multiple=True, metavar="STAGE", help="Rerun STAGE and what depends on it. Repeatable."),
        click.option("--until", metavar="STAGE", help="Stop after STAGE: make it and what it needs."),
        click.option("--from", "rerun_from", metavar="STAGE", help="Rerun STAGE and what follows; reuse what comes before, or refuse."),
        workspace_option,
        data_dir_option,
        profile_option,
        set_option,
    ):
        command = option(command)
    return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="r1flow", message="%(version)s")
def main() -> None:
    """R1-style reinforcement learning of language models as pipelines.

    A RECIPE is the name of a shipped one (`r1flow recipes`) or a path to a .yaml file.
    """
    from flows.login import use_login

    use_login()


@main.command()
@click.argument("recipe")
@stage_options
def run(recipe: str, **options: Any) -> None:
    """Run RECIPE: what is not there yet, what was changed, and what depends on it."""
    _run(_order(recipe, options))


@main.command()
@click.argument("run")
@click.option("--from", "rerun_from", metavar="STAGE", help="Rerun STAGE and what follows; without it, go on where the run stopped.")
@click.option("--until", metavar="STAGE", help="Stop after STAGE.")
@set_option
@data_dir_option
@workspace_option
def resume(run: str, workspace: Path, **options: Any) -> None:
    """Go on with RUN, with the settings it had: after an error, a stop or a crash, or again from a stage, with other settings.

    RUN is the name of an experiment (its last run), EXPERIMENT/ID or ID; `r1flow status` lists them.
    """
    from flows.resume import order_of
    from flows.runs import find_run
    from tasks.workspace import Workspace

    place = Workspace.at(workspace)
    _run(order_of(place, find_run(place, run), **options | {"changes": list(options["changes"])}))


@main.command()
@click.argument("recipe")
@stage_options
def plan(recipe: str, **options: Any) -> None:
    """Show what `run` would do: which stages run, why, and what they cost."""
    from flows.checks import check_names
    from flows.console import make_console
    from flows.plan import make_plan

    planned = make_plan(_order(recipe, options))
    check_names(planned.recipe)
    _print_plan(planned, make_console())


@main.command()
@click.argument("recipe")
@set_option
@profile_option
def show(recipe: str, changes: tuple[str, ...], profile: Profile | None) -> None:
    """Print RECIPE with every default written out."""
    import yaml

    from flows.checks import check_names
    from flows.estimate import derived
    from flows.profile import apply_profile
    from flows.recipe import load_recipe, resolved

    loaded = apply_profile(load_recipe(recipe, changes), profile)
    check_names(loaded)
    click.echo(yaml.safe_dump(resolved(loaded), sort_keys=False, allow_unicode=True, width=110), nl=False)
    for stage, text in derived(loaded).items():
        click.echo(f"# {stage}: {text}")


@main.command()
def recipes() -> None:
    """List the recipes that are shipped."""
    from flows.recipe import shipped

    found = shipped()
    for name, path in found.items():
        first = next((line.lstrip("# ").rstrip() for line in path.read_text().splitlines() if line.startswith("#")), "")
        click.echo(f"{name:<{max(map(len, found))}}  {first}")


@main.command()
@click.option("--prefect-port", type=click.IntRange(1, 65535), default=4200, show_default=True)
@click.option("--mlflow-port", type=click.IntRange(1, 65535), default=5000, show_default=True)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; another than loopback needs R1FLOW_AUTH.")
@workspace_option
def up(prefect_port: int, mlflow_port: int, host: str, workspace: Path) -> None:
    """Start Prefect's server and UI, MLflow's, and a runner that serves every recipe; they outlive this terminal."""
    from flows.servers import Listen, Servers
    from tasks.workspace import Workspace

    for name, url in Servers(Workspace.at(workspace)).up(Listen(host, prefect_port, mlflow_port)):
        click.echo(f"{name:<8} {url}")


@main.command()
@workspace_option
def down(workspace: Path) -> None:
    """Stop what `up` started. A stage in work writes its checkpoint first."""
    from flows.servers import Servers
    from tasks.workspace import Workspace

    stopped = Servers(Workspace.at(workspace)).down()
    click.echo(f"stopped: {', '.join(stopped)}" if stopped else "nothing was up")


@main.command()
@click.argument("recipe")
@click.option("--cron", help="When, such as '0 2 * * *'. Without it the recipe is offered in the UI only.")
@click.option("--timezone", default="UTC", show_default=True)
@click.option("--off", is_flag=True, help="Take the schedule away.")
@stage_options
def schedule(recipe: str, cron: str | None, timezone: str, off: bool, **options: Any) -> None:
    """Run RECIPE by itself whenever the servers are up; one run at a time, what was missed is not made up for."""
    from flows.schedules import Schedule, drop_schedule, keep_schedule
    from flows.servers import Servers
    from tasks.workspace import Workspace

    place = Workspace.at(options["workspace"])
    if off:
        drop_schedule(place, Path(recipe).stem)
        click.echo(f"{Path(recipe).stem} is not scheduled any more")
        return
    order = _standing_order(recipe, place, options)
    keep_schedule(place, Schedule(order=order, cron=cron, timezone=timezone))
    when = f"runs at {cron} {timezone}" if cron else "is served"
    hint = "" if Servers(place).running("runner") else "; nothing runs until the servers are up: r1flow up"
    click.echo(f"{Path(recipe).stem} {when}{hint}")


@main.command()
@workspace_option
def status(workspace: Path) -> None:
    """Show the stages of the workspace and who works on them."""
    from flows.console import make_console
    from flows.status import print_status
    from tasks.workspace import Workspace

    print_status(Workspace.at(workspace), make_console())


@main.command()
@click.argument("query", required=False)
@click.argument("parameters", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--format", "form", type=click.Choice(["table", "csv", "json", "parquet", "markdown"]), default="table", show_default=True)
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Write there instead of the terminal.")
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

    QUERY is SQL, or @NAME for a saved query (@queries lists them; your own are WORKSPACE/queries/*.sql). KEY=VALUE gives the value of $KEY.
    Without QUERY at a terminal it asks you.
    """
    from flows.sql import answer

    answer(query, parameters, **options)


@main.command()
@click.option("--follow", is_flag=True, help="Go on bringing in what training writes, until Ctrl-C.")
@workspace_option
def ingest(follow: bool, workspace: Path) -> None:
    """Bring what the stages have written so far into the workspace's warehouse; what is there already is not read again."""
    from flows.ingest import ingest as bring_in
    from tasks.workspace import Workspace

    place = Workspace.at(workspace)
    try:
        for rows in bring_in(place, follow=follow):
            click.echo(", ".join(f"{count:,} {table}" for table, count in rows.items() if count) or f"nothing to read in {place.root}")
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


@main.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--output", type=click.Path(path_type=Path, file_okay=False), default=Path("analysis"), show_default=True)
@click.option("--think-tags", metavar="OPEN,CLOSE", help="Tags around the thinking; default: <think>, <reasoning>.")
@click.option("--map", "mapping", multiple=True, metavar="ROLE=COLUMN", help="What a column stands for, such as response=text. Repeatable.")
@click.option("--correct-from", type=float, default=1.0, show_default=True, help="Reward from which a response without verdict is correct.")
@click.option("--keywords", type=click.Path(path_type=Path, dir_okay=False), help="YAML file of keyword families of your own.")
def analyze(files: tuple[Path, ...], output: Path, **options: Any) -> None:
    """Read rollouts and samples of other frameworks: SQL database, figures and report below OUTPUT.

    FILES are dumps of verl and OpenRLHF, completion tables of TRL, sample files of lm-evaluation-harness and lighteval, or any JSON lines,
    JSON, CSV or Parquet with a column for the response.
    """
    from flows.analyze_files import analyze as read_files

    click.echo(read_files(files, output, **options))


@main.command()
@click.argument("run")
@click.option("--output", type=click.Path(path_type=Path, file_okay=False), help="Directory for the report.")
@workspace_option
def report(run: str, output: Path | None, workspace: Path) -> None:
    """Write the report of RUN from what is finished of it.

    RUN is the name of an experiment (its last run), EXPERIMENT/ID or ID; `r1flow status` lists them.
    """
    from flows.report import write_report
    from flows.runs import find_run
    from tasks.workspace import Workspace

    place = Workspace.at(workspace)
    click.echo(write_report(place, find_run(place, run), output))


@main.command()
@click.argument("what")
@click.option("--recipe", type=click.Path(path_type=Path, dir_okay=False), help="Write the recipe that makes exactly this, there.")
@workspace_option
def lineage(what: str, recipe: Path | None, workspace: Path) -> None:
    """Print how WHAT came about: from raw data through every stage and setting.

    WHAT is EXPERIMENT/STAGE, EXPERIMENT/STAGE/CHECKPOINT/BENCHMARK for scores, or the path of a stage or checkpoint.
    """
    import yaml

    from flows.ancestry import chain, described, find, rebuild
    from flows.recipe import resolved
    from tasks.workspace import Workspace

    place = Workspace.at(workspace)
    subject = find(place, what)
    for line in described(place, subject):
        click.echo(line)
    if recipe:
        try:
            recipe.write_text(
                yaml.safe_dump(resolved(rebuild(chain(place, subject.stage))), sort_keys=False, allow_unicode=True, width=110)
            )
        except OSError as error:
            raise click.BadParameter(f"{recipe}: {error.strerror}", param_hint="--recipe") from error
        click.echo(f"recipe {recipe}")


@main.command()
@click.argument("checkpoint")
@click.argument("target", metavar="NAME@ALIAS")
@workspace_option
def promote(checkpoint: str, target: str, workspace: Path) -> None:
    """Give CHECKPOINT (EXPERIMENT/STAGE, or its path) a name in MLflow's registry; `gc` keeps what has one."""
    from flows.ancestry import find
    from flows.promote import promote as give_name
    from tasks.workspace import Workspace

    place = Workspace.at(workspace)
    entry = give_name(place, find(place, checkpoint), target)
    click.echo(f"{target} is version {entry['version']}: {entry['checkpoint']}")


@main.command()
@click.option("--delete", is_flag=True, help="Delete; without it only say what would go.")
@click.option("--keep-runs", type=click.IntRange(min=0), default=1, show_default=True, help="Finished runs of each experiment to keep.")
@workspace_option
def gc(delete: bool, keep_runs: int, workspace: Path) -> None:
    """Find stages that no kept run and no promoted checkpoint needs."""
    from flows.format import storage
    from flows.retention import garbage, remove
    from tasks.workspace import Workspace

    place = Workspace.at(workspace)
    items = garbage(place, keep_runs)
    for item in items:
        click.echo(f"{storage(item.size):>8}  {item.directory.relative_to(place.root)}  ({item.why})")
    total = storage(sum(item.size for item in items))
    if delete:
        remove(items)
    click.echo(f"{total} in {len(items)} directories {'deleted' if delete else 'can go: --delete'}" if items else "nothing can go")


@main.command("export")
@click.argument("run")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="The archive; default: EXPERIMENT-ID.tar here.")
@click.option("--checkpoint", metavar="STAGE", help="The stage whose last checkpoint goes along; default: the last trained one.")
@click.option("--whole", is_flag=True, help="Everything, so that the other machine reuses the stages.")
@workspace_option
def export_run(run: str, output: Path | None, checkpoint: str | None, whole: bool, workspace: Path) -> None:
    """Pack RUN for another machine: recipe, settings, metrics, samples, report, a checkpoint."""
    from flows.bundle import export
    from flows.runs import find_run
    from tasks.workspace import Workspace

    place = Workspace.at(workspace)
    record = find_run(place, run)
    output = output or Path(f"{record['experiment']}-{record['run']}.tar")
    stages = export(place, record, output, checkpoint=checkpoint, whole=whole)
    click.echo(f"{output}: {', '.join(stages)}")


@main.command("import")
@click.argument("archive", type=click.Path(path_type=Path))
@workspace_option
def import_run(archive: Path, workspace: Path) -> None:
    """Take in an ARCHIVE of `export`, after checking every file of it; nothing that is there is overwritten."""
    from flows.announce import announce
    from flows.bundle import take_in
    from tasks.workspace import Workspace

    taken = Workspace.at(workspace)
    run, placed = take_in(taken, archive)
    click.echo(f"{run}: {', '.join(placed) or 'all of it was there already'}")
    told = announce(taken, run, lambda line: click.echo(f"note: {line}", err=True))
    if told:
        click.echo(f"told to MLflow at {taken.tracking_uri}: {', '.join(told)}")


@main.command()
@workspace_option
@data_dir_option
def doctor(workspace: Path, data_dir: Path | None) -> None:
    """Look at versions, devices, memory, disk and ports; say what is missing and how to get it."""
    from rich.markup import escape

    from flows.console import make_console
    from flows.doctor import examine
    from tasks.workspace import Workspace

    console = make_console()
    findings = examine(Workspace.at(workspace), data_dir)
    for finding in findings:
        mark = "[green]ok[/green]     " if finding.fine else "[red]missing[/red]" if finding.needed else "[yellow]note[/yellow]   "
        console.print(f"{mark} {finding.subject:<14} {escape(finding.text)}", highlight=False, soft_wrap=True)
    if any(finding.needed and not finding.fine for finding in findings):
        sys.exit(FAILED)


@main.command()
@click.argument("checkpoints", nargs=-1, required=True)
@click.option("--benchmarks", help="Names, with commas between; default: those of the protocol.")
@click.option("--protocol", help="Published settings: simplerl_v0, oat_zero, open_r1, ... (evals/protocols/).")
@click.option("--limit", type=click.IntRange(1), help="Problems per benchmark: the first of a seeded shuffle.")
@click.option("--samples", help="Sampled responses per problem, or auto: as many as --width needs.")
@click.option("--width", type=float, help="With --samples auto: how wide the 95 % interval may be, as a share.")
@click.option("--temperature", type=float)
@click.option("--top-p", type=float)
@click.option("--max-tokens", type=click.IntRange(1))
@click.option("--template", help="How the problem is put to the model.")
@click.option("--engine", type=click.Choice(["transformers", "vllm", "openai"]), help="Default: transformers.")
@click.option("--base-url", help="With --engine openai: the endpoint; CHECKPOINTS are names of its models.")
@click.option("--dtype", type=click.Choice(["auto", "bfloat16", "float32"]), help="Default: auto, bfloat16 where that is fast.")
@click.option("--tensor-parallel", type=click.IntRange(1), help="Devices of a vLLM engine.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--output", type=click.Path(path_type=Path, file_okay=False), help="Directory for samples and scores.")
@workspace_option
@data_dir_option
def evaluate(checkpoints: tuple[str, ...], workspace: Path, data_dir: Path | None, output: Path | None, seed: int, **options: Any) -> None:
    """Score CHECKPOINTS (directories or hub ids, NAME=PATH to name them) on benchmarks.

    What is finished is kept in the workspace, response by response: the same command goes on where it stopped.
    """
    from flows.evaluate import make_job, run_evaluation, settings_of
    from tasks.workspace import Workspace

    place = Workspace.at(workspace)
    job = make_job(checkpoints, settings_of(options), place, output, data_dir, seed)
    try:
        run_evaluation(job, place)
    except KeyboardInterrupt:
        click.echo("stopped; finished responses are kept, and the same command goes on", err=True)
        sys.exit(INTERRUPTED)


@main.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME NAME...")
@click.option("--output", type=click.Path(path_type=Path, file_okay=False), help="Of runs: directory for the page.")
@workspace_option
def compare(names: tuple[str, ...], output: Path | None, workspace: Path) -> None:
    """Compare runs, or two evaluations.

    Of runs (EXPERIMENT, which is its last run, EXPERIMENT/ID or ID; `r1flow status` lists them) a page tells what differs in the recipes,
    where the curves part and which differences of the scores are real.

    Of evaluations (directories of eval stages, or what evaluate printed; DIR:CHECKPOINT for one of several) it is printed how they differ
    problem by problem, and where their scores are not comparable.
    """
    if all(Path(name.partition(":")[0]).is_dir() for name in names):
        if len(names) != 2 or output:
            raise click.UsageError("of evaluations two directories are compared, without --output")
        from flows.evaluate import print_comparison

        print_comparison(*names)
        return
    from flows.compare_runs import compare_runs
    from tasks.workspace import Workspace

    click.echo(compare_runs(Workspace.at(workspace), names, output, lambda text: click.echo(text, err=True)))


@main.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--benchmark", required=True, help="Whose answers these are: gsm8k, math500, aime24, ...")
@click.option("--output", required=True, type=click.Path(path_type=Path, dir_okay=False), help="Where to write: .jsonl or .parquet.")
@click.option("--gold", default="gold", show_default=True, metavar="COLUMN", help="Column of the right answers.")
@click.option("--response", default="response", show_default=True, metavar="COLUMN", help="Column of the completions.")
@click.option("--protocol", help="Look for the answer where this protocol does; default: in all usual places.")
@click.option("--workers", type=click.IntRange(1, 64), help="Processes for symbolic work; default: one per core, at most 8.")
def grade(file: Path, benchmark: str, output: Path, gold: str, response: str, protocol: str | None, workers: int | None) -> None:
    """Grade the completions in FILE (.jsonl or .parquet) without a model.

    OUTPUT has the rows of FILE in their order, with the columns correct, outcome and extracted.
    """
    from flows.evaluate import grade_file

    grade_file(file, benchmark, output, gold, response, protocol, workers)


def _order(recipe: str, options: dict[str, Any]) -> Order:
    from flows.order import Order

    return Order(recipe=recipe, **{name: list(value) if isinstance(value, tuple) else value for name, value in options.items()})


def _run(order: Order) -> None:
    from flows.checks import check_before_run, check_names
    from flows.console import make_console
    from flows.plan import make_plan
    from flows.prefect_server import has_server

    plan = make_plan(order)
    check_names(plan.recipe)
    check_before_run(plan)
    console = make_console()
    if not plan.to_run and not has_server():
        # The embedded server takes seconds to start, only to hear that nothing happened.
        from flows.runs import RunRecord

        RunRecord.begin(plan).end("done")
        console.print(f"all {len(plan.stages)} stages are reused: nothing has changed since they were made", highlight=False)
    else:
        _print_plan(plan, console)
        console.print("starting Prefect and MLflow", style="dim", highlight=False)
        _carry_out(order, plan)
    _print_summary(plan, console)


def _standing_order(recipe: str, workspace: Workspace, options: dict[str, Any]) -> Order:
    """An order for another process to carry out later: checked now, with absolute paths."""
    from flows.checks import check_names
    from flows.plan import make_plan
    from flows.recipe import shipped

    if recipe not in shipped():
        recipe = str(Path(recipe).resolve())
    data_dir = options["data_dir"]
    fixed = {"workspace": workspace.root, "data_dir": data_dir.expanduser().resolve() if data_dir else None}
    order = _order(recipe, options | fixed)
    check_names(make_plan(order).recipe)
    return order


def _carry_out(order: Order, plan: Plan) -> None:
    """Run the flow, and leave with the exit code that fits if it does not end well."""
    from flows.prefect_server import PrefectServer
    from flows.runs import own_run
    from flows.settle import settling
    from tasks.stage import StageFailed, StageStopped

    try:
        server = PrefectServer(plan.workspace)
        server.start()
        from flows.experiment import experiment

        server.wait()
        with settling(plan.workspace):
            experiment(**order.model_dump())
    except StageFailed as error:
        click.echo(f"failed: {error}", err=True)
        sys.exit(FAILED)
    except StageStopped as error:
        click.echo(f"stopped: {error}", err=True)
        sys.exit(STOPPED)
    except BaseException as error:
        # TerminationSignal is what Prefect makes of SIGTERM
        if isinstance(error, KeyboardInterrupt) or type(error).__name__ == "TerminationSignal":
            click.echo("stopped; what is finished is kept, and the same command goes on from the last checkpoint", err=True)
            sys.exit(INTERRUPTED)
        if _says_disk_full(error):
            click.echo(f"failed: the disk of {plan.workspace.root} is full; make room, and the same command goes on", err=True)
            sys.exit(FAILED)
        record = own_run(plan.workspace, plan.recipe.name)
        if not isinstance(error, Exception) or server.answers() or record is None or record["state"] == "running":
            raise
        # Prefect could not be told how the run ended. The run has ended all the same, and its record says how.
        click.echo("warning: Prefect's server went away; the next command tells it how this run ended", err=True)
        if record["state"] != "done":
            click.echo(f"{record['state']}: {record['error']}", err=True)
            sys.exit(FAILED if record["state"] == "failed" else STOPPED)


def _says_disk_full(error: BaseException | None) -> bool:
    """Whether an error, or one that it came of, is that of a full disk."""
    while error is not None:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            return True
        error = error.__cause__ or error.__context__
    return False


def _print_plan(plan: Plan, console: Console) -> None:
    from rich.table import Table

    from flows.estimate import Estimate, estimates
    from flows.format import clock, count, gigabytes
    from flows.summary import contamination

    costs = estimates(plan.recipe, {stage.spec.stage: stage.spec for stage in plan.to_run}, plan.workspace)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("stage", "kind", "action", "why", "tokens", "time", "memory", "time from"):
        table.add_column(name, justify="right" if name in ("tokens", "time", "memory") else "left", overflow="fold")
    for stage in plan.stages:
        cost = costs.get(stage.spec.stage, Estimate())
        style = None if stage.runs else "dim"
        table.add_row(
            stage.spec.stage,
            stage.spec.kind,
            stage.action,
            _reasons(stage.reasons) if stage.runs else "",
            f"<= {count(cost.tokens)}" if cost.tokens else "",
            f"~ {clock(cost.seconds)}" if cost.seconds is not None else "",
            f"~ {gigabytes(cost.memory)}" if cost.memory else "",
            cost.basis,
            style=style,
        )
    console.print(table)
    for line in contamination(plan):
        console.print(line, style="yellow", highlight=False)
    known = [cost.seconds for cost in costs.values() if cost.seconds is not None]
    disk = sum(cost.disk for cost in costs.values())
    reused = sum(stage.action == "reuse" for stage in plan.stages)
    text = f"{len(plan.to_run)} of {len(plan.stages)} stages run, {reused} reused"
    if plan.order.profile:
        text += f"; profile {plan.order.profile}"
    if known:
        text += f"; about {clock(sum(known))}, {gigabytes(disk)} of disk"
    console.print(text, highlight=False)


def _reasons(reasons: list[str]) -> str:
    more = f", {len(reasons) - 3} more" if len(reasons) > 3 else ""
    return ", ".join(reasons[:3]) + more


def _print_summary(plan: Plan, console: Console) -> None:
    from flows.summary import places, print_scores, score_rows

    header, rows = score_rows(plan)
    if rows:
        print_scores(header, rows, console)
    console.print()
    for title, where in places(plan):
        console.print(f"{title:<11} {where}", highlight=False, markup=False, soft_wrap=True)


if __name__ == "__main__":
    main()
