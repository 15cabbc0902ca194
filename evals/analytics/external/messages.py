"""Chat messages as text: what the model wrote, apart from what tools and users wrote."""

import json
from typing import Any

MODEL = {"assistant", "model", "gpt", "ai", "bot", ""}  # "": a completion that names no role
TOOL_PARTS = {"tool_result", "function_call_output"}


def is_messages(value: Any) -> bool:
    """Whether a value is a list of chat messages, also of those without content."""
    return isinstance(value, list) and bool(value) and all(isinstance(one, dict) and (_role(one) or "content" in one) for one in value)


def prompt_text(value: Any) -> str | None:
    """A prompt as text: messages one after another with their roles, one message without; None where there is none."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list) and len(value) == 1 and not is_messages(value):
        return prompt_text(value[0])
    if not is_messages(value):
        return json.dumps(value, ensure_ascii=False, default=str)
    texts = [_content(message)[0] for message in value]
    return texts[0] if len(texts) == 1 else "\n".join(f"{_role(message)}: {text}" for message, text in zip(value, texts, strict=True))


def response_text(value: Any) -> tuple[str, str | None]:
    """What the model wrote in a completion, and what others wrote in between (None: nothing).

    A text is the model's; of messages those with the role of the model are, with their calls of tools as code blocks; of a completion
    object of the OpenAI kind the first choice is.

    Raises ValueError if the value is something else.
    """
    if value is None:
        return "", None
    if isinstance(value, str):
        return value, None
    if isinstance(value, dict):
        return _object_text(value)
    if isinstance(value, list) and not value:
        return "", None
    if not is_messages(value):
        raise ValueError("the response is neither a text nor chat messages")
    own, others = [], []
    for message in value:
        text, output = _content(message)
        if _role(message) in MODEL:
            own.append(text)
            others.append(output)
        else:
            others += [text, output]
    between = "\n".join(text for text in others if text)
    return "\n".join(text for text in own if text), between or None


def split_conversation(messages: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """A conversation as its prompt, up to the first message of the model, and the rest."""
    first = next((at for at, message in enumerate(messages) if _role(message) in MODEL), len(messages))
    return messages[:first], messages[first:]


def _object_text(value: dict[str, Any]) -> tuple[str, str | None]:
    if isinstance(value.get("choices"), list):
        choices = value["choices"]
        return response_text([choices[0]["message"]] if "message" in choices[0] else choices[0].get("text")) if choices else ("", None)
    if "content" in value or "role" in value:
        return response_text([value | {"role": "assistant"}])
    for name in ("text", "generated_text"):
        if isinstance(value.get(name), str):
            return value[name], None
    raise ValueError(f"the response is an object of {', '.join(value)}, not a text")


def _role(message: dict[str, Any]) -> str:
    return str(message.get("role") or message.get("from") or "").lower()


def _content(message: dict[str, Any]) -> tuple[str, str]:
    """The text of a message, and the output of tools in it."""
    content = next((message[name] for name in ("content", "value", "text", "refusal") if message.get(name) is not None), "")
    thought = next((message[name] for name in ("reasoning_content", "reasoning", "thinking") if isinstance(message.get(name), str)), "")
    own = [f"<think>{thought}</think>"] if thought else []
    others: list[str] = []
    for part in content if isinstance(content, list) else [content]:
        kind = part.get("type", "") if isinstance(part, dict) else ""
        (others if kind in TOOL_PARTS else own).append(_part(part, kind))
    calls = message.get("tool_calls") or ([message["function_call"]] if message.get("function_call") else [])
    own += [_call(call) for call in calls]
    return "\n".join(text for text in own if text), "\n".join(text for text in others if text)


def _part(part: Any, kind: str) -> str:
    if not isinstance(part, dict):
        return "" if part is None else str(part)
    if kind in ("reasoning", "thinking"):
        thought = part.get("reasoning") or part.get("thinking") or part.get("summary") or ""
        return f"<think>{thought}</think>" if isinstance(thought, str) and thought else ""
    if kind in ("tool_use", "function_call"):
        return _call(part)
    if kind in TOOL_PARTS:
        return prompt_text(part.get("content", part.get("output"))) or ""
    for name in ("text", "output_text", "refusal"):
        if isinstance(part.get(name), str):
            return str(part[name])
    return f"[{kind or 'part'}]"  # an image, a sound, a file


def _call(call: Any) -> str:
    """A call of a tool as a code block: its name, then its arguments; code is shown as it is."""
    call = _parsed(call)
    if not isinstance(call, dict):
        return f"```call\n{call}\n```"
    function = call["function"] if isinstance(call.get("function"), dict) else call
    name = function.get("name") or call.get("function") or ""
    arguments = _parsed(next((function[key] for key in ("arguments", "input", "parameters") if key in function), ""))
    if isinstance(arguments, dict) and len(arguments) == 1 and isinstance(only := next(iter(arguments.values())), str):
        arguments = only
    shown = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    return f"```call\n{name}\n{shown}\n```"


def _parsed(value: Any) -> Any:
    """A text that holds JSON as what it holds."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value
