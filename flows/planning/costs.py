"""Time and memory of training and sampling, from the shape of a model, the settings of a stage and the data sheet of a device.

What a step takes follows from two limits: products per second (training, and large batches of responses) and bytes per second (the weights
and the cache are read for every token). What decides beside them is not known before a run: how long responses get, and which share of both
limits is reached. The constants below are middles of what is published; `SPREAD` says how far off a time may be in either direction.
tests/flows/planning/test_costs.py holds published times of three projects, and those of the quickstart, against it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from flows.planning.machine import Machine
from flows.planning.models import Model
from flows.recipe.schema import EvalStage, RlStage, SftStage
from rl_core.config import HEAD_BYTES, TOKENS_PER_BATCH_CPU, TOKENS_PER_BATCH_GPU
from rl_core.devices import GIB

SPREAD = 2.5
LENGTH = 0.3  # mean length of a response, of the longest that is allowed
PROMPT = 200  # tokens
USABLE = 0.5  # of the prompts of dynamic sampling
TRAINING_SHARE = 0.3  # of a GPU's products per second
PRODUCT_SHARE, BANDWIDTH_SHARE = 0.5, 0.4  # while sampling
TOKEN_OVERHEAD = 5e-3  # seconds beside both limits until all responses in work have their next token: vLLM on a GPU
LAYER_OVERHEAD = 1e-3  # the same of each layer, of the engine in Python
# Responses in work at once by vLLM's defaults for offline use; the larger for GPUs of 70 GB and more that are newer than an A100.
VLLM_SEQUENCES, VLLM_SEQUENCES_LARGE = 256, 1024
START_CPU, START_GPU = 10.0, 120.0  # seconds until models are loaded and, on GPUs, graphs are recorded

BYTES_MASTER = 16  # per trained parameter: weights, gradients and two moments of Adam, in float32
BYTES_HALF = 2
BYTES_FULL = 4
LOGIT_COPIES = 3.9  # float32 copies that the output head makes of the logits in work
# Of an MLP's inner values, how many are kept for the backward pass; on GPUs torch's compiler makes one of them again.
MLP_COPIES_CPU, MLP_COPIES_GPU = 4, 3
CONTEXT_GPU = 2e9  # bytes of CUDA, NCCL and what is not returned
PROCESS = 0.7e9  # an interpreter with torch and a small model, as measured
SCORER = 0.3e9  # an interpreter that verifies answers
RAY = 1.2e9  # a local cluster and the interpreters of its other actors


@dataclass(frozen=True)
class Memory:
    """Bytes. `states` stay while the engine samples; a trainer needs `states` and `working`."""

    states: float = 0.0
    working: float = 0.0
    engine: float = 0.0  # the least with which the engine can work


def gpus_of(stage: SftStage | RlStage | EvalStage) -> int:
    """How many GPUs a stage takes up where there are any."""
    if isinstance(stage, EvalStage):
        return 0 if stage.engine == "openai" else stage.resources.tensor_parallel
    if isinstance(stage, SftStage):
        return 1
    resources = stage.resources
    engines = resources.rollout_workers * resources.tensor_parallel
    return resources.training_workers + engines if resources.placement == "separate" else max(resources.training_workers, engines)


def sft_seconds(stage: SftStage, model: Model, machine: Machine, tokens: float) -> float | None:
    """Of a stage that trains on so many tokens; one process."""
    if machine.flops is None:
        return None
    # float32 products: half of bfloat16's.
    rate = machine.flops * (1.0 if machine.gpus == 0 else TRAINING_SHARE / 2)
    return _start(machine) + 3 * _forward(model, tokens, stage.max_tokens / 2) / rate


def rl_step_seconds(stage: RlStage, model: Model, machine: Machine) -> float | None:
    """Of one step with as many devices as the stage asks for, sampling and training one after another."""
    if machine.flops is None or machine.bandwidth is None:
        return None
    responses = stage.prompts_per_step * stage.group_size
    limit = stage.max_response_tokens
    sampled = responses / USABLE if stage.algorithm.max_refills else responses
    width = stage.resources.tensor_parallel if machine.gpus else 1
    engines = stage.resources.rollout_workers if machine.gpus else 1  # on a CPU all share its cores
    sampling = sampling_seconds(model, machine, sampled / engines, limit, devices=width, vllm=stage.engine == "vllm")
    tokens = responses * (PROMPT + LENGTH * limit)
    once = _forward(model, tokens, PROMPT + LENGTH * limit / 2)
    several = stage.updates_per_step * stage.minibatches > 1
    passes = stage.updates_per_step * ((3 if stage.lora is None else 2) + stage.resources.gradient_checkpointing)
    passes += several + stage.algorithm.uses_reference
    if stage.algorithm.advantage == "gae":
        passes += stage.updates_per_step * (3 + stage.resources.gradient_checkpointing) + 1
    workers = stage.resources.training_workers if machine.gpus else 1
    training = passes * once / (machine.flops * workers * (TRAINING_SHARE if machine.gpus else 1.0))
    return max(sampling, training) if stage.asynchronous and stage.resources.placement == "separate" else sampling + training


def rl_seconds(stage: RlStage, model: Model, machine: Machine, steps: int) -> float | None:
    """Of all steps of a stage and its start."""
    step = rl_step_seconds(stage, model, machine)
    return None if step is None else _start(machine) + steps * step


def eval_seconds(stage: EvalStage, model: Model, machine: Machine, responses: dict[int, float]) -> float | None:
    """Of one checkpoint's responses, numbered by their longest length."""
    if machine.flops is None or machine.bandwidth is None or stage.engine == "openai":
        return None
    devices, vllm = (stage.resources.tensor_parallel if machine.gpus else 1), stage.engine == "vllm"
    parts = [sampling_seconds(model, machine, count, limit, devices=devices, vllm=vllm) for limit, count in responses.items() if count]
    return _start(machine) + sum(parts)


