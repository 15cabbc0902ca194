"""The HTML report of an experiment: one file that opens anywhere, offline, with everything inside it.

All text that a model or a data file has written goes through the template's escaping, and the page's own policy allows no script but
the one printed here and no request to anywhere.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evals.analytics import query
from evals.analytics.figures import draw
from evals.analytics.figures.overview import OUTCOMES, checkpoint_order, length_unit
from evals.analytics.figures.plotting import rows
from evals.analytics.report import ask, examples, summary
from evals.benchmarks.registry import label_of

if TYPE_CHECKING:
    import duckdb
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "templates"
OUTCOME_NAMES = {"correct": "correct"} | {outcome: name for outcome, (name, _) in OUTCOMES.items()}
QUERIES = (
    (
        "Which problems are never solved?",
        "SELECT benchmark, difficulty, prompt_id, count(*) AS tries FROM eval_samples GROUP BY ALL HAVING bool_and(NOT correct)",
    ),
    (
        "Which words go with right answers?",
        "SELECT family, keyword, sum(responses_with) AS responses, avg(correct) AS correct FROM keyword_use GROUP BY ALL",
    ),
    (
        "What was the longest wrong thought?",
        "SELECT stage, step, think FROM rollouts WHERE outcome = 'wrong' ORDER BY think_tokens DESC LIMIT 1",
    ),
)


def write(
    database: Path,
    output: Path,
    *,
    recipe: dict[str, Any],
    title: str,
    links: list[dict[str, Any]],
    underway: Sequence[tuple[str, str]] = (),
) -> list[Path]:
    """Write `report.html` and `figures/*` (PNG and SVG) below `output`.

    Args:
        database: a warehouse that holds one experiment.
        recipe: the resolved recipe, printed as YAML.
        links: where to look next: dictionaries with `title`, `where` (a path or a command) and, if it helps, `note`.
        underway: stages that are not finished, and their state in words.

    Returns:
        The files written, the page first.

    Raises:
        query.QueryError: `database` is missing or unreadable.
    """
    import yaml

    output.mkdir(parents=True, exist_ok=True)
    with query.connect(database) as connection:
        figures = draw(connection)
        context = _shown(connection)
    script = embedded("zoom.js", "report.js")
    page = (
        environment()
        .get_template("report.html")
        .render(
            context,
            title=title,
            figures=figures,
            outcome_names=OUTCOME_NAMES,
            seen=[outcome for outcome in OUTCOME_NAMES if any(row[outcome] for row in context["failures"])],
            totals={
                name: None if any(row[name] is None for row in context["costs"]) else sum(row[name] for row in context["costs"])
                for name in ("responses", "prompt_tokens", "response_tokens")
            },
            turning={row["family"] for row in context["patterns"] if row["turn"]},
            queries=QUERIES,
            links=links,
            recipe=yaml.safe_dump(recipe, sort_keys=False, allow_unicode=True, width=110),
            style=(TEMPLATES / "report.css").read_text(),
            underway=underway,
            as_of=datetime.now().strftime("%Y-%m-%d %H:%M"),
            **script,
        )
    )
    html = output / "report.html"
    html.write_text(page, encoding="utf-8")
    (output / "figures").mkdir(exist_ok=True)
    return [html, *(path for figure in figures for path in figure.write(output / "figures"))]


def _shown(connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    results, unit = summary.results(connection), length_unit(connection)
    return {
        "results": results,
        "remarks": [*summary.verdicts(results), *summary.remarks(connection)],
        "unit": unit,
        "training": _training(connection, unit),
        "stages": ask(connection, "stages"),
        "evaluations": _evaluations(connection),
        "failures": _failures(connection),
        "puzzles": examples.choose(connection),
        "patterns": ask(connection, "patterns"),
        "families": ask(connection, "families"),
        "histories": ask(connection, "histories"),
        "costs": rows(connection, "SELECT * FROM cost ORDER BY position, stage"),
        "runs": rows(connection, "SELECT run, state, started::VARCHAR AS started FROM runs ORDER BY started, run"),
    }


def embedded(*names: str) -> dict[str, str]:
    """Scripts of the templates as one, and the digest by which the page's policy allows it and no other."""
    script = "".join((TEMPLATES / name).read_text() for name in names)
    return {"script": script, "script_digest": base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}


