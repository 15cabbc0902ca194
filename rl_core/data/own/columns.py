"""What the columns of a user's rows mean."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic import Field, model_validator

from rl_core.config.base import Settings
from rl_core.data.own.messages import BadChat, read_chat
from rl_core.rewards.verifiers.multiple_choice import ASK, option_lines

NO_ANSWER = {"", "nan", "none", "null", "notfound"}  # what tables hold where there is nothing to compare with


class Columns(Settings):
    """Which columns matter: `a.b` is b in a, `a.0` the first of a list. Without a question or messages the question is `question`, and
    without an answer or solution the answer is `answer`, or with messages the assistant's message after the last question."""

    question: str | list[str] | None = Field(
        None, description="The problem; several columns are joined, a list of texts becomes options A, B, …"
    )
    answer: str | None = Field(None, description="The gold answer; null: what the solution gives as its answer (a box, ####, …).")
    solution: str | None = Field(None, description="A worked response, for SFT.")
    difficulty: str | None = Field(None, description="Level, number of steps: tables show its values apart.")
    domain: str | None = Field(None, description="Algebra, law: tables show its values apart, too.")
    messages: str | None = Field(None, description="A chat (role and content, or from and value); the user's last message is the problem.")

    @model_validator(mode="after")
    def _one_question(self) -> Columns:
        if self.messages and self.question:
            raise ValueError("`question` and `messages` both give the problem; leave one of them out")
        if self.question == []:
            raise ValueError("`question` names no column; name one, or leave it out")
        return self

    def meant(self, *, needs_answer: bool) -> dict[str, Any]:
        """Columns by what they mean, with what is left out filled in."""
        found = self.model_dump()
        if not self.messages and not self.question:
            found["question"] = "question"
        if needs_answer and not (self.answer or self.solution or self.messages):
            found["answer"] = "answer"
        return found


class BadRow(ValueError):
    """A row cannot be used; the message says why, after its place."""


class Draft(NamedTuple):
    """A row as its columns say, with the answer as it is written."""

    question: str
    earlier: list[dict[str, str]]
    answer: Any  # None: none is wanted, or the solution gives it
    solution: str | None
    verbatim: bool  # the solution is the whole of an assistant's message
    difficulty: str | None
    domain: str | None
    info: str | None


class ColumnReader:
    """Reads rows by their columns, and notes which columns it has come across."""

    def __init__(self, columns: Columns, *, needs_answer: bool) -> None:
        """`needs_answer`: whether the verifier compares with an answer of the row."""
        self.meant = columns.meant(needs_answer=needs_answer)
        self.needs_answer = needs_answer
        self.whole = {name for value in self.meant.values() for name in ([value] if isinstance(value, str) else value or [])}
        self.missing = dict.fromkeys(sorted(self.whole))
        self.known: dict[str, None] = {}

    def read(self, row: Any) -> Draft:
        """Raises BadRow where it lacks what is needed."""
        if not isinstance(row, dict):
            raise BadRow(f"is {_kind_of(row)}, and an object with columns is wanted")
        self.known |= dict.fromkeys(row)
        found = {meaning: self._at(row, name) if isinstance(name, str) else None for meaning, name in self.meant.items()}
        chat = None
        if name := self.meant["messages"]:
            if found["messages"] is None:
                raise BadRow(f"has no `{name}`")
            try:
                chat = read_chat(found["messages"])
            except BadChat as error:
                raise BadRow(f"is no chat: its `{name}` {error}") from error
        question = chat.question if chat else self._question(row)
        solution = self._text(found, "solution")
        response = chat.response if chat and solution is None else None
        answer = found["answer"]
        if self.meant["answer"] and self.needs_answer and _is_nothing(answer):
            raise BadRow(
                f"has an empty answer `{self.meant['answer']}`" if answer is not None else f"has no answer `{self.meant['answer']}`"
            )
        if not self.meant["answer"] and self.needs_answer and not (solution or response):
            raise BadRow("has no solution that could give the answer")
        return Draft(
            question=question,
            earlier=chat.earlier if chat else [],
            answer=answer,
            solution=solution or response,
            verbatim=response is not None,
            difficulty=self._label(found, "difficulty"),
            domain=self._label(found, "domain"),
            info=_info({name: value for name, value in row.items() if name not in self.whole}),
        )

    def _question(self, row: Mapping[str, Any]) -> str:
        names = self.meant["question"]
        parts, options = [], False
        for name in [names] if isinstance(names, str) else names:
            value = self._at(row, name)
            if isinstance(value, list):
                try:
                    parts.append("\n".join(option_lines(value)))
                except ValueError as error:
                    raise BadRow(f"has {error} in `{name}`") from error
                options = True
            elif isinstance(value, str) and value.strip():
                parts.append(value.strip())
            elif not isinstance(value, str | None):
                raise BadRow(f"has {_kind_of(value)} as `{name}`, and a text is wanted")
        if not parts:
            raise BadRow(f"has no text in `{names if isinstance(names, str) else '`, `'.join(names)}`")
        return "\n\n".join([*parts, ASK] if options else parts)

    def _text(self, found: Mapping[str, Any], meaning: str) -> str | None:
        value = found[meaning]
        if not isinstance(value, str | None):
            raise BadRow(f"has {_kind_of(value)} as `{self.meant[meaning]}`, and a text is wanted")
        return (value or "").strip() or None

    def _label(self, found: Mapping[str, Any], meaning: str) -> str | None:
        value = found[meaning]
        if isinstance(value, list | dict):
            raise BadRow(f"has {_kind_of(value)} as `{self.meant[meaning]}`; name a part of it, such as {self.meant[meaning]}.0")
        if isinstance(value, float) and math.isfinite(value) and value.is_integer():
            value = int(value)
        return None if _is_nothing(value) else str(value).strip()

    def _at(self, row: Mapping[str, Any], name: str) -> Any:
        """What is at a path; None where there is nothing. A column that has a dot in its name counts first."""
        if name in row:
            self.missing.pop(name, None)
            return row[name]
        value: Any = row
        for key in name.split("."):
            if isinstance(value, dict) and key in value:
                value = value[key]
            elif isinstance(value, list) and key.isdecimal() and int(key) < len(value):
                value = value[int(key)]
            else:
                return None
        self.missing.pop(name, None)
        return value


def _is_nothing(value: Any) -> bool:
    if isinstance(value, float):
        return not math.isfinite(value)
    return value is None or (isinstance(value, str) and value.strip().lower() in NO_ANSWER) or value in ([], {})


def _kind_of(value: Any) -> str:
    kinds = {list: "a list", dict: "an object", bool: "a truth value", int: "a number", float: "a number", str: "a text", bytes: "bytes"}
    return kinds.get(type(value), "nothing" if value is None else f"a {type(value).__name__}")


def _info(others: dict[str, Any]) -> str | None:
    """The columns that mean nothing here as JSON, without what JSON does not hold."""
    if not others:
        return None
    try:
        return json.dumps(others, ensure_ascii=False, allow_nan=False, default=_writable)
    except ValueError:
        return json.dumps(_finite(others), ensure_ascii=False, default=_writable)


def _writable(value: Any) -> Any:
    return None if isinstance(value, bytes) else str(value)  # a date, a decimal number


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _finite(part) for key, part in value.items()}
    return [_finite(part) for part in value] if isinstance(value, list) else value
