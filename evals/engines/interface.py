"""What an engine of an evaluation takes and gives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from rl_core.data.prompts import Prompt
from rl_core.data.templates import Template
from rl_core.rollout.engine import Completion, Sampling

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


def was_asked(row: dict[str, Any], template: Template) -> bool:
    """Whether the problem of a row fitted the model's context."""
    return not (row["finish_reason"] == "length" and row["response_tokens"] == 0 and row["response"] == template.prefill)
