"""What a stage will cost: tokens, time, memory and disk, from its settings and from what earlier stages of its kind measured.

Orders of magnitude for a decision before the start. `basis` says where the time comes from; where nothing is known it is left open.
"""

from __future__ import annotations

import math
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evals.config import MOST_SAMPLES
from flows.recipe import CountdownStage, EvalStage, Gsm8kStage, KnightsKnavesStage, MathStage, Recipe, RlStage, SftStage
from rl_core.config import TOKENS_PER_BATCH_CPU, TOKENS_PER_BATCH_GPU, ScratchModel
from rl_core.data.math_sets import size_of_set
from tasks.stage import MANIFEST, SPEC, StageSpec
from tasks.workspace import Workspace, read_json

# Rows of the public data sets.
GSM8K_TRAIN = 7473

BYTES_TRAINING = 16  # per parameter: weights, gradients and two moments of Adam in float32
BYTES_FROZEN = 2  # bfloat16
BYTES_ROLLOUT = 4  # a second copy of the weights
BYTES_CHECKPOINT = 12  # weights and moments
PROCESS = 0.5e9  # an interpreter with torch
RAY = 1.2e9  # a local cluster and the interpreters of its other actors
START = 10.0  # seconds until a process has imported torch and loaded its model
FLOPS_PER_CORE = 6e10  # sustained by torch in float32 on one CPU core, small matrices


@dataclass(frozen=True)
class Model:
    """As much of an architecture as costs depend on."""

    parameters: float
    vocabulary: int
    cache_width: int  # numbers kept per token while generating: layers x 2 x key-value heads x head size


@dataclass(frozen=True)
class Estimate:
    """Costs of a stage; None where nothing is known."""

    tokens: int | None = None  # at most
    seconds: float | None = None
    memory: float | None = None  # bytes, of one device where a stage asks for several
    disk: float = 0  # bytes
    basis: str = ""


def estimates(recipe: Recipe, specs: dict[str, StageSpec], workspace: Workspace) -> dict[str, Estimate]:
    """Costs of every stage."""
    model = describe_model(recipe.model)
    past = list(_past(workspace))
    return {name: _estimate(recipe, name, specs[name], model, past) for name in specs}


def describe_model(model: str | ScratchModel) -> Model | None:
    """From the recipe, a directory's config.json, or the size that a hub id names."""
    if isinstance(model, ScratchModel):
        return _decoder(model.model_dump() | {"num_hidden_layers": model.layers})
    config = read_json(Path(model) / "config.json")
    if config:
        names = {"layers": "num_hidden_layers", "heads": "num_attention_heads", "key_value_heads": "num_key_value_heads"}
        try:
            return _decoder(config | {short: config[long] for short, long in names.items()} | {"vocabulary": config["vocab_size"]})
        except (KeyError, TypeError):
            return None
    size = re.search(r"(\d+(?:\.\d+)?)([mMbB])\b", model)
    if not size:
        return None
    parameters = float(size[1]) * (1e9 if size[2] in "bB" else 1e6)
    # Width and depth that models of this size have: parameters = 12 x layers x width^2, width = 128 x layers.
    layers = (parameters / (12 * 128**2)) ** (1 / 3)
    return Model(parameters, 150_000, round(layers * 2 * 128 * layers / 4))


def _decoder(config: dict[str, Any]) -> Model:
    width, layers = config["hidden_size"], config["layers"]
    head = config.get("head_dim") or width // config["heads"]
    attention = width * head * (2 * config["heads"] + 2 * config["key_value_heads"])
    embeddings = config["vocabulary"] * width * (1 if config.get("tie_word_embeddings", True) else 2)
    parameters = layers * (attention + 3 * width * config["intermediate_size"]) + embeddings
    return Model(parameters, config["vocabulary"], layers * 2 * config["key_value_heads"] * head)


