"""transformers in this process: any causal language model, on CPU or one GPU."""

from __future__ import annotations

from rl_core.rollout.description import Engine, Start
from rl_core.rollout.engine import RolloutEngine


class Transformers(Engine):
    name = "transformers"
    distributions = ("transformers",)

    def make(self, start: Start) -> RolloutEngine:
        from rl_core.rollout.transformers_engine import TransformersEngine

        return TransformersEngine(start.checkpoint, batch_tokens=start.batch_tokens, dtype=start.dtype, lora=start.lora)


ENGINE = Transformers()
