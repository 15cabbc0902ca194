"""Profiles: a recipe at another size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flows.recipe.load import check, resolved
from flows.recipe.request import Profile
from flows.recipe.schema import Recipe, Stage
from rl_core.config.data import BOX
from rl_core.config.model import ScratchModel
from rl_core.config.resources import Resources
from rl_core.config.schedules import Schedule
from rl_core.environments.registry import ENVIRONMENTS
from rl_core.errors import InputError, naming
from tasks.kind import MODEL
from tasks.kinds import KINDS, MODEL_KINDS
from tasks.kinds import data as data_kind
from tasks.kinds.sft import SMOKE_BATCH, SMOKE_STEPS, SMOKE_TOKENS, SftStage
from tasks.smoke import LONGEST, THREADS

STAND_IN = Path(__file__).parents[1] / data_kind.STAND_IN  # a few made-up problems; written by infra/stand_in_data.py
BASE, TEXTS = "smoke_base", "smoke_texts"  # stages that the smoke profile adds
SMOKE_SUFFIX = "-smoke"  # of the experiment's name
SMOKE_MODEL = ScratchModel(hidden_size=64, intermediate_size=128, layers=2, heads=4, key_value_heads=2, vocabulary=1024, context=4096)
FROM_NOTHING: dict[str, Any] = {"optimizer": "muon", "learning_rate": Schedule(schedule="cosine", start=1e-2, end=1e-3, warmup=2)}


def apply_profile(recipe: Recipe, profile: Profile | None) -> Recipe:
    """The recipe in a profile; without one as it is."""
    return smoke(recipe) if profile == "smoke" else recipe


def existing(data_dir: Path | None) -> Path | None:
    """The value of --data-dir as an absolute path; raises InputError where there is no such directory."""
    found = data_dir.expanduser().resolve() if data_dir else None
    if found and not found.is_dir():
        raise InputError(f"--data-dir {data_dir}: no such directory")
    return found


def data_directory(given: Path | None, profile: Profile | None) -> Path | None:
    """Where a run's local data is: the directory that was given; the smoke profile never asks a hub."""
    return STAND_IN if given is None and profile == "smoke" else given


def stand_ins(recipe: Recipe) -> list[str]:
    """The sets and benchmarks of a smoke recipe whose problems come from `STAND_IN`."""
    return list(dict.fromkeys(name for stage, settings in recipe.stages.items() for name in recipe.kind(stage).public_sets(settings)))


def smoke(recipe: Recipe) -> Recipe:
    """Every stage of a recipe in seconds on a CPU: does it hold together?

    Stages, algorithms, rewards, templates, penalties, adapters, critics and the form of schedules stay; numbers of steps, prompts and
    tokens shrink, response lengths in proportion. A pretrained model is replaced by one made from scratch, which an added SFT stage
    teaches first. Puzzles are generated; other problems come from the data directory, or from `STAND_IN` where none is given.
    """
    scale = LONGEST / max(_lengths(recipe), default=LONGEST)
    form = _answer_form(recipe)
    stages = {name: _shrunk(name, stage, min(scale, 1.0), form) for name, stage in recipe.stages.items()}
    if isinstance(recipe.model, ScratchModel):
        stages = {name: _from_nothing(stage) for name, stage in stages.items()}
    else:
        stages = {name: _from_base(stage) for name, stage in stages.items()}
        stages |= _base(stages)
    small = recipe.model_copy(update={"name": f"{recipe.name}{SMOKE_SUFFIX}", "model": SMOKE_MODEL, "stages": stages})
    return check(resolved(small))


def _answer_form(recipe: Recipe) -> str:
    """How to give an answer where the recipe's reward looks for it."""
    for name, stage in recipe.stages.items():
        if stage.kind in MODEL_KINDS:
            with naming(f"stages.{name}.reward"):
                form = MODEL_KINDS[stage.kind].answer_form(stage)
            if form:
                return form
    return BOX


def _lengths(recipe: Recipe) -> list[int]:
    """Of responses in training, else of those in evaluations."""
    lengths = [
        ("checkpoint" in kind.makes, tokens)
        for stage in recipe.stages.values()
        if (kind := MODEL_KINDS.get(stage.kind)) and (tokens := kind.response_tokens(stage))
    ]
    return [tokens for trained, tokens in lengths if trained] or [tokens for _, tokens in lengths]


def _base(stages: dict[str, Stage]) -> dict[str, Stage]:
    """What makes the small model: its SFT stage, on the worked responses of the recipe's own problems."""
    added: dict[str, Stage] = {}
    data = [name for name, stage in stages.items() if "prompts" in KINDS[stage.kind].makes]
    if not data:
        data = [TEXTS]
        task, settings = next((name, found.smoke_texts) for name, found in ENVIRONMENTS.items() if found.smoke_texts)
        texts = data_kind.STAGES[task].model_validate({"kind": data_kind.KIND.name} | settings)
        added[TEXTS] = _shrunk(TEXTS, texts, 1.0, BOX)
    template = next((stage.template for stage in stages.values() if hasattr(stage, "template")), "plain")
    added[BASE] = SftStage(
        kind="sft",
        data=data,
        template=template,
        steps=SMOKE_STEPS,
        batch_size=SMOKE_BATCH,
        max_tokens=SMOKE_TOKENS,
        **FROM_NOTHING,
        resources=Resources(threads=THREADS),
    )
    return added


def _from_nothing(stage: Stage) -> Stage:
    """Where a stage teaches a model with random weights, it has steps for one rate only."""
    roles = KINDS[stage.kind].roles
    begins = any(role.from_nothing and getattr(stage, name) == MODEL for name, role in roles.items())
    return stage.model_copy(update=FROM_NOTHING) if begins else stage


def _from_base(stage: Stage) -> Stage:
    """The stage with the small model wherever it takes the recipe's."""
    changes: dict[str, Any] = {}
    for name, role in KINDS[stage.kind].roles.items():
        value = getattr(stage, name)
        if role.model and value == MODEL:
            changes[name] = BASE
        elif role.model and isinstance(value, list):
            changes[name] = [BASE if other == MODEL else other for other in value]
    return stage.model_copy(update=changes)


def _shrunk(name: str, stage: Stage, scale: float, answer_form: str) -> Stage:
    with naming(f"stages.{name}"):
        return stage.model_copy(update=KINDS[stage.kind].smoke(stage, scale, answer_form))
