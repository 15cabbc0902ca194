"""Second opinions on answers: which are asked for, what is asked, how a reply is read, and what of it is counted."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from rl_core.endpoint.client import CHAT, Endpoint, TooLong
from rl_core.errors import naming
from rl_core.judge.replies import Replies, Reply, key_of
from rl_core.judge.settings import Judge
from rl_core.outcome import Outcome
from rl_core.rewards.spans import find_spans
from rl_core.rewards.verdict import Verdict

SHOWN = 8000  # characters of a response, from its end, and of a problem
ATTEMPTS = 3  # with other seeds, until a reply can be read
REFUSED = {Outcome.WRONG, Outcome.UNPARSEABLE, Outcome.TIMEOUT}
_VERDICT = re.compile(r"verdict\W*(yes|no)\b", re.IGNORECASE)
_WORD = re.compile(r"\W*(yes|no)\W*", re.IGNORECASE)


class Question(NamedTuple):
    """A response to be judged."""

    question: str
    gold: str  # for people to read
    response: str


def read_verdict(reply: str) -> bool | None:
    """What a judge says; None where it says neither. The last verdict counts, for some reason about the form before they give it."""
    if found := _VERDICT.findall(reply):
        return bool(found[-1].lower() == "yes")
    match = _WORD.fullmatch(reply)
    return None if match is None else match[1].lower() == "yes"


class Opinions:
    """Asks the judge of a stage; for one thread, beside which its requests run."""

    def __init__(self, settings: Judge, replies: Path | None) -> None:
        """`replies`: the file in which they are kept. Raises InputError for an address that is none."""
        self.settings = settings
        self._replies = Replies(replies)
        self._endpoint = Endpoint(settings.base_url, settings.concurrency, settings.retries, patience=settings.timeout, key=settings.key)
        self._threads = ThreadPoolExecutor(settings.concurrency, thread_name_prefix="judge")
        self._under_way: dict[str, Future[tuple[str, Reply]]] = {}
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def close(self) -> None:
        """End requests under way."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._endpoint.close()
        self._replies.close()

    def wants(self, verdict: Verdict) -> bool:
        """Whether the judge is asked about a response. One that was cut off has no answer yet."""
        if verdict.truncated or verdict.outcome is Outcome.FORMAT_ERROR:
            return False
        return self.settings.when == "always" or verdict.outcome in REFUSED

    def ask(self, question: Question) -> Callable[[Verdict], Verdict]:
        """Begin to ask about a response; what is returned waits for the reply and gives the verdict of both.

        Raises:
            InputError: by the call of what is returned: the judge refuses, or does not answer.
        """
        with self._lock:
            waiting = self._begin(question, 0)
        return lambda verdict: self._review(question, waiting, verdict)

    def take_counts(self) -> dict[str, float]:
        """What was counted since the last call: replies asked for, of them from the file, unread, verdicts changed, tokens and cost."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
        asked = counts["asked"]
        if not asked:
            return {}
        found = {f"judge/{name}": counts[name] / asked for name in ("kept", "unread", "overturned")}
        found |= {"judge/asked": float(asked), "judge/tokens": float(counts["prompt_tokens"] + counts["response_tokens"])}
        if self.settings.prices:
            of_prompts, of_answers = self.settings.prices
            found["judge/cost"] = (of_prompts * counts["prompt_tokens"] + of_answers * counts["response_tokens"]) / 1e6
        return found

    def _begin(self, question: Question, attempt: int) -> Reply | Future[tuple[str, Reply]]:
        body = self._body(question, attempt)
        key = key_of(body)
        if key in self._under_way:
            return self._under_way[key]
        if kept := self._replies.find(key):
            self._counts["kept"] += attempt == 0
            return kept
        future = self._threads.submit(self._request, key, body)
        self._under_way[key] = future
        return future

    def _request(self, key: str, body: dict[str, Any]) -> tuple[str, Reply]:
        with naming(f"judge {self.settings.model}"):
            try:
                answer = self._endpoint.ask(CHAT, body)
            except TooLong:
                return key, Reply("", 0, 0)
        return key, Reply(answer.text, answer.prompt_tokens, answer.response_tokens)

    def _received(self, waiting: Reply | Future[tuple[str, Reply]]) -> Reply:
        if isinstance(waiting, Reply):
            return waiting
        key, reply = waiting.result()
        with self._lock:
            if self._under_way.pop(key, None) is not None:
                self._replies.add(key, reply)
                self._counts["prompt_tokens"] += reply.prompt_tokens
                self._counts["response_tokens"] += reply.response_tokens
        return reply

    def _review(self, question: Question, waiting: Reply | Future[tuple[str, Reply]], verdict: Verdict) -> Verdict:
        right = read_verdict(self._received(waiting).text)
        for attempt in range(1, ATTEMPTS):
            if right is not None:
                break
            with self._lock:
                again = self._begin(question, attempt)
            right = read_verdict(self._received(again).text)
        overturned = right is not None and right is not (verdict.outcome is Outcome.CORRECT)
        with self._lock:
            self._counts["asked"] += 1
            self._counts["unread"] += right is None
            self._counts["overturned"] += overturned
        return replace(verdict, outcome=Outcome.CORRECT if right else Outcome.WRONG, by_judge=True) if overturned else verdict

    def _body(self, question: Question, attempt: int) -> dict[str, Any]:
        thinking = find_spans(question.response).think
        answer = question.response[thinking[1] if thinking else 0 :]
        values = {"question": question.question[:SHOWN], "gold": question.gold, "response": answer[-SHOWN:]}
        prompt = re.sub(r"\{(question|gold|response)\}", lambda match: values[match[1]], self.settings.prompt)
        body: dict[str, Any] = {"model": self.settings.model, "messages": [{"role": "user", "content": prompt}]}
        return body | {"temperature": 0.0 if attempt == 0 else 0.7, "max_tokens": self.settings.max_tokens, "seed": attempt}


def probe(settings: Judge) -> None:
    """Ask a judge once, before anything depends on it.

    Raises:
        InputError: it does not answer, or refuses.
    """
    opinions = Opinions(settings.model_copy(update={"retries": 0}), None)
    try:
        opinions.ask(Question("What is 1 + 1?", "2", "2"))(Verdict(Outcome.WRONG, "2"))
    finally:
        opinions.close()
