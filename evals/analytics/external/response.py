"""One response, as far as a file describes it."""

from dataclasses import dataclass, field
from typing import Any, Literal

from rl_core.errors import InputError

Row = dict[str, Any]
FinishReason = Literal["stop", "length"]

CUT_OFF = {"length", "max_tokens", "max_length", "max_new_tokens", "model_length", "token_limit", "truncated"}
ENDED = {"stop", "eos", "eos_token", "end_turn", "stop_sequence", "completed", "finished"}


class ExternalFileError(InputError):
    """A file cannot be read as responses; the message names it, the row and the remedy."""


@dataclass(kw_only=True)
class Response:
    """None is what the file does not say."""

    response: str  # what the model wrote, its calls of tools as code blocks
    environment_output: str | None = None  # what tools and users wrote between the messages of the model
    prompt: str | None = None
    gold: str | None = None
    extracted: str | None = None
    correct: bool | None = None
    reward: float | None = None
    components: dict[str, float] = field(default_factory=dict)  # parts of the reward
    step: int | None = None
    difficulty: str | None = None
    finish_reason: FinishReason | None = None
    prompt_tokens: int | None = None
    response_tokens: int | None = None
    advantage: float | None = None
    temperature: float | None = None
    benchmark: str | None = None  # given for evaluations
    checkpoint: str | None = None  # of an evaluation; default: the directory of the file


def finish_reason(value: Any) -> FinishReason | None:
    """`stop` and `length` under the names that engines give them; None for anything else, such as `tool_calls` or `content_filter`."""
    reason = str(value).lower()
    return "length" if reason in CUT_OFF else "stop" if reason in ENDED else None


def verdict(value: Any) -> bool | None:
    """A verdict is true or false, 1 or 0; None for anything else, such as a share."""
    if isinstance(value, str):
        value = {"true": True, "correct": True, "yes": True, "false": False, "incorrect": False, "wrong": False, "no": False}.get(
            value.strip().lower(), value
        )
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return bool(number) if number in (0, 1) else None


def number(value: Any) -> float | None:
    """A number, the sum of a list of them (rewards by token); None where there is none. Raises ValueError if something else is there."""
    if value is None or value == "":
        return None
    if isinstance(value, list):
        parts = [part for part in map(number, value) if part is not None]
        return sum(parts) if parts else None
    found = float(value)
    return found if found == found else None  # NaN


def count(value: Any) -> int | None:
    """A count of tokens; None where there is none."""
    found = number(value) if not isinstance(value, dict | list) else None
    return None if found is None else int(found)
