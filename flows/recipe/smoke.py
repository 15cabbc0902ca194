"""Profiles: a recipe at another size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from evals.config import EvalResources
from flows.planning.stage_files import naming
from flows.recipe.load import check, resolved
from flows.recipe.request import Profile
from flows.recipe.schema import (
    MODEL,
    CountdownStage,
    EvalStage,
    Gsm8kStage,
    KnightsKnavesStage,
    MathStage,
    Recipe,
    RlStage,
    SftStage,
    Stage,
)
from rl_core.config import BOX, Algorithm, Lora, Penalties, Resources, RlResources, Schedule, ScratchModel
from rl_core.data.contamination import PUZZLES
from rl_core.rewards.readers import Reader, answer_line, answer_tags, box_after_thinking
from rl_core.rewards.reward import reader, resolve

STAND_IN = Path(__file__).parents[1] / "stand_in"  # a data directory of a few made-up problems; written by infra/stand_in_data.py
BASE, TEXTS = "smoke_base", "smoke_texts"  # stages that the smoke profile adds
SMOKE_SUFFIX = "-smoke"  # of the experiment's name
SMOKE_MODEL = ScratchModel(hidden_size=64, intermediate_size=128, layers=2, heads=4, key_value_heads=2, vocabulary=1024, context=4096)
THREADS = 1  # matrices this small are not worth more
STEPS = 2
SFT_STEPS, SFT_BATCH, SFT_TOKENS = 30, 8, 2048
PROMPTS, GROUP, MINIBATCHES, PASSES, SAMPLES = 4, 4, 2, 2, 2
FROM_NOTHING: dict[str, Any] = {"optimizer": "muon", "learning_rate": Schedule(schedule="cosine", start=1e-2, end=1e-3, warmup=2)}
TRAIN, TEST, PROBLEMS = 16, 4, 2
LONGEST, SHORTEST = 192, 48  # tokens of a response
NGRAM = 8  # repeats within a response that short
# What a small model has to be taught to write for rewards that look for the answer in one place; others find a box.
ANSWER_FORMS: dict[Reader | None, str] = {
    answer_line: "Answer: {answer}",
    answer_tags: "<answer>{answer}</answer>",
    box_after_thinking: f"</think>\n{BOX}",
}
LINEAR_LAYERS = {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}  # of the small model


def apply_profile(recipe: Recipe, profile: Profile | None) -> Recipe:
    """The recipe in a profile; without one as it is."""
    return smoke(recipe) if profile == "smoke" else recipe


def data_directory(given: Path | None, profile: Profile | None) -> Path | None:
    """Where a run's local data is: the directory that was given; the smoke profile never asks a hub."""
    return STAND_IN if given is None and profile == "smoke" else given


def stand_ins(recipe: Recipe) -> list[str]:
    """The sets and benchmarks of a smoke recipe whose problems come from `STAND_IN`."""
    found: list[str] = []
    for stage in recipe.stages.values():
        if isinstance(stage, Gsm8kStage | MathStage):
            found.append(stage.dataset if isinstance(stage, MathStage) else stage.task)
        elif isinstance(stage, EvalStage):
            found += [benchmark.name for benchmark in stage.benchmarks if benchmark.name not in PUZZLES]
    return list(dict.fromkeys(found))


def smoke(recipe: Recipe) -> Recipe:
    """Every stage of a recipe in seconds on a CPU: does it hold together?

    Stages, algorithms, rewards, templates, penalties, adapters, critics and the form of schedules stay; numbers of steps, prompts and
    tokens shrink, response lengths in proportion. A model made from scratch stands in for a pretrained one, taught by an SFT stage put in
    front. Puzzles are generated; other problems come from the data directory, or from `STAND_IN` where none is given.
    """
    scale = LONGEST / max(_lengths(recipe), default=LONGEST)
    form = _answer_form(recipe)
    stages = {name: _answering(_shrunk(stage, min(scale, 1.0)), form) for name, stage in recipe.stages.items()}
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
        if isinstance(stage, RlStage):
            with naming(f"stages.{name}.reward"):
                read = reader(resolve(stage.reward))
            if read in ANSWER_FORMS:
                return ANSWER_FORMS[read]
    return BOX


def _answering(stage: Stage, answer_form: str) -> Stage:
    return stage.model_copy(update={"answer_form": answer_form}) if isinstance(stage, MathStage) else stage


def _lengths(recipe: Recipe) -> list[int]:
    trained = [stage.max_response_tokens for stage in recipe.stages.values() if isinstance(stage, RlStage)]
    return trained or [stage.max_tokens for stage in recipe.stages.values() if isinstance(stage, EvalStage)]


def _base(stages: dict[str, Stage]) -> dict[str, Stage]:
    """What makes the small model: its SFT stage, on the worked responses of the recipe's own problems."""
    added: dict[str, Stage] = {}
    data = [name for name, stage in stages.items() if stage.kind == "data"]
    if not data:
        data = [TEXTS]
        added[TEXTS] = _shrunk(KnightsKnavesStage(kind="data", people=[2]), 1.0)
    template = next((stage.template for stage in stages.values() if isinstance(stage, RlStage | SftStage | EvalStage)), "plain")
    added[BASE] = SftStage(
        kind="sft",
        data=data,
        template=template,
        steps=SFT_STEPS,
        batch_size=SFT_BATCH,
        max_tokens=SFT_TOKENS,
        **FROM_NOTHING,
        resources=Resources(threads=THREADS),
    )
    return added