def rows_of(recipe: Recipe, stage: str) -> int:
    """Training prompts of a data stage."""
    data = recipe.stages[stage]
    if isinstance(data, KnightsKnavesStage):
        return data.train * len(data.people)
    if isinstance(data, CountdownStage):
        return data.train * len(data.numbers)
    if isinstance(data, MathStage):
        there = size_of_set(data.dataset, data.levels) - data.test
        return min(data.train or there, there)
    return min(data.train or GSM8K_TRAIN, GSM8K_TRAIN) if isinstance(data, Gsm8kStage) else 0


def steps_of(recipe: Recipe, stage: SftStage | RlStage) -> int:
    """Optimizer steps of a training stage."""
    if stage.steps is not None:
        return stage.steps
    assert isinstance(stage, RlStage)
    prompts = sum(rows_of(recipe, name) for name in stage.data)
    return math.ceil((stage.epochs or 0) * prompts / stage.prompts_per_step)


def token_budget(recipe: Recipe, name: str) -> int | None:
    """The most tokens that a stage can see or write; None for stages that count none."""
    stage = recipe.stages[name]
    if isinstance(stage, SftStage):
        return stage.steps * stage.batch_size * stage.max_tokens
    if isinstance(stage, RlStage):
        return steps_of(recipe, stage) * stage.prompts_per_step * stage.group_size * stage.max_response_tokens
    if isinstance(stage, EvalStage):
        return len(stage.checkpoints) * _evaluated_tokens(stage)
    return None


def _evaluated_tokens(stage: EvalStage) -> int:
    from evals.benchmarks import registry

    tokens = 0
    for benchmark in stage.benchmarks:
        problems = registry.size(benchmark)
        samples = benchmark.samples or (MOST_SAMPLES if stage.samples == "auto" else stage.samples)
        tokens += problems * (int(stage.greedy) + samples) * (benchmark.max_tokens or stage.max_tokens)
    return tokens


def _estimate(recipe: Recipe, name: str, spec: StageSpec, model: Model | None, past: list[dict[str, Any]]) -> Estimate:
    stage = recipe.stages[name]
    tokens = token_budget(recipe, name)
    similar = next((entry for entry in past if entry["experiment"] == recipe.name and entry["stage"] == name), None) or next(
        (entry for entry in past if entry["kind"] == spec.kind), None
    )
    if tokens is None or not isinstance(stage, SftStage | RlStage | EvalStage):
        seconds = similar["seconds"] if similar else None
        return Estimate(seconds=seconds, basis=_basis(similar))
    disk = _disk(recipe, stage, model, tokens)
    memory = _memory(stage, model)
    if similar and similar["tokens"]:
        # How much of the budget was used then, and how fast.
        used = similar["tokens"] / similar["budget"] if similar["budget"] else 1
        seconds = tokens * used * similar["seconds"] / similar["tokens"]
        return Estimate(tokens, seconds, max(memory or 0, similar["memory"] or 0) or None, disk, _basis(similar))
    seconds = _seconds_on_cpu(stage, model, tokens)
    return Estimate(tokens, seconds, memory, disk, "from the model's size, at most" if seconds else "no stage like it was measured here")


def _basis(similar: dict[str, Any] | None) -> str:
    return f"measured: {similar['experiment']}/{similar['stage']}" if similar else ""


def _seconds_on_cpu(stage: SftStage | RlStage | EvalStage, model: Model | None, tokens: int) -> float | None:
    if model is None or shutil.which("nvidia-smi"):
        return None  # accelerators differ too much
    flops_per_token = {"sft": 6, "rl": 2 + 2 + 6, "eval": 2}[stage.kind] * model.parameters
    return START + tokens * flops_per_token / (FLOPS_PER_CORE * (os.cpu_count() or 1))


