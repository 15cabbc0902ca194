"""Commands with placeholders in braces, such as `{output}`, for bash.

What a placeholder stands for is quoted as its place in the command asks for, so a path with a blank or a quote in it is one word anywhere.
`${NAME}` is bash's own; `{{name}}` is written for `{name}` itself; other braces mean what they mean to bash.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Literal

from rl_core.errors import InputError
from rl_core.nearest import nearest

Quote = Literal["", "'", '"']

NAME = r"[A-Za-z_][\w.-]*"
# What can change how the next characters are read, and placeholders.
TOKEN = re.compile(rf"\$\{{[^{{}}]*\}}|\{{\{{{NAME}\}}\}}|\{{{NAME}\}}|\\.|(?<!\S)#[^\n]*|\$\(|['\"()]|.", re.DOTALL)
PLACEHOLDER = re.compile(rf"\{{({NAME})\}}")
ESCAPED = re.compile(rf"\{{(\{{{NAME}\}})\}}")


def placeholders(text: str) -> list[str]:
    """Names in the order in which they first stand in a text."""
    return list(dict.fromkeys(found[1] for token in TOKEN.findall(text) if (found := PLACEHOLDER.fullmatch(token))))


def check(text: str, known: Mapping[str, object]) -> None:
    """Raises InputError for a placeholder that is not known."""
    for name in placeholders(text):
        if name not in known:
            raise InputError(
                f"{{{name}}} stands for nothing here; {nearest(name, known)} (write {{{{{name}}}}} where the command wants the braces)"
            )


def fill_in(text: str, values: Mapping[str, str]) -> str:
    """A text that no shell reads, such as the value of a variable, with values in the place of placeholders."""
    return "".join(_plain(token, values) for token in TOKEN.findall(text))


def fill_in_command(text: str, values: Mapping[str, str]) -> str:
    """A command for bash with values in the place of placeholders, each as it has to be written there.

    Quotes, escapes, comments and `$(…)` are followed; in a here-document a value is written as outside of quotes.
    """
    filled = []
    inside: list[Quote] = [""]  # the quotes around this place, innermost last
    for token in TOKEN.findall(text):
        quote = inside[-1]
        if PLACEHOLDER.fullmatch(token):
            filled.append(_quoted(values[token[1:-1]], quote))
            continue
        filled.append(_plain(token, values) if ESCAPED.fullmatch(token) else token)
        if quote == "'":
            if token == "'":
                inside.pop()
        elif token == '"' and quote == '"':
            inside.pop()
        elif token == '"' or (token == "'" and quote == ""):
            inside.append(token)
        elif token == "$(" or (token == "(" and quote == ""):
            inside.append("")
        elif token == ")" and quote == "" and len(inside) > 1:
            inside.pop()
    return "".join(filled)


def _plain(token: str, values: Mapping[str, str]) -> str:
    if escaped := ESCAPED.fullmatch(token):
        return escaped[1]
    found = PLACEHOLDER.fullmatch(token)
    return values[found[1]] if found else token


def _quoted(value: str, quote: Quote) -> str:
    if quote == "'":
        return value.replace("'", "'\\''")
    return re.sub(r'([\\"$`])', r"\\\1", value) if quote == '"' else shlex.quote(value)
