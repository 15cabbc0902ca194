"""JSON of other makers, with texts that can be written again."""

from __future__ import annotations

import json
import re
from typing import Any

_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_SURROGATE = re.compile("[\ud800-\udfff]")


def parse_json(text: str) -> Any:
    r"""As `json.loads`, but half of a character, such as an emoji cut in the middle leaves as `\ud83d`, becomes U+FFFD.

    No file, table or terminal takes such a half.

    Raises:
        json.JSONDecodeError: it is no JSON.
    """
    content = json.loads(text)
    return _whole(content) if _ESCAPED_SURROGATE.search(text) else content


def _whole(value: Any) -> Any:
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_whole(part) for part in value]
    if isinstance(value, dict):
        return {_whole(name): _whole(part) for name, part in value.items()}
    return value
