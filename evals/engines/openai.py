"""An endpoint that speaks OpenAI's protocol: vLLM, SGLang and other servers, or a hosted model."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any

from evals.engines.interface import NOT_ASKED, Question
from rl_core.data.templates import Template, chat
from rl_core.endpoint.client import CHAT, TEXT, Endpoint, TooLong
from rl_core.rollout.engine import Completion, Sampling
from rl_core.rollout.responses import EncodedPrompt, response_fields


class OpenAIEngine:
    """Each response is one request with a seed of its own, so that an evaluation can go on where it stopped."""

    def __init__(self, model: str, base_url: str, concurrency: int, retries: int) -> None:
        """Raises EndpointError if the address, the key or a proxy is no right one."""
        self.model = model
        self.concurrency = concurrency
        self.endpoint = Endpoint(base_url, concurrency, retries)
        self.facts: dict[str, Any] = {
            "engine": "openai",
            "version": None,
            "dtype": None,
            "base_url": base_url,
            "batch_limits": {"requests": concurrency},
        }

    def answer(self, questions: Sequence[Question], template: Template, sampling: Sampling) -> Iterator[tuple[int, dict[str, Any]]]:
        """See `EvalEngine.answer`.

        A problem that is too long for the endpoint gets an empty response, cut off by the limit.

        Raises:
            EndpointError: a request was refused, or failed more often than it may.
        """
        wanted = [(index, sample) for index, q in enumerate(questions) for sample in range(q.first, q.first + q.samples)]
        self.endpoint.stopped.clear()
        pool = ThreadPoolExecutor(self.concurrency)
        waiting: dict[Future[dict[str, Any]], int] = {}
        position = 0
        try:
            while waiting or position < len(wanted):
                while position < len(wanted) and len(waiting) < 2 * self.concurrency:
                    index, sample = wanted[position]
                    waiting[pool.submit(self._one, questions[index], sample, template, sampling)] = index
                    position += 1
                done, _ = wait(waiting, return_when=FIRST_COMPLETED)
                # Good ones first: they count even if another one of them has failed.
                for future in sorted(done, key=lambda future: future.exception() is not None):
                    yield waiting.pop(future), future.result()
        finally:
            self.endpoint.stopped.set()
            pool.shutdown(wait=False, cancel_futures=True)
            if waiting:
                self.endpoint.close()

    def close(self) -> None:
        """See `EvalEngine.close`."""
        self.endpoint.close()

    def _one(self, question: Question, sample: int, template: Template, sampling: Sampling) -> dict[str, Any]:
        messages = chat(template, question.prompt)
        body: dict[str, Any] = {
            "model": self.model,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "max_tokens": sampling.max_tokens,
            "seed": (question.seed + sample) % 2**31,
        }
        if sampling.stop:
            body |= {"stop": list(sampling.stop)}
        if template.raw:
            path, sent = TEXT, messages[-1]["content"]
            body |= {"prompt": sent + template.prefill}
        else:
            sent = json.dumps(messages, ensure_ascii=False)
            if template.prefill:  # servers of open models continue a message that is begun; hosted ones refuse
                messages.append({"role": "assistant", "content": template.prefill})
                body |= {"continue_final_message": True, "add_generation_prompt": False}
            path = CHAT
            body |= {"messages": messages}
        encoded = EncodedPrompt(question.prompt, sent, [], template)
        try:
            answer = self.endpoint.ask(path, body)
        except TooLong as error:
            print(f"warning: problem {question.prompt.prompt_id} is not asked, and counts as not solved: {error}", flush=True)
            return response_fields(encoded, sample, template.prefill, NOT_ASKED, sampling.temperature, None)
        counts = {"prompt_tokens": answer.prompt_tokens, "response_tokens": answer.response_tokens}
        text, completion = template.prefill + answer.text, Completion([], [], answer.finish_reason)
        return response_fields(encoded, sample, text, completion, sampling.temperature, None) | counts
