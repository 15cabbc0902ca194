"""An endpoint that speaks OpenAI's protocol: vLLM, SGLang and other servers, or a hosted model."""

from __future__ import annotations

import json
import os
import random
import re
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any

import httpx

from evals.engines.interface import NOT_ASKED, Question
from evals.engines.openai_answer import NoAnswer, excerpt, parse, read_answer
from rl_core.data.templates import Template, chat
from rl_core.errors import InputError
from rl_core.rollout.engine import Completion, Sampling
from rl_core.rollout.responses import EncodedPrompt, response_fields

PATIENCE = 600.0  # seconds for one response
LARGEST = 64_000_000  # bytes of one response
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 60.0  # seconds before a request is tried again; doubled each time
THROTTLED = {408, 409, 425, 429}  # and every 5xx: worth trying again


# How servers say that a prompt and its response do not fit: OpenAI's code, and the words of vLLM, SGLang and llama.cpp.
TOO_LONG = re.compile("context_length_exceeded|maximum context length|model's context length|available context size", re.IGNORECASE)


class EndpointError(InputError):
    """The endpoint refuses, or does not recover. Finished responses are kept, and the same command continues."""


class _TooLong(Exception):
    """The endpoint has no room for one problem."""


class OpenAIEngine:
    """Each response is one request with a seed of its own, so that an evaluation can go on where it stopped."""

    def __init__(self, model: str, base_url: str, concurrency: int, retries: int) -> None:
        """Raises EndpointError if the address, the key or a proxy is no right one."""
        self.model = model
        self.concurrency = concurrency
        self.retries = retries
        try:
            self.client = httpx.Client(
                base_url=base_url.rstrip("/"),
                headers=_authorization(),
                timeout=httpx.Timeout(PATIENCE, connect=10.0),
                limits=httpx.Limits(max_connections=concurrency),
            )
        except httpx.InvalidURL as error:
            raise EndpointError(f"{base_url}: no address ({error}); give one such as http://localhost:8000/v1") from error
        except (ValueError, ImportError) as error:
            raise EndpointError(
                f"the proxy that the environment names cannot be used ({error}); mend or unset ALL_PROXY, HTTP_PROXY, HTTPS_PROXY"
            ) from error
        self.facts: dict[str, Any] = {
            "engine": "openai",
            "version": None,
            "dtype": None,
            "base_url": base_url,
            "batch_limits": {"requests": concurrency},
        }
        self._stopped = threading.Event()

    def answer(self, questions: Sequence[Question], template: Template, sampling: Sampling) -> Iterator[tuple[int, dict[str, Any]]]:
        """See `EvalEngine.answer`.

        A problem that is too long for the endpoint gets an empty response, cut off by the limit.

        Raises:
            EndpointError: a request was refused, or failed more often than it may.
        """
        wanted = [(index, sample) for index, q in enumerate(questions) for sample in range(q.first, q.first + q.samples)]
        self._stopped.clear()
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
            self._stopped.set()
            pool.shutdown(wait=False, cancel_futures=True)
            if waiting:
                self.client.close()  # requests under way end, and with them their threads

    def close(self) -> None:
        """See `EvalEngine.close`."""
        self.client.close()

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
            path, sent = "/completions", messages[-1]["content"]
            body |= {"prompt": sent + template.prefill}
        else:
            sent = json.dumps(messages, ensure_ascii=False)
            if template.prefill:  # servers of open models continue a message that is begun; hosted ones refuse
                messages.append({"role": "assistant", "content": template.prefill})
                body |= {"continue_final_message": True, "add_generation_prompt": False}
            path = "/chat/completions"
            body |= {"messages": messages}
        encoded = EncodedPrompt(question.prompt, sent, [], template)
        try:
            reply = self._post(path, body)
        except _TooLong as error:
            print(f"warning: problem {question.prompt.prompt_id} is not asked, and counts as not solved: {error}", flush=True)
            return response_fields(encoded, sample, template.prefill, NOT_ASKED, sampling.temperature, None)
        try:
            answer = read_answer(reply, raw=template.raw)
        except NoAnswer as error:
            raise EndpointError(f"{self._where(path)} answers with {error}; check `base_url` and what the server is") from error
        counts = {"prompt_tokens": answer.prompt_tokens, "response_tokens": answer.response_tokens}
        text, completion = template.prefill + answer.text, Completion([], [], answer.finish_reason)
        return response_fields(encoded, sample, text, completion, sampling.temperature, None) | counts

    def _where(self, path: str) -> str:
        return f"{str(self.client.base_url).rstrip('/')}{path}"

    def _post(self, path: str, body: dict[str, Any]) -> Any:
        """The answer to a request, tried again with growing pauses where that may help."""
        where = self._where(path)
        reason = ""
        for attempt in range(self.retries + 1):
            if self._stopped.is_set():
                break
            asked = 0.0  # seconds that the server asks to wait
            try:
                status, headers, content = self._receive(path, body)
                if 200 <= status < 300:
                    return parse(content)
                reason = f"answers {status}: {excerpt(content)}"
                if status in (400, 413) and TOO_LONG.search(content.decode(errors="replace")):
                    raise _TooLong(f"{where} {reason}")
                if status not in THROTTLED and status < 500:
                    raise EndpointError(f"{where} {reason}")
                asked = _seconds(headers.get("retry-after"))
            except NoAnswer as error:
                if content.lstrip().startswith(b"<"):  # a page, which will not turn into an answer
                    raise EndpointError(
                        f"{where} answers with a page: {excerpt(content)}; check `base_url`, which often ends in /v1"
                    ) from None
                reason = f"answers with {error}"
            except (httpx.UnsupportedProtocol, httpx.LocalProtocolError) as error:  # of the request: it stays the same
                raise EndpointError(f"{where} cannot be asked: {error}") from error
            except httpx.RequestError as error:
                reason = f"does not answer: {str(error) or type(error).__name__}"
            if attempt < self.retries:
                pause = min(FIRST_PAUSE * 2**attempt, LONGEST_PAUSE) * random.uniform(0.5, 1.0)
                self._stopped.wait(max(pause, min(asked, LONGEST_PAUSE)))
        raise EndpointError(f"{where} {reason}; given up after {self.retries + 1} attempts. Run the same command again to go on")

    def _receive(self, path: str, body: dict[str, Any]) -> tuple[int, httpx.Headers, bytes]:
        """Status, headers and content of one reply.

        Raises:
            EndpointError: the content is larger than any response.
            httpx.RequestError: none comes, or not to its end in time.
        """
        content, deadline = bytearray(), time.monotonic() + PATIENCE
        with self.client.stream("POST", path, json=body) as reply:
            for part in reply.iter_bytes():
                content += part
                if len(content) > LARGEST:
                    raise EndpointError(
                        f"{self._where(path)} sends more than {LARGEST / 1e6:.0f} MB for one response; check what the server is"
                    )
                if time.monotonic() > deadline:
                    raise httpx.ReadTimeout(f"not at its end after {PATIENCE:.0f} s")
            return reply.status_code, reply.headers, bytes(content)


def _authorization() -> dict[str, str]:
    key = os.environ.get("OPENAI_API_KEY", "").strip()
    if key and not (key.isascii() and key.isprintable()):
        raise EndpointError("OPENAI_API_KEY has characters that no key has; set it anew")
    return {"Authorization": f"Bearer {key}"} if key else {}


def _seconds(text: str | None) -> float:
    try:
        return max(0.0, float(text or 0))
    except ValueError:  # a date
        return 0.0