def _from_nothing(stage: Stage) -> Stage:
    """Where a stage teaches a model with random weights, it has steps for one rate only."""
    return stage.model_copy(update=FROM_NOTHING) if isinstance(stage, SftStage) and stage.start == MODEL else stage


def _from_base(stage: Stage) -> Stage:
    """The stage with the small model wherever it takes the recipe's."""
    changes: dict[str, Any] = {}
    for role in ("start", "reference", "checkpoints"):
        value = getattr(stage, role, None)
        if value == MODEL:
            changes[role] = BASE
        elif isinstance(value, list):
            changes[role] = [BASE if name == MODEL else name for name in value]
    return stage.model_copy(update=changes)


def _shrunk(stage: Stage, scale: float) -> Stage:
    return stage.model_copy(update=_changes(stage, scale))


def _changes(stage: Stage, scale: float) -> dict[str, Any]:
    match stage:
        case KnightsKnavesStage():
            size = {"train": min(stage.train, TRAIN), "test": min(stage.test, TEST)}
            return {"source": "generate", "names": 8, "bare_answers": True} | size
        case CountdownStage():
            return {"source": "generate", "train": min(stage.train, TRAIN), "test": min(stage.test, TEST)}
        case Gsm8kStage():
            return {"train": _at_most(stage.train, TRAIN), "test": _at_most(stage.test, TEST)}
        case MathStage():
            return {"bare_answers": True, "train": _at_most(stage.train, TRAIN), "test": min(stage.test, TEST)}
        case SftStage():
            return {
                "steps": min(stage.steps, SFT_STEPS),
                "batch_size": min(stage.batch_size, SFT_BATCH),
                "max_tokens": SFT_TOKENS,  # the small tokenizer needs more of them
                "learning_rate": _schedule(stage.learning_rate),
                "resources": Resources(threads=THREADS),
            }
        case RlStage():
            return _rl_changes(stage, scale)
        case EvalStage():
            return {
                "benchmarks": [
                    benchmark.model_copy(
                        update={
                            "limit": _at_most(benchmark.limit, PROBLEMS),
                            "max_tokens": _tokens(benchmark.max_tokens, scale) if benchmark.max_tokens else None,
                            "samples": _at_most(benchmark.samples, SAMPLES) if benchmark.samples else None,
                        }
                    )
                    for benchmark in stage.benchmarks
                ],
                "samples": SAMPLES if stage.samples == "auto" else min(stage.samples, SAMPLES),
                "max_tokens": _tokens(stage.max_tokens, scale),
                "engine": "transformers",
                "resources": EvalResources(threads=THREADS),
            }
        case _:
            return {}


def _rl_changes(stage: RlStage, scale: float) -> dict[str, Any]:
    tokens = _tokens(stage.max_response_tokens, scale)
    return {
        "steps": STEPS,
        "epochs": None,
        "prompts_per_step": min(stage.prompts_per_step, PROMPTS),
        "group_size": min(stage.group_size, GROUP),
        "minibatches": min(stage.minibatches, MINIBATCHES),
        "updates_per_step": min(stage.updates_per_step, PASSES),
        "max_response_tokens": tokens,
        "max_prompt_tokens": None,  # the small tokenizer needs more of them
        "penalties": _penalties(stage.penalties, tokens / stage.max_response_tokens),
        "learning_rate": _schedule(stage.learning_rate),
        "temperature": _schedule(stage.temperature),
        "algorithm": _algorithm(stage.algorithm),
        "lora": _lora(stage.lora) if stage.lora else None,
        "engine": "transformers",
        "backend": "torch",
        "resources": RlResources(ray=False, threads=THREADS),
    }


def _algorithm(algorithm: Algorithm) -> Algorithm:
    schedules = {key: _schedule(getattr(algorithm, key)) for key in ("kl_coefficient", "value_learning_rate")}
    return algorithm.model_copy(update=schedules)


def _penalties(penalties: Penalties, scale: float) -> Penalties:
    changes: dict[str, Any] = {}
    if penalties.overlong:
        changes["overlong"] = penalties.overlong.model_copy(update={"buffer": max(1, round(penalties.overlong.buffer * scale))})
    if penalties.dense_repetition:
        ngram = min(penalties.dense_repetition.ngram, NGRAM)
        changes["dense_repetition"] = penalties.dense_repetition.model_copy(update={"ngram": ngram})
    return penalties.model_copy(update=changes)


def _lora(lora: Lora) -> Lora:
    known = [name for name in lora.targets or () if name in LINEAR_LAYERS]
    return lora.model_copy(update={"rank": min(lora.rank, 8), "targets": known or None})


def _schedule(schedule: Schedule) -> Schedule:
    return schedule.model_copy(update={"warmup": min(schedule.warmup, 1)})


def _tokens(tokens: int, scale: float) -> int:
    return max(min(tokens, SHORTEST), min(LONGEST, round(tokens * scale)))


def _at_most(number: int | None, most: int) -> int:
    return most if number is None else min(number, most)