def sampling_seconds(model: Model, machine: Machine, responses: float, limit: int, *, devices: int, vllm: bool) -> float:
    """Of so many responses of one engine: first of many at once, then of the few that go on to the limit."""
    assert machine.flops is not None
    assert machine.bandwidth is not None
    flops, bandwidth = machine.flops * devices, machine.bandwidth * devices
    mean = LENGTH * limit
    weights = (BYTES_HALF if machine.gpus else BYTES_FULL) * model.products
    cached = (BYTES_HALF if machine.gpus else BYTES_FULL) * model.cache_width * (PROMPT + mean / 2)
    on_cpu = machine.gpus == 0
    large = machine.gpu_memory and machine.gpu_memory >= 70 * GIB and machine.device and not machine.device.name.startswith("a100")
    at_once = min(responses, VLLM_SEQUENCES_LARGE if vllm and large else VLLM_SEQUENCES)
    if machine.gpu_memory:
        at_once = max(1.0, min(at_once, (0.6 * machine.gpu_memory * devices - weights) / cached))
    overhead = TOKEN_OVERHEAD if vllm and not on_cpu else LAYER_OVERHEAD * model.layers

    def token(count: float) -> float:
        moved = (weights + count * cached) / (bandwidth * (1.0 if on_cpu else BANDWIDTH_SHARE))
        products = _forward(model, count, PROMPT + mean / 2) / (flops * (1.0 if on_cpu else PRODUCT_SHARE))
        return overhead + max(moved, products)

    prompts = _forward(model, responses * PROMPT, PROMPT / 2) / (flops * (1.0 if on_cpu else PRODUCT_SHARE))
    return prompts + responses * mean / at_once * token(at_once) + (limit - mean) * token(1)


def _forward(model: Model, tokens: float, context: float) -> float:
    """Products and sums of a forward pass (PaLM, arXiv 2204.02311, appendix B)."""
    return tokens * (2.0 * model.products + 4.0 * model.layers * model.attention * context)


def _start(machine: Machine) -> float:
    return START_GPU if machine.gpus else START_CPU


