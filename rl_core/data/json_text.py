"""JSON of other makers, with texts that can be written again."""

from __future__ import annotations

import json
import re
from typing import Any

_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_HALF = re.compile("[\ud800-\udfff]")


def parse_json(text: str) -> Any:
    """As `json.loads`, with the texts `without_halves`.

    Raises:
        json.JSONDecodeError: it is no JSON.
    """
    content = json.loads(text)
    return _whole(content) if _ESCAPED_SURROGATE.search(text) else content


def without_halves(text: str) -> str:
    r"""U+FFFD for half of a character, such as a cut emoji leaves as `\ud83d`: no file, table or terminal takes one."""
    return _HALF.sub("\ufffd", text)


def _whole(value: Any) -> Any:
    if isinstance(value, str):
        return without_halves(value)
    if isinstance(value, list):
        return [_whole(part) for part in value]
    if isinstance(value, dict):
        return {_whole(name): _whole(part) for name, part in value.items()}
    return value
