"""Where the parts of an answer are: elements of lists, insides of brackets, rows of matrices, sides of equations."""

import itertools
import re

OPENING, CLOSING = "([{\u27e8\u2774", ")]}\u27e9\u2775"
_SEPARATOR = re.compile(r"[,;]\s*(?:and |or )?|\s(?:and|or)\s")
_MATRIX = re.compile(
    r"(?P<factor>[^=,;]*?)\s*[(\[]?\s*\\begin ?\{(?:[bpvBV]?matrix|smallmatrix|array)\}\s*(?:\{[clr| ]*\})?(?P<inside>.*?)"
    r"\\end ?\{(?:[bpvBV]?matrix|smallmatrix|array)\}\s*[)\]]?\s*(?P<transposed>\^\{? ?(?:T|\\top) ?\}?)?"
)


def split(text: str, separator: re.Pattern[str] = _SEPARATOR) -> list[str]:
    """Parts between separators that stand outside of all brackets; empty parts are kept."""
    parts, depth, start, position = [], 0, 0, 0
    while position < len(text):
        if text[position] in OPENING:
            depth += 1
        elif text[position] in CLOSING:
            depth = max(0, depth - 1)
        elif depth == 0 and (found := separator.match(text, position)):
            parts.append(text[start:position].strip())
            start = position = found.end()
            continue
        position += 1
    return [*parts, text[start:].strip()]


def bracketed(text: str) -> tuple[str, str, str] | None:
    """Opening bracket, inside and closing bracket of a text that is one group; `(1,2]` is one, `(1)(2)` is none."""
    if len(text) < 2 or text[0] not in OPENING or text[-1] not in CLOSING:
        return None
    depth = 0
    for position, sign in enumerate(text):
        depth += (sign in OPENING) - (sign in CLOSING)
        if depth == 0 and position < len(text) - 1:
            return None
    return (text[0], text[1:-1].strip(), text[-1]) if depth == 0 else None


def expand_signs(text: str) -> list[str]:
    """All readings of plus-minus signs, which are independent of each other unless there is a minus-plus."""
    count = text.count("\u00b1") + text.count("\u2213")
    if not 1 <= count <= 4:
        return [text]
    if "\u2213" in text:
        return [text.replace("\u00b1", one).replace("\u2213", other) for one, other in ("+-", "-+")]
    pieces = text.split("\u00b1")
    found = ("".join(map("".join, zip(pieces, [*signs, ""], strict=True))) for signs in itertools.product("+-", repeat=count))
    return [re.sub(r"(^|[=(\[,{\u2774])\s*\+", r"\1", reading) for reading in found]


def elements(text: str) -> list[str]:
    """The answers that a text lists, plus-minus signs expanded; braces of a set and unions of finite sets are opened."""
    text = re.sub("^[A-Za-z] ?\u2208 ?(?=\u2774)", "", text)
    pieces = split(text, re.compile("\u222a"))
    groups = [bracketed(piece) for piece in pieces]
    if all(group and group[0] in "\u2774{" for group in groups):
        text = ",".join(group[1] for group in groups if group)
    parts = split(text)
    parts = [part for part in parts if part] if parts[-1] == "" or re.search(r",\s*(?:and|or)\s", text) else parts
    return [reading for part in parts for reading in expand_signs(part)]


def matrix(text: str) -> tuple[str, list[list[str]]] | None:
    """The factor before a matrix (empty: none) and its rows of entries."""
    if found := _MATRIX.fullmatch(text):
        rows = [row for row in re.split(r"\\\\(?:\[[^\]]*\])?", found["inside"].replace(r"\hline", "")) if row.strip()]
        entries = [[entry.strip() for entry in row.split("&")] for row in rows]
        if found["transposed"]:
            entries = [list(column) for column in zip(*entries, strict=False)]
        return found["factor"].rstrip("\u00b7 "), entries
    group = bracketed(text)
    if (
        group
        and group[0] in "[("
        and (inner := [bracketed(part) for part in split(group[1])])
        and all(part and part[0] == "[" for part in inner)
    ):
        return "", [split(part[1]) for part in inner if part]
    return None


def sides(text: str) -> list[str]:
    return split(text, re.compile(r"=|\u2261(?!.*\\pmod)"))
