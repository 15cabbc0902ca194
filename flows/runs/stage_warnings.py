"""Warnings about stages that are done: read from what a stage recorded, shown at its end, after a run, in `status` and in `lineage`."""

from __future__ import annotations

from pathlib import Path

from evals.analytics.health import eval_warnings, rl_warnings, sft_warnings
from flows.recipe.smoke import SMOKE_SUFFIX
from rl_core.training.journal import read_steps
from tasks.stage.records import SCORES, SPEC, read_record
from tasks.stage.spec import read_manifest


def stage_warnings(directory: Path) -> list[str]:
    """A line each; none for a stage that is not done, and none under the smoke profile, whose model learns nothing."""
    spec, manifest = read_record(directory / SPEC), read_manifest(directory)
    if not spec or not manifest or spec["experiment"].endswith(SMOKE_SUFFIX):
        return []
    settings, result = spec["settings"], manifest["result"]
    match spec["kind"]:
        case "rl":
            return rl_warnings(settings, list(read_steps(directory / "metrics.jsonl")), result)
        case "sft":
            return sft_warnings(list(read_steps(directory / "metrics.jsonl")), result)
        case "eval":
            return eval_warnings(settings, (read_record(directory / SCORES) or {"scores": []})["scores"])
    return []
