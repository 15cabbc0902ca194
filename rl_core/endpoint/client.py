"""A client of an endpoint that speaks OpenAI's protocol: requests tried again where that may help, and errors in one line."""

from __future__ import annotations

import os
import random
import re
import threading
import time
from typing import Any

import httpx

from rl_core.endpoint.answer import Answer, NoAnswer, excerpt, parse, read_answer
from rl_core.errors import InputError

PATIENCE = 600.0  # seconds for one response
LARGEST = 64_000_000  # bytes of one response
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 60.0  # seconds before a request is tried again; doubled each time
THROTTLED = {408, 409, 425, 429}  # and every 5xx: worth trying again
CHAT, TEXT = "/chat/completions", "/completions"


# How servers say that a prompt and its response do not fit: OpenAI's code, and the words of vLLM, SGLang and llama.cpp.
TOO_LONG = re.compile("context_length_exceeded|maximum context length|model's context length|available context size", re.IGNORECASE)


class EndpointError(InputError):
    """The endpoint refuses, or does not recover. What is finished is kept, and the same command continues."""


class TooLong(Exception):
    """The endpoint has no room for a prompt and its response."""


class Endpoint:
    """Requests to one address, from any number of threads."""

    def __init__(self, base_url: str, concurrency: int, retries: int, *, patience: float = PATIENCE, key: str = "OPENAI_API_KEY") -> None:
        """`patience`: seconds for one response; `key`: the variable of the environment that holds the key.

        Raises:
            EndpointError: the address, the key or a proxy is no right one.
        """
        self.retries = retries
        self.patience = patience
        try:
            self.client = httpx.Client(
                base_url=base_url.rstrip("/"),
                headers=_authorization(key),
                timeout=httpx.Timeout(patience, connect=10.0),
                limits=httpx.Limits(max_connections=concurrency),
            )
        except httpx.InvalidURL as error:
            raise EndpointError(f"{base_url}: no address ({error}); give one such as http://localhost:8000/v1") from error
        except (ValueError, ImportError) as error:
            raise EndpointError(
                f"the proxy that the environment names cannot be used ({error}); mend or unset ALL_PROXY, HTTP_PROXY, HTTPS_PROXY"
            ) from error
        self.stopped = threading.Event()  # set: no request is tried again

    def close(self) -> None:
        """End the requests under way, and with them the threads that wait for them."""
        self.stopped.set()
        self.client.close()

    def ask(self, path: str, body: dict[str, Any]) -> Answer:
        """The first choice of a reply, tried again with growing pauses.

        Args:
            path: CHAT or TEXT.

        Raises:
            TooLong: the prompt and its response do not fit.
            EndpointError: the request was refused, or failed more often than it may.
        """
        reply = self._post(path, body)
        try:
            return read_answer(reply, raw=path == TEXT)
        except NoAnswer as error:
            raise EndpointError(f"{self._where(path)} answers with {error}; check `base_url` and what the server is") from error

    def _where(self, path: str) -> str:
        return f"{str(self.client.base_url).rstrip('/')}{path}"

    def _post(self, path: str, body: dict[str, Any]) -> Any:
        """The answer to a request, tried again with growing pauses where that may help."""
        where = self._where(path)
        reason = ""
        for attempt in range(self.retries + 1):
            if self.stopped.is_set():
                break
            asked = 0.0  # seconds that the server asks to wait
            try:
                status, headers, content = self._receive(path, body)
                if 200 <= status < 300:
                    return parse(content)
                reason = f"answers {status}: {excerpt(content)}"
                if status in (400, 413) and TOO_LONG.search(content.decode(errors="replace")):
                    raise TooLong(f"{where} {reason}")
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
                self.stopped.wait(max(pause, min(asked, LONGEST_PAUSE)))
        raise EndpointError(f"{where} {reason}; given up after {self.retries + 1} attempts. Run the same command again to go on")

    def _receive(self, path: str, body: dict[str, Any]) -> tuple[int, httpx.Headers, bytes]:
        """Status, headers and content of one reply.

        Raises:
            EndpointError: the content is larger than any response.
            httpx.RequestError: none comes, or not to its end in time.
        """
        content, deadline = bytearray(), time.monotonic() + self.patience
        with self.client.stream("POST", path, json=body) as reply:
            for part in reply.iter_bytes():
                content += part
                if len(content) > LARGEST:
                    raise EndpointError(
                        f"{self._where(path)} sends more than {LARGEST / 1e6:.0f} MB for one response; check what the server is"
                    )
                if time.monotonic() > deadline:
                    raise httpx.ReadTimeout(f"not at its end after {self.patience:.0f} s")
            return reply.status_code, reply.headers, bytes(content)


def _authorization(variable: str) -> dict[str, str]:
    key = os.environ.get(variable, "").strip()
    if key and not (key.isascii() and key.isprintable()):
        raise EndpointError(f"{variable} has characters that no key has; set it anew")
    return {"Authorization": f"Bearer {key}"} if key else {}


def _seconds(text: str | None) -> float:
    try:
        return max(0.0, float(text or 0))
    except ValueError:  # a date
        return 0.0
