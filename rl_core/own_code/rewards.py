"""Reward functions of a user's own, called for scored responses."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import asdict
from typing import Any, TextIO

from rl_core.errors import InputError
from rl_core.own_code.processes import Failure, OwnWorkers, Reply
from rl_core.rewards.verdict import Verdict

SHOWN_LINES, SHOWN = 20, 500  # lines of what a function prints until it is told next, and characters of each

Values = list[float | Failure]


class OwnRewards:
    """Calls functions in workers. Responses that are given together are a group, those to one prompt."""

    def __init__(self, workers: OwnWorkers) -> None:
        self._workers = workers
        self._described: dict[str, dict[str, bool]] = {}
        self._printed: dict[str, list[str]] = {}
        self._more: Counter[str] = Counter()

    def load(self, names: Iterable[str]) -> None:
        """Load functions, and look at what they want to know.

        Raises:
            InputError: one cannot be loaded, or is no function of a reward.
        """
        for name in names:
            if name not in self._described:
                reply = self._workers.describe(name)
                self.hear(name, reply)
                if reply.failure:
                    print(reply.failure.trace, end="", file=sys.stderr, flush=True)
                    raise InputError(f"{name}: {reply.failure.why}")
                if reply.value["verifier"]:
                    raise InputError(f"{name}: it is an environment, no function; name it as the `verifier` of a data stage")
                self._described[name] = reply.value

    def ask(
        self, names: Sequence[str], responses: Sequence[str], about: dict[str, Any], verdicts: Callable[[], Sequence[Verdict]]
    ) -> Callable[[], dict[str, Values]]:
        """Have the responses to one prompt judged while the caller goes on; the call of what is returned waits.

        Functions that look at no verdict begin at once, the others when it is called.

        Args:
            about: what is the same for all of them: `gold`, `prompt`, `info`, `task`.

        Raises:
            InputError: as `load`.
        """
        self.load(names)

        def begin(name: str, judged: Sequence[Verdict | None]) -> list[Future[Reply]]:
            rows = [list(range(len(responses)))] if self._described[name]["group"] else [[row] for row in range(len(responses))]
            return [self._workers.call("reward", name, about | _of(part, responses, judged), len(part)) for part in rows]

        unseen: list[None] = [None] * len(responses)
        begun = {name: begin(name, unseen) for name in names if not self._described[name]["verdicts"]}

        def wait() -> dict[str, Values]:
            judged = verdicts()
            futures = begun | {name: begin(name, judged) for name in names if name not in begun}
            return {name: self._values(name, [future.result() for future in futures[name]], len(responses)) for name in names}

        return wait

    def _values(self, name: str, replies: Sequence[Reply], responses: int) -> Values:
        found: Values = []
        for reply in replies:
            self.hear(name, reply)
            if reply.failure:
                found += [reply.failure] * (responses // len(replies))
            else:
                found += [Failure(value) if isinstance(value, str) else value for value in reply.value]
        return found

    def hear(self, name: str, reply: Reply) -> None:
        """Keep what a call has printed, for `tell`."""
        kept = self._printed.setdefault(name, [])
        for line in filter(str.strip, reply.printed.splitlines()):
            if len(kept) < SHOWN_LINES:
                kept.append(line if len(line) <= SHOWN else f"{line[:SHOWN]} …")
            else:
                self._more[name] += 1

    def tell(self, file: TextIO) -> None:
        """Write down what functions have printed since the last time, with their names; of many lines the first ones."""
        for name, lines in self._printed.items():
            more = [f"… and {self._more[name]:,} lines more"] if self._more[name] else []
            for line in lines + more:
                print(f"{name}: {line}", file=file, flush=True)
        self._printed.clear()
        self._more.clear()


def info_of(info: str | None) -> dict[str, Any]:
    """What else the row of a prompt says, of its JSON text."""
    found = json.loads(info) if info else {}
    return found if isinstance(found, dict) else {"info": found}


def _of(rows: Sequence[int], responses: Sequence[str], verdicts: Sequence[Verdict | None]) -> dict[str, Any]:
    judged = (verdicts[row] for row in rows)
    return {"responses": [responses[row] for row in rows], "verdicts": [asdict(verdict) if verdict else None for verdict in judged]}
