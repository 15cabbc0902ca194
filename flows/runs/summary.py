"""What was learned: the table at the end of a run, and a few words on every stage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flows.planning.plan import Plan
from flows.runs.stage_warnings import stage_warnings
from tasks.kinds import KINDS
from tasks.kinds.data import OVERLAP
from tasks.kinds.report import where_to_look
from tasks.stage.records import SCORES, read_record
from tasks.stage.spec import read_manifest

if TYPE_CHECKING:
    from rich.console import Console

NOISE = "~ differs from the row above by no more than chance would (McNemar or paired bootstrap, 5 %)"
DETECTABLE = "tells apart: the smallest difference in points that is found in four of five cases"


def contamination(plan: Plan) -> list[str]:
    """What finished data stages share with the benchmarks of their recipe, a line each."""
    found = []
    for stage in plan.stages:
        manifest = read_manifest(stage.spec.directory) if KINDS[stage.spec.kind].avoids_held_out else None
        result = manifest["result"] if manifest else {}
        done = "dropped" if "dropped_contaminated" in result else "kept"
        for name, hits in result.get("contaminated", {}).items():
            found.append(f"{stage.spec.stage}: {hits:,} training problems are in {name}, {done}; see {stage.spec.directory / OVERLAP}")
    return found


def score_rows(plan: Plan) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the table of a plan's evaluations; see `score_table`."""
    scores, comparisons = [], []
    for stage in plan.stages:
        if (stage.spec.directory / SCORES).is_file() and read_manifest(stage.spec.directory):
            found = read_record(stage.spec.directory / SCORES) or {"scores": []}
            scores += found["scores"]
            comparisons += found.get("comparisons", [])
    return score_table(scores, comparisons)


def score_table(scores: list[dict[str, Any]], comparisons: list[dict[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """Header and rows: checkpoints down, benchmarks across, shares in percent with their 95 % intervals.

    `~` marks a score whose difference from the row above is noise. The last row has the smallest difference that a column can show.
    """
    # A benchmark with parts is shown by its parts.
    divided = {score["benchmark"] for score in scores if score["subset"]}
    averages = [score for score in scores if score["metric"] == "accuracy" or score["metric"].startswith("avg@")]
    shown = [score for score in averages if score["subset"] or score["benchmark"] not in divided]
    columns = list(dict.fromkeys((score["subset"] or score["benchmark"], score["metric"], score["mode"]) for score in shown))
    cells = {(score["checkpoint"], score["subset"] or score["benchmark"], score["metric"], score["mode"]): score for score in shown}
    changes = {
        (change["first"], change["second"], change["subset"] or change["benchmark"], change["metric"], change["mode"]): change
        for change in comparisons
    }
    rows: list[list[str]] = []
    names = list(dict.fromkeys(score["checkpoint"] for score in shown))
    for above, checkpoint in zip([None, *names], names, strict=False):
        row = [_cell(cells.get((checkpoint, *column)), changes.get((above, checkpoint, *column))) for column in columns]
        rows.append([checkpoint, *row])
    if rows:
        entries = [[entry for key, entry in (changes or cells).items() if key[-3:] == column] for column in columns]
        rows.append(["tells apart", *map(_tells, entries)])
    return ["checkpoint", *(f"{part}\n{mode if metric == 'accuracy' else metric}" for part, metric, mode in columns)], rows


def print_scores(header: list[str], rows: list[list[str]], console: Console) -> None:
    """Print a table of `score_table` and what its marks mean."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in header:
        table.add_column(name)
    for row in rows:
        table.add_row(*row, style="dim" if row is rows[-1] else None)
    console.print("\nScores in percent [95 % interval]", style="italic", highlight=False, markup=False, soft_wrap=True)
    console.print(table)
    marks = [NOISE] if any("~" in cell for row in rows for cell in row[1:]) else []
    for text in [*marks, DETECTABLE]:
        console.print(text, style="dim", highlight=False, markup=False)


def _cell(score: dict[str, Any] | None, change: dict[str, Any] | None) -> str:
    if score is None:
        return "-"
    interval = f" [{100 * score['low']:.0f}, {100 * score['high']:.0f}]" if score.get("low") is not None else ""
    return f"{100 * score['value']:.1f}{interval}{' ~' if change and change['noise'] else ''}"


def _tells(entries: list[dict[str, Any]]) -> str:
    """The smallest difference that every comparison of a column can show, in points."""
    found = [entry["detectable"] for entry in entries if "detectable" in entry]
    return f"{100 * max(found):.1f}" if found else "-"


def warnings(plan: Plan) -> list[str]:
    """What a person should know of the stages that are done, a line each; see flows/runs/stage_warnings.py."""
    done = [stage.spec for stage in plan.stages if stage.action != "skip"]
    return [f"{spec.stage}: {text}" for spec in done for text in stage_warnings(spec.directory)]


def places(plan: Plan) -> list[tuple[str, str]]:
    """Where to look next: what, and a path or command."""
    found = []
    for stage in plan.stages:
        page = KINDS[stage.spec.kind].page(stage.spec.directory)
        if page and read_manifest(stage.spec.directory):
            found.append(("report", str(page)))
    makers = [stage for stage in plan.stages if "checkpoint" in KINDS[stage.spec.kind].makes]
    made = [(stage, manifest["result"]) for stage in makers if (manifest := read_manifest(stage.spec.directory))]
    if with_checkpoint := [stage.spec.directory / result["checkpoint"] for stage, result in made if "checkpoint" in result]:
        found.append(("checkpoint", str(with_checkpoint[-1])))
    if plan.request.profile:
        found.append(("profile", f"{plan.request.profile}: shows that all parts work together; the scores mean nothing"))
    found += [(place["title"], place["where"]) for place in where_to_look(plan.workspace)]
    return found
