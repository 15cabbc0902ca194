"""Commands that score: evaluate, grade, compare."""

import sys
from pathlib import Path
from typing import Any

import click

from evals.engines import ENGINES, NAMES
from flows.cli.group import INTERRUPTED, Output, data_dir_option, main, workspace_option
from rl_core.rewards.rules import Rule
from rl_core.rollout.description import names_of
from rl_core.rollout.engines import DEFAULT
from tasks.workspace import Workspace


@main.command()
@click.argument("checkpoints", nargs=-1, required=True)
@click.option("--benchmarks", help="Names, files of problems or of settings (.yaml), with commas between; default: those of the protocol.")
@click.option("--protocol", help="Published settings: simplerl_v0, oat_zero, open_r1, ... (evals/protocols/).")
@click.option("--limit", type=click.IntRange(1), help="Problems per benchmark: the same in every evaluation.")
@click.option("--samples", help="Sampled responses per problem, or auto: as many as --width needs.")
@click.option("--width", type=float, help="With --samples auto: how wide the 95 % interval may be, as a share.")
@click.option("--temperature", type=float)
@click.option("--top-p", type=float)
@click.option("--max-tokens", type=click.IntRange(1))
@click.option("--template", help="How the problem is put to the model.")
@click.option("--engine", type=click.Choice(NAMES), help=f"Default: {DEFAULT}.")
@click.option("--base-url", help=f"With --engine {names_of(ENGINES, 'endpoint')}: the endpoint; CHECKPOINTS are names of its models.")
@click.option("--dtype", type=click.Choice(["auto", "bfloat16", "float32"]), help="Default: auto, bfloat16 where that is fast.")
@click.option("--tensor-parallel", type=click.IntRange(1), help=f"Devices of one engine ({names_of(ENGINES, 'spans_devices')}).")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of sampling; the problems do not depend on it.")
@click.option("--output", type=Output(directory=True), help="Directory for samples and scores.")
@workspace_option
@data_dir_option
def evaluate(
    checkpoints: tuple[str, ...], workspace: Workspace, data_dir: Path | None, output: Path | None, seed: int, **options: Any
) -> None:
    """Score CHECKPOINTS on benchmarks: EXPERIMENT/STAGE of the workspace, EXPERIMENT/STAGE/step-N, NAME@ALIAS, directories or hub ids.

    NAME=CHECKPOINT says how tables call one.
    What is finished is kept in the workspace, response by response: the same command goes on where it stopped.
    """
    from flows.analysis.evaluate import make_job, run_evaluation, settings_of

    workspace.require_writable(workspace.root, "another directory by --workspace")
    job = make_job(checkpoints, settings_of(options), workspace, output, data_dir, seed)
    try:
        run_evaluation(job, workspace)
    except KeyboardInterrupt:
        click.echo("stopped; finished responses are kept, and the same command goes on", err=True)
        sys.exit(INTERRUPTED)


@main.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME NAME...")
@click.option("--output", type=Output(directory=True), help="Of runs: directory for the page.")
@workspace_option
def compare(names: tuple[str, ...], output: Path | None, workspace: Workspace) -> None:
    """Compare runs, or two evaluations.

    Of runs (EXPERIMENT, which is its last run, EXPERIMENT/ID or ID; `r1flow status` lists them) a page tells what differs in the recipes,
    where the curves part and which differences of the scores are real.

    Of evaluations (EXPERIMENT/STAGE, EXPERIMENT/STAGE/CHECKPOINT for one of several, or the directory that evaluate printed,
    DIR:CHECKPOINT) it is printed how they differ problem by problem, and where their scores are not comparable.
    """
    from flows.history.references import evaluation

    evaluations = [found for name in names if (found := evaluation(workspace, name))]
    if evaluations:
        if len(evaluations) != len(names) or len(names) != 2 or output:
            raise click.UsageError("runs are compared, or two evaluations, without --output")
        from flows.analysis.evaluate import print_comparison

        print_comparison(*evaluations)
        return
    from flows.analysis.compare_runs import compare_runs

    click.echo(compare_runs(workspace, names, output, lambda text: click.echo(text, err=True)))


@main.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--benchmark", help="Whose answers these are: gsm8k, math500, aime24, ...")
@click.option("--verifier", help="Or how answers are judged, as in a recipe: math, exact, 'number: {tolerance: 0.01}', ...")
@click.option("--output", required=True, type=Output(directory=False), help="Where to write: .jsonl or .parquet.")
@click.option("--gold", default="gold", show_default=True, metavar="COLUMN", help="Column of the right answers.")
@click.option("--response", default="response", show_default=True, metavar="COLUMN", help="Column of the completions.")
@click.option("--protocol", help="Judge as this protocol does; default: an answer in any usual place counts.")
@click.option(
    "--rule",
    "rules",
    multiple=True,
    type=click.Choice([rule.value for rule in Rule]),
    help="Judge by a rule of rl_core/rewards; can be repeated.",
)
@click.option("--strict", is_flag=True, help="Refuse golds that cannot be read; default: compare the texts, and say how many there are.")
@click.option("--workers", type=click.IntRange(1, 64), help="Processes for symbolic work; default: one per core, at most 8.")
def grade(file: Path, output: Path, **options: Any) -> None:
    """Grade the completions in FILE (.jsonl or .parquet) without a model.

    OUTPUT has the rows of FILE in their order, with the columns correct, outcome and extracted, and gold_by_text where a gold cannot be
    read.
    """
    from flows.analysis.evaluate import grade_file

    grade_file(file, output, **options)
