"""What an engine of an evaluation takes and gives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from rl_core.data.prompts import Prompt
from rl_core.data.templates import Template
from rl_core.rollout.description import Engine
from rl_core.rollout.engine import Completion, Sampling

if TYPE_CHECKING:
    from evals.config import EvalResources

NOT_ASKED = Completion([], [], "length")  # what a problem has that is too long for the model's context


@dataclass(frozen=True)
class Question:
    """A problem, and which of its samples are wanted."""

    prompt: Prompt
    seed: int
    samples: int
    first: int = 0


class EvalEngine(Protocol):
    """Answers questions with one checkpoint."""

    facts: dict[str, Any]  # engine, version, dtype and limits, for the record

    def answer(self, questions: Sequence[Question], template: Template, sampling: Sampling) -> Iterator[tuple[int, dict[str, Any]]]:
        """The index of each question with the columns of one of its responses that do not depend on the verdict."""

    def close(self) -> None:
        """Give its memory back."""


class EndpointEngine(Engine):
    """An engine that runs elsewhere, under the name `ENGINE` in its module of evals/endpoints. `name` and `connect` are what each has."""

    trains: ClassVar[bool] = False
    endpoint: ClassVar[bool] = True

    def connect(self, model: str, resources: EvalResources) -> EvalEngine:
        """Be ready to ask; `model`: its name there. Raises InputError for an address that is none."""
        raise NotImplementedError


def was_asked(row: dict[str, Any], template: Template) -> bool:
    """Whether the problem of a row fitted the model's context."""
    return not (row["finish_reason"] == "length" and row["response_tokens"] == 0 and row["response"] == template.prefill)
