"""Reads the answer of an endpoint: of OpenAI's form, or an error that says in one line what it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from rl_core.addresses import without_secrets
from rl_core.data.json_text import without_halves

EXCERPT = 200  # characters of what a server sends that an error quotes
MOST_TOKENS = 2**31  # what a server counts beyond is no count


class NoAnswer(Exception):
    """It is not of OpenAI's form; a line that says what it is."""


@dataclass(frozen=True)
class Answer:
    """One response; counts are 0 where the server gives none."""

    text: str
    finish_reason: Literal["stop", "length"]
    prompt_tokens: int
    response_tokens: int


def parse(body: bytes) -> Any:
    """The JSON of a body.

    Raises:
        NoAnswer: it is none.
    """
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise NoAnswer(f"no JSON: {excerpt(body)}") from error


def read_answer(reply: Any, *, raw: bool) -> Answer:
    """The first choice of a reply.

    Args:
        raw: of the interface for completions; otherwise of the one for chats.

    Raises:
        NoAnswer: there is none, or its content is no text.
    """
    choices = reply.get("choices") if isinstance(reply, Mapping) else None
    choice = choices[0] if isinstance(choices, list) and choices else None
    held = choice if raw else choice.get("message") if isinstance(choice, Mapping) else None
    if not isinstance(choice, Mapping) or not isinstance(held, Mapping):
        raise NoAnswer(f"no answer of OpenAI's form: {excerpt(json.dumps(reply).encode())}")
    text = _text(held.get("text" if raw else "content"))
    if text is None:
        raise NoAnswer(f"a content that is no text: {excerpt(json.dumps(held).encode())}")
    if isinstance(choice.get("stop_reason"), str):  # servers of open models say which stop text it was; the text lacks it
        text += choice["stop_reason"]
    usage = reply.get("usage")
    known = usage if isinstance(usage, Mapping) else {}
    return Answer(
        without_halves(text),
        "length" if choice.get("finish_reason") == "length" else "stop",
        _count(known.get("prompt_tokens")),
        _count(known.get("completion_tokens")),
    )


def excerpt(body: bytes) -> str:
    """The beginning of a body in one line, without what moves a terminal's cursor and without secrets."""
    text = "".join(character if character.isprintable() else " " for character in body[: 4 * EXCERPT].decode(errors="replace"))
    return without_secrets(" ".join(text.split()))[:EXCERPT] or "nothing"


def _text(content: Any) -> str | None:
    """A content as text: null is none, parts are put together. None for anything else."""
    if content is None:
        return ""
    if isinstance(content, list):
        texts = [part.get("text", "") if isinstance(part, Mapping) else part for part in content]
        return "".join(texts) if all(isinstance(text, str) for text in texts) else None
    return content if isinstance(content, str) else None


def _count(value: Any) -> int:
    return int(value) if isinstance(value, int | float) and 0 <= value < MOST_TOKENS else 0
