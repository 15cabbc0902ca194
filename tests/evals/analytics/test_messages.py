"""Chat messages of several frameworks: the model's words apart from those of tools and users."""

from __future__ import annotations

import json
from typing import Any

import pytest

from evals.analytics.external.messages import prompt_text, response_text, split_conversation

CALL = json.dumps({"id": "1", "type": "function", "function": {"name": "python", "arguments": json.dumps({"code": "print(6*7)"})}})
CODE = "```call\npython\nprint(6*7)\n```"


@pytest.mark.parametrize(
    ("value", "text", "between"),
    [
        ("plain", "plain", None),
        (None, "", None),
        ([], "", None),
        ([{"role": "assistant", "content": "42"}], "42", None),
        ([{"role": "assistant", "content": None}], "", None),
        ([{"role": "assistant"}], "", None),  # no content at all
        ({"role": "assistant", "content": "42"}, "42", None),
        ({"choices": [{"message": {"role": "assistant", "content": "42"}, "finish_reason": "stop"}]}, "42", None),
        ([{"from": "gpt", "value": "42"}], "42", None),
        ([{"role": "assistant", "content": "", "tool_calls": [CALL]}, {"role": "tool", "content": "Wait: 42"}], CODE, "Wait: 42"),
        ([{"role": "assistant", "content": "So", "tool_calls": [json.loads(CALL)]}], f"So\n{CODE}", None),
        (
            [{"role": "assistant", "content": "a"}, {"role": "user", "content": "go on"}, {"role": "assistant", "content": "b"}],
            "a\nb",
            "go on",
        ),
        (
            [{"role": "assistant", "content": [{"type": "reasoning", "reasoning": "hm"}, {"type": "text", "text": "42"}]}],
            "<think>hm</think>\n42",
            None,
        ),
        ([{"role": "assistant", "content": [{"type": "thinking", "thinking": "hm"}]}], "<think>hm</think>", None),
        ([{"role": "assistant", "content": "42", "reasoning_content": "hm"}], "<think>hm</think>\n42", None),
        ([{"role": "assistant", "content": [{"type": "image"}, {"type": "text", "text": "a cat"}]}], "[image]\na cat", None),
        (
            [{"role": "assistant", "content": [{"type": "tool_use", "name": "add", "input": {"x": 1, "y": 2}}]}],
            '```call\nadd\n{"x": 1, "y": 2}\n```',
            None,
        ),
        ([{"role": "user", "content": [{"type": "tool_result", "content": "3"}]}, {"role": "assistant", "content": "3"}], "3", "3"),
    ],
)
def test_responses(value: Any, text: str, between: str | None) -> None:
    assert response_text(value) == (text, between)


@pytest.mark.parametrize("value", [{"model": "m", "usage": {}}, 3, [1, 2], ["a", "b"]])
def test_what_is_no_response_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="the response is"):
        response_text(value)


def test_prompts() -> None:
    chat = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": [{"type": "text", "text": "1+1?"}]}]
    assert prompt_text(chat) == "system: Be brief.\nuser: 1+1?"
    assert prompt_text(chat[1:]) == "1+1?"
    assert (prompt_text(None), prompt_text(["q"]), prompt_text({"a": 1})) == (None, "q", '{"a": 1}')
    answer = [{"role": "assistant", "content": "2"}]
    assert split_conversation(chat + answer) == (chat, answer)
