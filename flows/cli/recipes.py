"""Commands about recipes: run, resume, plan, show, recipes, schema."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flows.cli.group import anyway_option, data_dir_option, main, profile_option, set_option, stage_options, workspace_option
from flows.cli.plan_table import print_plan
from flows.cli.run_request import make_request, run_request
from tasks.workspace import Workspace

if TYPE_CHECKING:
    from flows.recipe.request import Profile


@main.command()
@click.argument("recipe")
@stage_options
@anyway_option
def run(recipe: str, **options: Any) -> None:
    """Run RECIPE: what is not there yet, what was changed, and what depends on it."""
    run_request(make_request(recipe, options))


@main.command()
@click.argument("run")
@click.option("--from", "rerun_from", metavar="STAGE", help="Rerun STAGE and what follows; without it, go on where the run stopped.")
@click.option("--until", metavar="STAGE", help="Stop after STAGE.")
@set_option
@data_dir_option
@anyway_option
@workspace_option
def resume(run: str, workspace: Workspace, **options: Any) -> None:
    """Go on with RUN, with the settings it had: after an error, a stop or a crash, or again from a stage, with other settings.

    RUN is the name of an experiment (its last run), EXPERIMENT/ID or ID; `r1flow status` lists them.
    """
    from flows.runs.record import find_run
    from flows.runs.resume import resume_request

    workspace.create()
    run_request(resume_request(workspace, find_run(workspace, run), **options | {"changes": list(options["changes"])}))


@main.command()
@click.argument("recipe")
@click.option("--on", metavar="NxDEVICE", help="What it would cost on other devices than those here, such as 8xh100 or 1xrtx4090.")
@stage_options
def plan(recipe: str, on: str | None, **options: Any) -> None:
    """Show what `run` would do: which stages run, why, and what they cost."""
    from flows.console import make_console
    from flows.planning.checks import check_names
    from flows.planning.plan import make_plan
    from tasks.costs.machine import machine_called

    machine = None if on is None else machine_called(on)
    planned = make_plan(make_request(recipe, options))
    check_names(planned.recipe)
    print_plan(planned, make_console(), machine)


@main.command()
@click.argument("recipe")
@set_option
@profile_option
def show(recipe: str, changes: tuple[str, ...], profile: Profile | None) -> None:
    """Print RECIPE with every setting and what it means, as a recipe that can be changed and run."""
    from flows.planning.checks import check_names
    from flows.planning.estimate import derived
    from flows.recipe.commented import commented
    from flows.recipe.load import load_recipe
    from flows.recipe.smoke import apply_profile

    loaded = apply_profile(load_recipe(recipe, changes), profile)
    check_names(loaded)
    for line in commented(loaded):
        click.echo(line)
    for stage, text in derived(loaded).items():
        click.echo(f"# {stage}: {text}")


@main.command()
@click.argument("recipe")
@click.argument("stage")
@data_dir_option
@set_option
@profile_option
def data(recipe: str, stage: str, data_dir: Path | None, changes: tuple[str, ...], profile: Profile | None) -> None:
    """Look at what the data STAGE of RECIPE will hold: problems, lengths, golds, and prompts as a model sees them."""
    from flows.analysis.data_look import look
    from flows.recipe.load import load_recipe
    from flows.recipe.smoke import apply_profile, data_directory, existing
    from tasks.format import visible

    loaded = apply_profile(load_recipe(recipe, changes), profile)
    for line in look(loaded, stage, data_directory(existing(data_dir), profile)):
        click.echo(visible(line))


@main.command()
def recipes() -> None:
    """List the recipes that are shipped, with the GPUs that they are made for."""
    from rich.table import Table

    from flows.console import make_console
    from flows.recipe.load import load_recipe, shipped
    from tasks.kinds import MODEL_KINDS

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("recipe", "algorithm", "GPUs", "model", "what"):
        table.add_column(title, justify="right" if title == "GPUs" else "left", no_wrap=title != "what")
    for name, path in shipped().items():
        recipe = load_recipe(name)
        stages = [(MODEL_KINDS[stage.kind], stage) for stage in recipe.stages.values() if stage.kind in MODEL_KINDS]
        algorithms = dict.fromkeys(filter(None, (kind.algorithm(stage) for kind, stage in stages)))
        first = next((line.lstrip("# ").rstrip() for line in path.read_text().splitlines() if line.startswith("#")), "")
        pretrained = isinstance(recipe.model, str)
        gpus = max((kind.gpus(stage) for kind, stage in stages), default=0) if pretrained else 0
        model = str(recipe.model).partition("/")[2] if pretrained else "made from scratch"
        table.add_row(name, ", ".join(algorithms), str(gpus) if gpus else "none", model, first)
    make_console().print(table, highlight=False)


@main.command()
def schema() -> None:
    """Print the JSON schema of recipes, by which editors complete and check them.

    For editors with a YAML language server: `r1flow schema > recipe.schema.json`, and as the first line of a recipe
    `# yaml-language-server: $schema=recipe.schema.json`.
    """
    import json

    from flows.recipe.json_schema import recipe_schema

    click.echo(json.dumps(recipe_schema(), indent=1))
