"""What was learned: the table at the end of a run, and a few words on every stage."""

from __future__ import annotations

from typing import Any

from flows.format import count
from flows.plan import Plan
from tasks.report import REPORT, where_to_look
from tasks.stage import StageSpec, read_manifest
from tasks.workspace import read_json


def note_of(spec: StageSpec, manifest: dict[str, Any]) -> str:
    """The result of a stage in a few words."""
    result = manifest["result"]
    match spec.kind:
        case "data":
            dropped = f", {result['dropped_rows']:,} rows left out" if result.get("dropped_rows") else ""
            return f"{result['train']:,} training and {result['test']:,} held-out prompts ({result['source']}{dropped})"
        case "sft" | "rl":
            return f"{result['steps']} steps, {count(result.get('tokens', 0))} tokens -> {result['checkpoint']}"
        case "eval":
            return f"{count(result.get('tokens', 0))} tokens"
        case "analyze":
            return ", ".join(f"{rows:,} {table}" for table, rows in result["rows"].items() if rows)
        case "report":
            return str(spec.directory / REPORT)


def score_rows(plan: Plan) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the score table: checkpoints down, benchmarks across, shares in percent with their 95 % intervals."""
    scores = []
    for stage in plan.stages:
        if stage.spec.kind == "eval" and read_manifest(stage.spec.directory):
            scores += (read_json(stage.spec.directory / "scores.json") or {"scores": []})["scores"]
    # A benchmark with parts is shown by its parts.
    divided = {score["benchmark"] for score in scores if score["subset"]}
    shown = [
        score
        for score in scores
        if (score["subset"] or score["benchmark"] not in divided) and (score["metric"] == "accuracy" or score["metric"].startswith("avg@"))
    ]
    columns = list(dict.fromkeys((score["subset"] or score["benchmark"], score["metric"], score["mode"]) for score in shown))
    cells = {(score["checkpoint"], score["subset"] or score["benchmark"], score["metric"], score["mode"]): score for score in shown}
    rows = []
    for checkpoint in dict.fromkeys(score["checkpoint"] for score in shown):
        rows.append([checkpoint, *(_cell(cells.get((checkpoint, *column))) for column in columns)])
    return ["checkpoint", *(f"{part}\n{mode if metric == 'accuracy' else metric}" for part, metric, mode in columns)], rows


def _cell(score: dict[str, Any] | None) -> str:
    if score is None:
        return "-"
    interval = f" [{100 * score['low']:.0f}, {100 * score['high']:.0f}]" if score.get("low") is not None else ""
    return f"{100 * score['value']:.1f}{interval}"


def places(plan: Plan) -> list[tuple[str, str]]:
    """Where to look next: what, and a path or command."""
    found = []
    for stage in plan.stages:
        if stage.spec.kind == "report" and read_manifest(stage.spec.directory):
            found.append(("report", str(stage.spec.directory / REPORT)))
    last = next((stage for stage in reversed(plan.stages) if stage.spec.kind in ("sft", "rl")), None)
    manifest = read_manifest(last.spec.directory) if last else None
    if last and manifest:
        found.append(("checkpoint", str(last.spec.directory / manifest["result"]["checkpoint"])))
    if plan.order.profile:
        found.append(("profile", f"{plan.order.profile}: shows that all parts work together; the scores mean nothing"))
    found += [(place["title"], place["where"]) for place in where_to_look(plan.workspace)]
    return found
