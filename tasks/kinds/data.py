"""Data stage: prompt sets as Parquet, made in this process, without what the recipe's benchmarks hold out."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, create_model

from evals.config import BenchmarkSettings
from rl_core.config.base import Settings
from rl_core.config.data import TrainingData
from rl_core.config.own_files import code_within
from rl_core.data.splits import HELD_OUT_SEED
from rl_core.environments.registry import ENVIRONMENTS, environment_of, made_to_order, read_settings
from rl_core.errors import naming
from rl_core.files import write_json
from rl_core.own_code.sources import CODE, sources, write
from tasks.kind import Kind, Work
from tasks.smoke import at_most
from tasks.stage.spec import StageSpec, read_manifest

if TYPE_CHECKING:
    from rl_core.data.prompts import Prompt

OVERLAP = "overlap.json"
SHOWN = 200  # characters of a problem in the list of those that are held out
STAND_IN = "stand_in"  # the data directory of made-up problems that ships with flows
TRAIN, TEST = 16, 4  # prompts of a smoke run


def _stage_class(settings: type[TrainingData]) -> type[TrainingData]:
    """The settings of a family of problems as those of a stage."""
    kind: Any = (Literal["data"], Field(description="The kind of stage."))
    return create_model(f"{settings.__name__}Stage", __base__=settings, __doc__=settings.__doc__, __module__=__name__, kind=kind)


STAGES = {name: _stage_class(found.settings) for name, found in ENVIRONMENTS.items() if found.settings}
if TYPE_CHECKING:
    DataStage = TrainingData
else:
    DataStage = Annotated[reduce(operator.or_, STAGES.values()), Field(discriminator="task")]


class Data(Kind[Any]):
    """Training and held-out prompts."""

    name = "data"
    version = 3
    settings = DataStage
    makes = frozenset({"prompts"})
    first = True
    avoids_held_out = True

    def settings_class(self, written: Mapping[str, Any]) -> type[Settings]:
        """By the task; of an unknown one, that of the family that a small model learns from."""
        known = next(name for name, found in ENVIRONMENTS.items() if found.smoke_texts)
        return STAGES.get(str(written.get("task")), STAGES[known])

    def implied(self, written: Mapping[str, Any]) -> dict[str, Any]:
        """The task, where other settings tell it."""
        found = next((name for name, environment in ENVIRONMENTS.items() if environment.is_meant(written)), None)
        return {"task": found} if found and "task" not in written else {}

    def check_names(self, stage: TrainingData, where: str) -> None:
        """A public set, where the family has some."""
        with naming(where):
            environment_of(stage.task).check(stage)

    def files(self, stage: TrainingData, where: str, data_dir: Path | None) -> list[Path]:
        """Of the data directory."""
        with naming(where):
            return environment_of(stage.task).inputs(stage, data_dir)

    def code(self, stage: TrainingData, where: str) -> dict[str, dict[str, str]]:
        """An environment of a user's own that is its verifier."""
        with naming(f"{where}.verifier"):
            found = sources(environment_of(stage.task).own_code(stage), "class")
        return {"verifier": found} if found else {}

    def identity(self, stage: TrainingData, seed: int) -> dict[str, Any]:
        """Once held-out problems followed the seed of the run. What was made so is another measurement; under one seed nothing changed."""
        drawn = environment_of(stage.task).draws_held_out(stage)
        return {"held_out": "the same for every seed"} if drawn and seed != HELD_OUT_SEED else {}

    def why_again(self, spec: StageSpec) -> tuple[str, bool] | None:
        """A benchmark that is new in the recipe may share problems with it."""
        from rl_core.data.prompts import read_prompts

        result = (read_manifest(spec.directory) or {"result": {}})["result"]
        new = [entry for entry in spec.held_out if _shown(entry) not in result.get("checked", [])]
        if not new or spec.settings.get("contaminated") == "keep":
            return None
        if spec.data_dir is None and any(not made_to_order(entry["name"]) for entry in new):
            return f"not checked against {_shown(new[0])} yet", True  # a plan does not ask the hub
        hits = overlap(read_prompts(spec.directory / "train.parquet"), new, spec)
        return (f"holds {len(hits):,} problems of {hits[0]['benchmark']}", True) if hits else None

    def prompts(self, stage: TrainingData) -> int:
        """Training prompts, from the settings alone."""
        return environment_of(stage.task).training_rows(stage)

    def public_sets(self, stage: TrainingData) -> list[str]:
        """The set that it is made of."""
        environment = environment_of(stage.task)
        return [environment.set_name(stage)] if environment.public else []

    def smoke(self, stage: Any, scale: float, answer_form: str) -> dict[str, Any]:
        """A few problems; generated ones where they can be."""
        sizes = {"train": at_most(stage.train, TRAIN), "test": at_most(stage.test, TEST)}
        return environment_of(stage.task).smoke(answer_form) | sizes

    def run(self, spec: StageSpec, work: Work) -> dict[str, Any]:
        """Write `train.parquet` and `test.parquet`; returns counts and where the problems came from.

        Training problems that a benchmark holds out are listed in `overlap.json`, and left out where the settings do not say otherwise.

        Raises:
            DataError: there are such problems and the settings refuse them, or nothing is left.
        """
        from rl_core.data.prepare import prepare
        from rl_core.data.prompts import DataError, read_prompts, write_prompts

        copy = spec.directory / CODE
        write(spec.code, copy)
        config = read_settings(spec.settings | ({"verifier": code_within(spec.settings["verifier"], copy)} if spec.code else {}))
        result = prepare(config, spec.directory, data_dir=spec.data_dir, seed=spec.seed)
        path = spec.directory / "train.parquet"
        train = read_prompts(path)
        hits = overlap(train, spec.held_out, spec)
        write_json(spec.directory / OVERLAP, hits)
        places = {hit["row"] - 1 for hit in hits}
        found = {name: sum(hit["benchmark"] == name for hit in hits) for name in dict.fromkeys(hit["benchmark"] for hit in hits)}
        result |= {"checked": sorted(map(_shown, spec.held_out)), "contaminated": found}
        if not hits or config.contaminated == "keep":
            return result
        if config.contaminated == "refuse":
            told = ", ".join(f"{count:,} of {name}" for name, count in found.items())
            raise DataError(
                f"stage {spec.stage}: the training set holds problems of its benchmarks: {told}; set contaminated: drop, or keep"
            )
        kept = [prompt for place, prompt in enumerate(train) if place not in places]
        if not kept:
            raise DataError(f"stage {spec.stage}: every training problem is in a benchmark that the recipe evaluates; train on another set")
        write_prompts(path, kept)
        return result | {"train": len(kept), "dropped_contaminated": len(places)}

    def note(self, spec: StageSpec, manifest: Mapping[str, Any]) -> str:
        """Prompts, where they come from, and what was left out."""
        result = manifest["result"]
        made_up = spec.data_dir is not None and spec.data_dir.name == STAND_IN and result["source"] == "files"
        source = "made up" if made_up else result["source"]
        dropped = f", {result['dropped_rows']:,} rows left out" if result.get("dropped_rows") else ""
        there = ", ".join(f"{count:,} in {name}" for name, count in result.get("contaminated", {}).items())
        shared = f"; also held out: {there}, {'dropped' if 'dropped_contaminated' in result else 'kept'}" if there else ""
        by_text = f"; golds that cannot be read: {result['golds_by_text']:,}, compared as texts" if result.get("golds_by_text") else ""
        other = result.get("contradicting_rows", 0)
        contradicting = f"; rows that contradict an earlier answer to the same problem: {other:,}, left out" if other else ""
        filtered = f"; rows that `where` leaves out: {result['filtered_rows']:,}" if result.get("filtered_rows") else ""
        bad = f"; rows that cannot be used: {result['bad_rows']:,}, left out" if result.get("bad_rows") else ""
        commits = f"; read: {', '.join(result['commits'])}" if result.get("commits") else ""
        prompts = f"{result['train']:,} training and {result['test']:,} held-out prompts"
        return f"{prompts} ({source}{dropped}){shared}{by_text}{contradicting}{filtered}{bad}{commits}"


def _shown(entry: dict[str, Any]) -> str:
    """A held-out benchmark as tables call it."""
    return BenchmarkSettings.model_validate(entry).shown


def overlap(train: list[Prompt], benchmarks: Sequence[dict[str, Any]], spec: StageSpec) -> list[dict[str, Any]]:
    """Training problems that benchmarks hold out: row, benchmark, how much of it is shared, and both problems."""
    from evals.benchmarks import registry
    from rl_core.data.contamination import find_hits

    tasks = {prompt.task for prompt in train}
    found = []
    for entry in benchmarks:
        settings = BenchmarkSettings.model_validate(entry)
        if settings.name not in tasks and (made_to_order(settings.name) or all(map(made_to_order, tasks))):
            continue  # a puzzle is no problem of mathematics
        problems = registry.load(settings, spec.data_dir)
        for hit in find_hits(train, problems):
            found.append(
                {
                    "row": hit.train + 1,
                    "benchmark": settings.shown,
                    "problem": hit.held_out + 1,
                    "share": round(hit.share, 3),
                    "train_question": train[hit.train].question[:SHOWN],
                    "held_out_question": problems[hit.held_out].question[:SHOWN],
                }
            )
    return found


KIND = Data()
