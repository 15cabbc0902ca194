"""OpenAI's protocol: vLLM, SGLang and other servers, or a hosted model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evals.engines.interface import EndpointEngine, EvalEngine

if TYPE_CHECKING:
    from evals.config import EvalResources


class OpenAI(EndpointEngine):
    name = "openai"

    def connect(self, model: str, resources: EvalResources) -> EvalEngine:
        from evals.engines.openai import OpenAIEngine

        assert resources.base_url is not None
        return OpenAIEngine(model, resources.base_url, resources.concurrency, resources.retries)


ENGINE = OpenAI()
