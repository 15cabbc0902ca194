"""What the commands evaluate, grade and compare do."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from evals.benchmarks import registry
from evals.config import EvalConfig, EvalJob, NamedCheckpoint
from evals.engines import ENGINES
from evals.protocol import find_protocol
from flows.console import make_console
from flows.history.references import find, names_stage
from flows.planning.model_files import check_hub_model, model_files
from flows.runs.summary import print_scores, score_table
from rl_core.config.own_files import FOLDERS
from rl_core.errors import InputError, first_line
from rl_core.rollout.description import names_of
from tasks.stage.digests import Digests
from tasks.stage.fingerprint import fingerprint
from tasks.workspace import Workspace


def settings_of(options: dict[str, Any]) -> dict[str, Any]:
    """Settings of an evaluation from the options of the command line.

    Raises InputError if neither benchmarks nor a protocol is given, or the samples are no number.
    """
    given = {name: value for name, value in options.items() if value is not None}
    names, protocol = given.pop("benchmarks", None), given.get("protocol")
    if (names is None and protocol is None) or (names is not None and not names.replace(",", "").strip()):
        raise InputError("--benchmarks: name at least one, such as gsm8k,math500, or a --protocol that has its own")
    listed = [name.strip() for name in names.split(",")] if names is not None else find_protocol(protocol).benchmarks.value
    limit = given.pop("limit", None)
    given["benchmarks"] = [{"name": name, "limit": limit} for name in listed if name]
    if "samples" in given:
        text = given["samples"]
        if text != "auto" and not text.isdigit():
            raise InputError(f"--samples {text}: a number, or auto")
        given["samples"] = text if text == "auto" else int(text)
        if protocol is None or find_protocol(protocol).temperature.value > 0:
            given["greedy"] = False
    resources = {name: given.pop(name) for name in ("base_url", "tensor_parallel") if name in given}
    return given | {"resources": resources}


def make_job(
    checkpoints: tuple[str, ...], settings: dict[str, Any], workspace: Workspace, output: Path | None, data_dir: Path | None, seed: int
) -> EvalJob:
    """The evaluation that the command line asks for.

    Raises InputError if a setting is wrong, a checkpoint is not there or incomplete, or the hub has no such model.
    """
    try:
        config = EvalConfig.model_validate(
            {name: value for name, value in settings.items() if value is not None}, context={FOLDERS: [Path.cwd()]}
        )
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise InputError(f"{where + ': ' if where else ''}{first['msg'].removeprefix('Value error, ')}") from error
    digests = Digests(workspace.digests)
    named = [_named(text, config, workspace, digests) for text in checkpoints]
    digests.save()
    content = {
        "config": config.model_dump(mode="json", exclude={"resources"} | (set() if config.judge else {"judge"})),
        "checkpoints": [found.digest or found.path for found in named],
    }
    default = workspace.root / "evaluations" / f"{config.protocol or 'own'}-{fingerprint(content | {'seed': seed})[:8]}"
    data_dir = data_dir.expanduser().resolve() if data_dir else None
    for benchmark in config.benchmarks:
        registry.local_files(benchmark, data_dir)
    for found in named:
        if found.digest is None and not ENGINES[config.engine].endpoint:
            check_hub_model(found.path, f"a directory, or EXPERIMENT/STAGE of {workspace.root}")
    return EvalJob(
        config=config,
        checkpoints=named,
        output=output or default,
        cells=workspace.cells,
        replies=workspace.replies,
        data_dir=data_dir,
        seed=seed,
    )


def _named(text: str, config: EvalConfig, workspace: Workspace, digests: Digests) -> NamedCheckpoint:
    """The name of a checkpoint (flows/history/references.py), a directory, a hub id, or `NAME=` one of them."""
    if "://" in text:  # which may hold a secret, so it is not shown
        raise InputError(
            "an address is no checkpoint; give a directory, a hub id, EXPERIMENT/STAGE, or with --engine "
            f"{names_of(ENGINES, 'endpoint')} a name of its model"
        )
    name, equals, what = text.partition("=")
    if not equals:
        what = text
    if ENGINES[config.engine].endpoint:
        return NamedCheckpoint(name=name if equals else _file_name(what), path=what)
    path = str(find(workspace, what).weights()) if names_stage(workspace, what) else what
    files = model_files(path)
    digest = fingerprint({file.name: digests.of(file) for file in files}) if files else None
    return NamedCheckpoint(name=name if equals else _file_name(what), path=path, digest=digest)


def _file_name(what: str) -> str:
    """The name of a checkpoint in tables and files: the last part of its own, with its stage for a step."""
    parts = [part for part in Path(what).parts if part not in ("/", ".", "checkpoints")] or [what]
    name = "-".join(parts[-2:]) if parts[-1].startswith("step-") else parts[-1]  # a step says nothing without its stage
    return re.sub(r"[^\w.-]+", "-", name)


def run_evaluation(job: EvalJob, workspace: Workspace) -> None:
    """Evaluate with progress on the terminal, and print the scores."""
    from evals.runner import evaluate

    workspace.create()
    console = make_console()
    with _progress(console) as show:
        scores = evaluate(job, show)
    print_scores(*score_table(scores["scores"], scores["comparisons"]), console)
    console.print(f"\nresult  {job.output}", highlight=False, soft_wrap=True)


@contextmanager
def _progress(console: Console) -> Iterator[Callable[[int, int, dict[str, float]], None]]:
    """A bar with the time left at a terminal, else nothing: what is finished is printed by cell."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn("responses"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.fields[note]}")
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=None, note="")

        def show(done: int, total: int, metrics: dict[str, float]) -> None:
            note = f"accuracy {metrics['accuracy']:.2f}  {metrics['tokens_per_second']:,.0f} tokens/s" if metrics else ""
            bar.update(task, completed=done, total=total, note=note)

        yield show


