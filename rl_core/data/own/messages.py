"""Chats of data sets: lists of `role` and `content`, or of ShareGPT's `from` and `value`."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from rl_core.data.json_text import parse_json

ROLES = {
    "system": "system", "developer": "system",
    "user": "user", "human": "user",
    "assistant": "assistant", "gpt": "assistant", "bot": "assistant", "model": "assistant", "chatgpt": "assistant",
}  # fmt: skip


class BadChat(ValueError):
    """A chat cannot be used; the message says why, after the words `its messages`."""


class Chat(NamedTuple):
    """A chat around its last question."""

    earlier: list[dict[str, str]]  # with `role` and `content`
    question: str
    response: str | None  # the assistant's, after the question


def read_chat(value: Any) -> Chat:
    """The messages of a row: what comes before the last message of the user, that one, and the assistant's message after it.

    Raises:
        BadChat: it is no list of messages, nobody asks, or somebody else comes after the question.
    """
    messages = [_message(entry) for entry in _listed(value)]
    asked = max((place for place, message in enumerate(messages) if message["role"] == "user"), default=None)
    if asked is None:
        raise BadChat("have none of the user")
    after = messages[asked + 1 :]
    if [message["role"] for message in after] not in ([], ["assistant"]):
        raise BadChat(
            f"end with {', '.join(message['role'] for message in after)} after the user's last one; wanted is one of the assistant"
        )
    if not messages[asked]["content"].strip():
        raise BadChat("have an empty one of the user at their end")
    return Chat(messages[:asked], messages[asked]["content"].strip(), after[0]["content"].strip() or None if after else None)


def _listed(value: Any) -> list[Any]:
    if isinstance(value, str):  # of a CSV file, or of a table that holds JSON
        try:
            value = parse_json(value)
        except (json.JSONDecodeError, RecursionError) as error:
            raise BadChat("are a text that is not JSON") from error
    if not isinstance(value, list) or not value:
        raise BadChat("are no list of messages")
    return value


def _message(entry: Any) -> dict[str, str]:
    if not isinstance(entry, dict):
        raise BadChat(f"have an entry {str(entry)[:60]!r} that is no message")
    for role, content in (("role", "content"), ("from", "value")):
        if role in entry and content in entry:
            who, said = str(entry[role]).lower(), entry[content]
            if who not in ROLES:
                raise BadChat(f"have one of {who!r}; known are {', '.join(ROLES)}")
            return {"role": ROLES[who], "content": _text(said)}
    raise BadChat("have an entry without `role` and `content`, or `from` and `value`")


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list) and all(isinstance(part, dict) and isinstance(part.get("text"), str) for part in content):
        return "".join(part["text"] for part in content)
    raise BadChat("have content that is no text" if content is not None else "have one without content")
