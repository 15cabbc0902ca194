"""An environment of a user's own as the verifier of problems: `file.py:Class`. Nothing of it is imported in this process."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import ConfigDict

from rl_core.config.base import Settings
from rl_core.config.data import TrainingData
from rl_core.config.own_files import by_name
from rl_core.environments.environment import Environment
from rl_core.errors import InputError
from rl_core.outcome import Outcome
from rl_core.own_code.processes import OwnWorkers, Reply
from rl_core.own_code.reference import find
from rl_core.rewards.readers import Reader
from rl_core.rewards.rules import Rules
from rl_core.rewards.verdict import Decision, OpenQuestion

CHECK = 5.0  # seconds to look at one gold answer


class AnyParameters(Settings):
    """What a recipe gives a verifier of its own; the class itself reads it from the gold answer (`split_parameters`)."""

    model_config = ConfigDict(extra="allow")


class OwnVerifier(Environment[TrainingData]):
    """Leaves every question open, for a worker to answer; looks at gold answers in a worker, too."""

    parameters = AnyParameters

    def __init__(self, text: str) -> None:
        """`text`: with the folder of its file, where gold answers are to be checked."""
        self.text = text
        self.name = by_name(text)

    @cached_property
    def _workers(self) -> OwnWorkers:
        reference = find(self.text, "class")
        workers = OwnWorkers([reference.root], 1, CHECK)
        weakref.finalize(self, workers.close)
        return workers

    def judge(self, task: str, response: str, gold: str, read: Reader | None, rules: Rules) -> OpenQuestion:
        return OpenQuestion(task, gold, response)

    def check_gold(self, task: str, gold: str) -> None:
        reply = self._workers.call("check_gold", self.name, {"gold": gold}).result()
        if reply.failure:
            raise InputError(reply.failure.why)


def judgement(verifier: OpenQuestion, read: Reader | None, rules: Rules) -> dict[str, Any]:
    """The arguments of the call `judge` of a worker."""
    reader = f"{read.__module__}:{read.__qualname__}" if read else None
    return {"response": verifier.answer, "gold": verifier.gold, "reader": reader, "rules": sorted(rules)}


def decision_of(reply: Reply) -> Decision:
    """What a worker found; without a verdict the outcome is `timeout`, with the reason where it was not the deadline."""
    if reply.failure:
        return Decision(Outcome.TIMEOUT, error=None if reply.failure.late else reply.failure.why)
    return Decision(Outcome(reply.value["outcome"]), reply.value["score"], reply.value["extracted"])


def copies(directories: Sequence[Path]) -> list[Path]:
    """Those of the directories that are there."""
    return [path for path in dict.fromkeys(directories) if path.is_dir()]
