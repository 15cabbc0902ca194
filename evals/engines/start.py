"""The engine that an evaluation asks for."""

from __future__ import annotations

from evals.config import EvalConfig, NamedCheckpoint
from evals.engines import ENGINES
from evals.engines.interface import EndpointEngine, EvalEngine
from evals.engines.local import LocalEngine
from evals.provenance import version_of
from rl_core.model.context import context_length
from rl_core.model.precision import dtype_of
from rl_core.model.pretrained import device, load_config, trained_weights
from rl_core.rollout.description import Start
from rl_core.training.lora import adapters_to_run, load_with_adapters
from rl_core.workers.build import use_threads


def start_engine(checkpoint: NamedCheckpoint, config: EvalConfig, longest: int) -> EvalEngine:
    """Load a checkpoint; `longest`: tokens of a prompt and its response together."""
    engine, resources, path = ENGINES[config.engine], config.resources, checkpoint.path
    if isinstance(engine, EndpointEngine):
        return engine.connect(path, resources)
    use_threads(resources)
    dtype = dtype_of(config.dtype)
    lora = None if engine.loads_weights else adapters_to_run(path, dtype)
    start = Start(path, dtype, longest, resources.tensor_parallel, resources.engine_memory, config.batch_tokens, lora=lora)
    running = engine.start(start)
    if not engine.loads_weights:
        running.update_weights(trained_weights(load_with_adapters(path, dtype=dtype)))
    facts = {
        "engine": engine.name,
        "dtype": str(dtype).removeprefix("torch."),
        "device": device(),
        "torch": version_of("torch"),
        "version": version_of(*engine.distributions),
        "tensor_parallel": resources.tensor_parallel if engine.spans_devices else 1,
        "batch_limits": engine.batch_limits(running, start),
    }
    return LocalEngine(running, facts, context_length(load_config(path)))