def _verifier(text: str) -> str | dict[str, Any]:
    """The value of --verifier: a name, or a name with parameters, as in a recipe."""
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InputError(f"--verifier {text}: the value is not valid YAML: {first_line(error)}") from error
    return found if isinstance(found, dict) else text


def grade_file(
    file: Path,
    output: Path,
    *,
    benchmark: str | None,
    verifier: str | None,
    gold: str,
    response: str,
    protocol: str | None,
    rules: Sequence[str],
    strict: bool,
    workers: int | None,
) -> None:
    """Grade a file and print how often each outcome occurs. `rules` are added to those of the protocol.

    Raises:
        InputError: not exactly one of `benchmark` and `verifier` is given, or as `grade`.
    """
    from evals.answer_readers import LENIENT
    from evals.grade import BY_TEXT, golds_of_verifier, grade
    from evals.statistics import wilson
    from rl_core.outcome import Outcome
    from rl_core.rewards.rules import Rule

    if (benchmark is None) == (verifier is None):
        raise InputError("--benchmark or --verifier: give one of them, such as --benchmark gsm8k")
    published = find_protocol(protocol) if protocol else None
    outcomes = grade(
        file,
        benchmark or golds_of_verifier(_verifier(verifier or "")),
        output,
        gold_column=gold,
        response_column=response,
        reader=published.reader.value if published else LENIENT,
        rules=frozenset(map(Rule, rules)) | frozenset(published.rules.value if published else ()),
        strict=strict,
        workers=workers,
    )
    console = make_console()
    total = outcomes.total()
    if total:
        score = wilson(outcomes[Outcome.CORRECT], total)
        console.print(
            f"{total:,} responses: {100 * score.value:.1f} % correct [{100 * score.low:.1f}, {100 * score.high:.1f}]", highlight=False
        )
    for outcome, count in outcomes.most_common():
        console.print(f"  {outcome:<12} {count:>8,}", highlight=False)
    if outcomes.by_text:
        note = f"golds that cannot be read: {outcomes.by_text:,}, compared as texts (column {BY_TEXT}; --strict refuses them)"
        console.print(note, highlight=False, soft_wrap=True)
    console.print(f"written to {output}", highlight=False, soft_wrap=True)


def print_comparison(first: str, second: str) -> None:
    """Two results on what they share, and whether they can be compared at all."""
    from evals.comparability import compare_results, open_result

    left, right = open_result(first), open_result(second)
    console = make_console()
    table = Table(
        box=None, pad_edge=False, header_style="bold", title=f"{right.checkpoint} minus {left.checkpoint}, in points", title_justify="left"
    )
    for name in ("benchmark", "metric", "difference", "95 % interval", "p", "tells apart", "verdict"):
        table.add_column(name, justify="left" if name in ("benchmark", "metric", "verdict") else "right")
    found = compare_results(left, right)
    for benchmark in found:
        for change in benchmark.changes:
            verdict = "noise" if change["noise"] else "better" if change["difference"] > 0 else "worse"
            table.add_row(
                change["subset"] or benchmark.benchmark,
                change["metric"],
                f"{100 * change['difference']:+.1f}",
                f"[{100 * change['low']:+.1f}, {100 * change['high']:+.1f}]",
                "-" if change["p_value"] is None else f"{change['p_value']:.3f}",
                f"{100 * change['detectable']:.1f}",
                "not comparable" if benchmark.obstacles else verdict,
            )
        if not benchmark.changes:
            table.add_row(benchmark.benchmark, "-", "-", "-", "-", "-", "not comparable")
    console.print(table)
    for benchmark in found:
        for text in benchmark.obstacles:
            _say(console, f"{benchmark.benchmark}: not comparable: {text}", "red")
    for text in dict.fromkeys(text for benchmark in found for text in benchmark.remarks):
        _say(console, f"note: {text}; small differences can come from it", "yellow")


def _say(console: Console, text: str, style: str) -> None:
    console.print(text, style=style, highlight=False, markup=False, soft_wrap=True)
