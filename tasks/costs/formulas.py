"""Time and memory of training and sampling, from the shape of a model, the settings of a stage and the data sheet of a device.

What a step takes follows from two limits: products per second (training, and large batches of responses) and bytes per second (the weights
and the cache are read for every token). What decides beside them is not known before a run: how long responses get, and which share of both
limits is reached. The constants below are middles of what is published; `SPREAD` says how far off a time may be in either direction.
tests/tasks/costs/test_formulas.py holds published times of three projects, and those of the quickstart, against it.
"""

from dataclasses import dataclass
from typing import Any

from evals.engines import ENGINES
from rl_core.config.resources import HEAD_BYTES, TOKENS_PER_BATCH_CPU, TOKENS_PER_BATCH_GPU, Resources
from rl_core.devices import GIB
from rl_core.rollout.engines import DEFAULT
from tasks.costs.machine import Machine
from tasks.costs.models import Model

SPREAD = 2.5
LENGTH = 0.3  # mean length of a response, of the longest that is allowed
PROMPT = 200  # tokens
USABLE = 0.5  # of the prompts of dynamic sampling
TRAINING_SHARE = 0.3  # of a GPU's products per second
PRODUCT_SHARE, BANDWIDTH_SHARE = 0.5, 0.4  # while sampling
START_CPU, START_GPU = 10.0, 120.0  # seconds until models are loaded and, on GPUs, graphs are recorded

BYTES_MASTER = 16  # per trained parameter: weights, gradients and two moments of Adam, in float32
BYTES_HALF = 2
BYTES_FULL = 4
BYTES_CHECKPOINT = 12  # per parameter: weights and moments
BYTES_TOKEN = 4.0  # of stored text, before compression
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


Changes = list[tuple[str, Any]]  # path in the settings of a stage, and value


def lighter_engine(stage: Any, machine: Machine) -> list[Changes]:
    """Changes of `engine` and its share of memory with which a stage asks for less, the largest share first: more cache is faster."""
    engine = ENGINES[stage.engine]
    shares = [share / 10 for share in range(9, 1, -1) if share / 10 != stage.resources.engine_memory]
    found: list[Changes] = [[("resources.engine_memory", share)] for share in shares] if engine.takes_share and machine.gpus else []
    without = engine.package and machine.packages is not None and engine.package not in machine.packages
    return found + ([[("engine", DEFAULT)]] if without else [])


def engine_bytes(stage: Any, model: Model, longest: int, batch: int, *, gpus: bool) -> float:
    """Of one device of an engine, at the least: weights, and the cache of one response; without a share of the GPU, of all in work.

    Args:
        longest: tokens of a prompt and its response.
        batch: tokens that are in work at the same time.
    """
    engine = ENGINES[stage.engine]
    held = model.parameters + model.cache_width * (longest if engine.takes_share else batch)
    return (BYTES_HALF if gpus else BYTES_FULL) * held / (stage.resources.tensor_parallel if engine.spans_devices else 1)


def lighter_passes(machine: Machine) -> list[Changes]:
    """Smaller forward and backward passes, on GPUs."""
    return [[("resources.tokens_per_batch", 4096)]] if machine.gpus else []


def sampling_seconds(model: Model, machine: Machine, responses: float, limit: int, *, devices: int, engine: str) -> float:
    """Seconds in which one engine writes `responses`: first many at once, then the few that reach the limit."""
    assert machine.flops is not None
    assert machine.bandwidth is not None
    flops, bandwidth = machine.flops * devices, machine.bandwidth * devices
    mean = LENGTH * limit
    weights = (BYTES_HALF if machine.gpus else BYTES_FULL) * model.products
    cached = (BYTES_HALF if machine.gpus else BYTES_FULL) * model.cache_width * (PROMPT + mean / 2)
    on_cpu, described = machine.gpus == 0, ENGINES[engine]
    large = machine.gpu_memory and machine.gpu_memory >= 70 * GIB and machine.device and not machine.device.name.startswith("a100")
    at_once = min(responses, described.at_once_large if large else described.at_once)
    if machine.gpu_memory:
        at_once = max(1.0, min(at_once, (0.6 * machine.gpu_memory * devices - weights) / cached))
    overhead = described.token_overhead(model.layers, gpus=not on_cpu)

    def token(count: float) -> float:
        moved = (weights + count * cached) / (bandwidth * (1.0 if on_cpu else BANDWIDTH_SHARE))
        products = forward(model, count, PROMPT + mean / 2) / (flops * (1.0 if on_cpu else PRODUCT_SHARE))
        return overhead + max(moved, products)

    prompts = forward(model, responses * PROMPT, PROMPT / 2) / (flops * (1.0 if on_cpu else PRODUCT_SHARE))
    return prompts + responses * mean / at_once * token(at_once) + (limit - mean) * token(1)


def forward(model: Model, tokens: float, context: float) -> float:
    """Products and sums of a forward pass (PaLM, arXiv 2204.02311, appendix B)."""
    return tokens * (2.0 * model.products + 4.0 * model.layers * model.attention * context)


def start_seconds(machine: Machine) -> float:
    return START_GPU if machine.gpus else START_CPU


def pass_tokens(resources: Resources, sequences: int, longest: int, gpus: bool) -> int:
    """Tokens of one forward and backward pass: no more than an update has, no less than one sequence."""
    most = resources.tokens_per_batch or (TOKENS_PER_BATCH_GPU if gpus else TOKENS_PER_BATCH_CPU)
    return max(longest, min(most, sequences * longest))


def working_bytes(model: Model, tokens: int, scored: float, *, checkpointing: bool, gpus: bool) -> float:
    """Activations of one forward and backward pass over so many tokens, attention without its matrix, and logits of those scored."""
    width = BYTES_HALF if gpus else BYTES_FULL
    inner = (MLP_COPIES_GPU if gpus else MLP_COPIES_CPU) * model.intermediate
    layer = width * tokens * (6 * model.width + 2 * model.attention + 2 * model.key_value + inner)
    kept = width * tokens * model.width * model.layers + layer if checkpointing else layer * model.layers
    return kept + LOGIT_COPIES * min(HEAD_BYTES, BYTES_FULL * scored * model.vocabulary)
