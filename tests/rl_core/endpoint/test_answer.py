"""What endpoints answer beside answers: each is read, or told in one line."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rl_core.endpoint.answer import Answer, NoAnswer, excerpt, parse, read_answer


def chat(content: Any, **more: Any) -> dict[str, Any]:
    return {"choices": [{"message": {"role": "assistant", "content": content}, "finish_reason": "stop"}], **more}


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        (chat("7", usage={"prompt_tokens": 9, "completion_tokens": 5}), Answer("7", "stop", 9, 5)),
        (chat(None), Answer("", "stop", 0, 0)),  # a refusal, or nothing but a tool call
        (chat([{"type": "text", "text": "a"}, {"type": "image"}, "b"]), Answer("ab", "stop", 0, 0)),
        (json.loads(json.dumps(chat("x")).replace('"x"', '"\\ud800 \\ud83d\\ude00"')), Answer("\ufffd \U0001f600", "stop", 0, 0)),
        (chat("7", usage={"completion_tokens": 10**30, "prompt_tokens": "many"}), Answer("7", "stop", 0, 0)),
        (chat("7", usage={"completion_tokens": float("inf"), "prompt_tokens": -1}), Answer("7", "stop", 0, 0)),
        (chat("7", usage=[1]), Answer("7", "stop", 0, 0)),
        (chat("7", usage=None), Answer("7", "stop", 0, 0)),
        ({"choices": [{"message": {"content": "7"}, "finish_reason": "length"}]}, Answer("7", "length", 0, 0)),
        ({"choices": [{"message": {"content": "7"}, "finish_reason": ["length"], "stop_reason": "User:"}]}, Answer("7User:", "stop", 0, 0)),
    ],
)
def test_what_is_read(reply: Any, answer: Answer) -> None:
    assert read_answer(reply, raw=False) == answer
    answer.text.encode()  # a file of text can hold it


def test_a_completion_is_read() -> None:
    assert read_answer({"choices": [{"text": "7", "finish_reason": "stop"}]}, raw=True) == Answer("7", "stop", 0, 0)


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        ({"error": {"message": "no"}}, "no answer of OpenAI's form: {"),
        ({"choices": []}, "no answer of OpenAI's form: {"),
        ({"choices": [None]}, "no answer of OpenAI's form: {"),
        ({"choices": {"0": {}}}, "no answer of OpenAI's form: {"),
        ({"choices": [{"message": None}]}, "no answer of OpenAI's form: {"),
        ([1, 2], "no answer of OpenAI's form: [1, 2]"),
        (None, "no answer of OpenAI's form: null"),
        (chat(5), "a content that is no text: {"),
        (chat({"text": "7"}), "a content that is no text: {"),
        (chat([7]), "a content that is no text: {"),
        (chat([{"text": 7}]), "a content that is no text: {"),
    ],
)
def test_what_is_no_answer(reply: Any, told: str) -> None:
    with pytest.raises(NoAnswer) as error:
        read_answer(reply, raw=False)
    assert str(error.value).startswith(told)


@pytest.mark.parametrize("body", [b"", b"<html>502</html>", b'{"choices": [', b"\xff\xfe\x00", b"[" * 100_000, b"9" * 5_000])
def test_what_is_no_json(body: bytes) -> None:
    with pytest.raises(NoAnswer, match=r"^no JSON: .+") as error:
        parse(body)
    assert len(str(error.value)) < 250


def test_an_excerpt_is_one_harmless_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-geheim-geheim")
    assert excerpt(b"bad key\r\n Bearer sk-geheim-geheim\x1b]0;title\x07 \xff") == "bad key Bearer *** ]0;title \ufffd"
