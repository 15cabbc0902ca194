"""Data stage: prompt sets as Parquet, made in this process, without what the recipe's benchmarks hold out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import TypeAdapter

from evals.config import BenchmarkSettings
from rl_core.config import DataConfig
from rl_core.data.prompts import DataError, Prompt
from tasks.stage.spec import StageSpec
from tasks.workspace import write_json

OVERLAP = "overlap.json"
SHOWN = 200  # characters of a problem in the list of those that are held out


def run(spec: StageSpec) -> dict[str, Any]:
    """Write `train.parquet` and `test.parquet`; returns counts and where the problems came from.

    Training problems that a benchmark holds out are listed in `overlap.json`, and left out where the settings do not say otherwise.

    Raises:
        DataError: there are such problems and the settings refuse them, or nothing is left.
    """
    from rl_core.data.prepare import prepare
    from rl_core.data.prompts import read_prompts, write_prompts

    config: DataConfig = TypeAdapter(DataConfig).validate_python(spec.settings)
    result = prepare(config, spec.directory, data_dir=spec.data_dir, seed=spec.seed)
    path = spec.directory / "train.parquet"
    train = read_prompts(path)
    hits = overlap(train, spec.held_out, spec)
    write_json(spec.directory / OVERLAP, hits)
    places = {hit["row"] - 1 for hit in hits}
    found = {name: sum(hit["benchmark"] == name for hit in hits) for name in dict.fromkeys(hit["benchmark"] for hit in hits)}
    result |= {"checked": sorted(entry["name"] for entry in spec.held_out), "contaminated": found}
    if not hits or config.contaminated == "keep":
        return result
    if config.contaminated == "refuse":
        told = ", ".join(f"{count:,} of {name}" for name, count in found.items())
        raise DataError(f"stage {spec.stage}: the training set holds problems of its benchmarks: {told}; set contaminated: drop, or keep")
    kept = [prompt for place, prompt in enumerate(train) if place not in places]
    if not kept:
        raise DataError(f"stage {spec.stage}: every training problem is in a benchmark that the recipe evaluates; train on another set")
    write_prompts(path, kept)
    return result | {"train": len(kept), "dropped_contaminated": len(places)}


def overlap(train: list[Prompt], benchmarks: Sequence[dict[str, Any]], spec: StageSpec) -> list[dict[str, Any]]:
    """Training problems that benchmarks hold out: row, benchmark, how much of it is shared, and both problems."""
    from evals.benchmarks import registry
    from rl_core.data.contamination import PUZZLES, find_hits

    tasks = {prompt.task for prompt in train}
    found = []
    for entry in benchmarks:
        settings = BenchmarkSettings.model_validate(entry)
        if tasks.isdisjoint({settings.name}) and (settings.name in PUZZLES or tasks <= set(PUZZLES)):
            continue  # a puzzle is no problem of mathematics
        problems = registry.load(settings, spec.data_dir)
        for hit in find_hits(train, problems):
            found.append(
                {
                    "row": hit.train + 1,
                    "benchmark": settings.name,
                    "problem": hit.held_out + 1,
                    "share": round(hit.share, 3),
                    "train_question": train[hit.train].question[:SHOWN],
                    "held_out_question": problems[hit.held_out].question[:SHOWN],
                }
            )
    return found