def _memory(stage: SftStage | RlStage | EvalStage, model: Model | None) -> float | None:
    """Of a process that trains and the engine that shares its device; of the larger of them where each has its own."""
    if model is None:
        return None
    if isinstance(stage, EvalStage):
        return PROCESS + 4 * model.parameters + 4 * stage.batch_tokens * model.cache_width
    tokens = stage.resources.tokens_per_batch or (TOKENS_PER_BATCH_GPU if shutil.which("nvidia-smi") else TOKENS_PER_BATCH_CPU)
    logits = 3 * 4 * tokens * model.vocabulary  # logits, their log-softmax, their gradient
    if isinstance(stage, SftStage):
        return PROCESS + BYTES_TRAINING * model.parameters + logits
    training = PROCESS + _training_bytes(stage) * model.parameters + logits
    engine = _engine_bytes(stage, model) + (RAY if stage.resources.ray else 0)
    return max(training, engine) if stage.resources.placement == "separate" else training + engine


def _training_bytes(stage: RlStage) -> float:
    """Per parameter of the model, in one of the processes that train: policy, critic and reference."""
    shared = (
        {1: 8, 2: 12, 3: 16}[stage.resources.zero_stage] if stage.backend == "deepspeed" else 0
    )  # moments, then gradients, then weights
    trained = BYTES_TRAINING - shared + shared / stage.resources.training_workers
    policy = BYTES_FROZEN if stage.lora else trained  # adapters are a hundredth of it
    critic = trained if stage.algorithm.advantage == "gae" else 0.0
    # Without its adapters the policy is the reference, unless the recipe names another.
    apart = stage.algorithm.uses_reference and (stage.lora is None or stage.reference not in (None, stage.start))
    reference = BYTES_FROZEN / (stage.resources.training_workers if shared == BYTES_TRAINING else 1) if apart else 0.0
    return policy + critic + reference


def _engine_bytes(stage: RlStage, model: Model) -> float:
    """Of the engine on one device. vLLM's cache is as large as `engine_memory` lets it be: not counted."""
    if stage.engine == "vllm":
        return BYTES_FROZEN * model.parameters / stage.resources.tensor_parallel
    responses = stage.prompts_per_step * stage.group_size * stage.max_response_tokens
    return BYTES_ROLLOUT * model.parameters + 4 * min(responses, 65536) * model.cache_width


def _disk(recipe: Recipe, stage: SftStage | RlStage | EvalStage, model: Model | None, tokens: int) -> float:
    parameters = model.parameters if model else 0
    text = 4.0 * tokens  # bytes of a token, before compression
    if isinstance(stage, EvalStage):
        return text
    if isinstance(stage, SftStage):
        return BYTES_CHECKPOINT * parameters * 2
    kept = stage.keep_last + 1 + (stage.keep_best is not None)
    models = (BYTES_FROZEN if stage.lora else BYTES_CHECKPOINT) + BYTES_CHECKPOINT * (stage.algorithm.advantage == "gae")
    return models * parameters * kept + text


def _past(workspace: Workspace) -> Iterator[dict[str, Any]]:
    """What finished stages of the workspace took, the newest first."""
    manifests = sorted(workspace.root.glob(f"*/*/{MANIFEST}"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in manifests:
        manifest, spec = read_json(path), read_json(path.parent / SPEC)
        if not manifest or not spec:
            continue
        result = manifest["result"]
        yield {
            "experiment": manifest["experiment"],
            "stage": manifest["stage"],
            "kind": manifest["kind"],
            "seconds": manifest["seconds"],
            "tokens": result.get("tokens"),
            "memory": result.get("peak_memory_bytes"),
            "budget": spec["token_budget"],
        }


def derived(recipe: Recipe) -> dict[str, str]:
    """What follows from the settings of RL stages and is not written in them."""
    found = {}
    for name, stage in recipe.stages.items():
        if isinstance(stage, RlStage):
            steps, prompts = steps_of(recipe, stage), sum(rows_of(recipe, other) for other in stage.data)
            passes = steps * stage.prompts_per_step / prompts
            size = f"{stage.prompts_per_step} x {stage.group_size}"
            found[name] = f"{steps} steps of {size} responses, {passes:.2f} passes over {prompts} prompts"
    return found