def environment() -> Environment:
    """Templates that escape every value."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    made.filters |= {
        "percent": summary.percent,
        "signed": summary.signed,
        "thousands": lambda number: "unknown" if number is None else f"{number:,}",
        # An image of its own: the ids inside one drawing cannot clash with those of another.
        "image": lambda svg: "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode(),
    }
    return made


def _training(connection: duckdb.DuckDBPyConnection, unit: str) -> list[dict[str, Any]]:
    """Per RL stage, the start and the end of every curve: {stage, steps, <column>: (start, end) or None}."""
    columns = {
        "reward": ("reward_by_step", "reward"),
        "correct": ("errors_by_step", "correct"),
        "wrong": ("errors_by_step", "wrong"),
        "format_error": ("errors_by_step", "format_error"),
        "truncated": ("errors_by_step", "truncated"),
        "at_limit": ("length_by_step", "at_limit"),
        "thinking": ("length_by_step", f"think_{unit}"),
        "answer": ("length_by_step", f"answer_{unit}"),
        "step_wise": ("keywords_by_step", "step_wise"),
        "reflection": ("keywords_by_step", "reflection"),
    }
    stages: dict[str, dict[str, Any]] = {}
    for name, (view, column) in columns.items():
        for stage, first, last, steps in summary.edges(connection, view, column):
            stages.setdefault(stage, {"stage": stage, "steps": steps, **dict.fromkeys(columns)})[name] = (first, last)
    # Without verdicts no outcome is known, but the ending may be.
    return [stage | {"truncated": stage["truncated"] or stage["at_limit"]} for stage in stages.values()]


def _evaluations(connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """Per evaluation stage: its checkpoints, and a score row per benchmark part and metric with a cell per checkpoint."""
    found = []
    for stage in rows(connection, "SELECT stage, stage_run FROM stages WHERE kind = 'eval' ORDER BY position, stage_run"):
        checkpoints = checkpoint_order(connection, stage["stage_run"])
        if not checkpoints:
            continue
        scores = rows(
            connection,
            "SELECT * FROM scores WHERE stage_run = ? ORDER BY benchmark, subset NULLS LAST, mode DESC, metric",
            [stage["stage_run"]],
        )
        comparisons = {
            (*_part(row), row["first"], row["second"]): row
            for row in rows(connection, "SELECT * FROM comparisons WHERE stage_run = ?", [stage["stage_run"]])
        }
        partial = {row["benchmark"]: {part["subset"] for part in scores if part["benchmark"] == row["benchmark"]} for row in scores}
        scores = [row for row in scores if row["subset"] is not None or len(partial[row["benchmark"]]) != 2]  # one part is all of it
        lines: dict[tuple[Any, ...], dict[str, Any]] = {}
        for row in scores:
            line = lines.setdefault(_part(row), {**row, "benchmark": label_of(row["benchmark"]), "cells": dict.fromkeys(checkpoints)})
            index = checkpoints.index(row["checkpoint"])
            against_first = comparisons.get((*_part(row), checkpoints[0], row["checkpoint"])) if index else None
            line["cells"][row["checkpoint"]] = {**row, "change": against_first}
        for line in lines.values():
            line["best"] = max(cell["value"] for cell in line["cells"].values() if cell)
        steps = [
            {**row, "label": ", ".join(part for part in (label_of(row["benchmark"]), row["subset"]) if part)}
            for row in comparisons.values()
            if checkpoints.index(row["second"]) - checkpoints.index(row["first"]) == 1 and _is_main(row)
        ]
        steps.sort(key=lambda row: (row["label"], row["mode"] == "greedy", row["metric"], checkpoints.index(row["first"])))
        tables = {  # the averages are shown, metrics of repeated samples folded
            "main": [line for line in lines.values() if _is_main(line)],
            "pass@k: at least one of k samples is right; maj@k: the most frequent answer is": [
                line for line in lines.values() if not _is_main(line)
            ],
        }
        found.append({"stage": stage["stage"], "checkpoints": checkpoints, "tables": tables, "steps": steps})
    return found


def _is_main(row: dict[str, Any]) -> bool:
    return not row["metric"].startswith(("pass@", "maj@"))


def _part(row: dict[str, Any]) -> tuple[Any, ...]:
    return (row["benchmark"], row["subset"], row["mode"], row["metric"])


def _failures(connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """Outcome shares by benchmark and checkpoint, over all parts; sampled responses where there are any. None is not known."""
    shares = ", ".join(
        f"if(count({outcome}) < count(*) FILTER (judged > 0), NULL, sum({outcome} * judged) / sum(judged)) AS {outcome}"
        for outcome in OUTCOME_NAMES
    )
    found = rows(
        connection,
        "SELECT stage_run, benchmark, checkpoint, checkpoint_position, sum(responses)::BIGINT AS responses, "
        f"sum(judged)::BIGINT AS judged, {shares} "
        "FROM (SELECT * FROM errors_by_checkpoint QUALIFY mode = max(mode) OVER (PARTITION BY stage_run, benchmark)) "
        "GROUP BY ALL ORDER BY stage_run, benchmark, checkpoint_position, checkpoint",
    )
    return [row | {"benchmark": label_of(row["benchmark"])} for row in found]