def rl_memory(stage: RlStage, model: Model, *, gpus: bool) -> Memory:
    """Of one training process and of one device of an engine."""
    states = state_bytes(stage) * model.parameters
    longest = PROMPT + stage.max_response_tokens
    share = math.ceil(stage.prompts_per_step / stage.minibatches / stage.resources.training_workers) * stage.group_size
    tokens = _batch(stage, share, longest, gpus)
    scored = tokens * stage.max_response_tokens / longest  # the head runs on responses only
    working = _working(model, tokens, scored, checkpointing=stage.resources.gradient_checkpointing, gpus=gpus)
    width = BYTES_HALF if gpus else BYTES_FULL
    one = width * model.cache_width * longest
    if stage.engine == "vllm":
        engine = (width * model.parameters + one) / stage.resources.tensor_parallel
    else:
        responses = stage.prompts_per_step * stage.group_size
        engine = width * model.parameters + width * model.cache_width * min(responses * longest, max(65536, longest))
    return Memory(states, working, engine)


def sft_memory(stage: SftStage, model: Model, *, gpus: bool) -> Memory:
    """Of the one process that trains."""
    tokens = _batch(stage, stage.batch_size, stage.max_tokens, gpus)
    return Memory(BYTES_MASTER * model.parameters, _working(model, tokens, tokens, checkpointing=False, gpus=gpus))


def eval_memory(stage: EvalStage, model: Model, *, gpus: bool) -> Memory:
    """Of one device of the engine."""
    width = BYTES_HALF if gpus else BYTES_FULL
    if stage.engine == "vllm":
        cache = width * model.cache_width * (PROMPT + stage.max_tokens)
        return Memory(engine=(width * model.parameters + cache) / stage.resources.tensor_parallel)
    return Memory(engine=width * model.parameters + width * stage.batch_tokens * model.cache_width)


def state_bytes(stage: RlStage) -> float:
    """Per parameter of the model, in the memory of one device that trains: policy, critic and reference."""
    workers = stage.resources.training_workers
    shared = {1: 8, 2: 12, 3: 16}[stage.resources.zero_stage] if stage.backend == "deepspeed" else 0  # moments, gradients, weights
    trained = BYTES_MASTER - shared + shared / workers
    if stage.resources.offload != "none":
        trained -= 12 / workers if shared >= 12 else 8 / workers  # moments, and the gradients that go with them
    if stage.resources.offload == "all":
        trained = 0.0
    policy = BYTES_HALF if stage.lora else trained  # adapters are a hundredth of it
    critic = trained if stage.algorithm.advantage == "gae" else 0.0
    # Without its adapters the policy is the reference, unless the recipe names another.
    apart = stage.algorithm.uses_reference and (stage.lora is None or stage.reference not in (None, stage.start))
    reference = BYTES_HALF / (workers if shared == BYTES_MASTER else 1) if apart else 0.0
    return policy + critic + reference


def _batch(stage: SftStage | RlStage, sequences: int, longest: int, gpus: bool) -> int:
    """Tokens of one forward and backward pass: no more than an update has, no less than one sequence."""
    most = stage.resources.tokens_per_batch or (TOKENS_PER_BATCH_GPU if gpus else TOKENS_PER_BATCH_CPU)
    return max(longest, min(most, sequences * longest))


def _working(model: Model, tokens: int, scored: float, *, checkpointing: bool, gpus: bool) -> float:
    """Activations of one forward and backward pass over so many tokens, attention without its matrix, and logits of those scored."""
    width = BYTES_HALF if gpus else BYTES_FULL
    inner = (MLP_COPIES_GPU if gpus else MLP_COPIES_CPU) * model.intermediate
    layer = width * tokens * (6 * model.width + 2 * model.attention + 2 * model.key_value + inner)
    kept = width * tokens * model.width * model.layers + layer if checkpointing else layer * model.layers
    return kept + LOGIT_COPIES * min(HEAD_BYTES, BYTES_FULL * scored * model.vocabulary)
