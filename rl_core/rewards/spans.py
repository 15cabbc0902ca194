"""Where the thinking and the answer of a response lie."""

from __future__ import annotations

from typing import NamedTuple

Span = tuple[int, int]  # character offsets, end exclusive


class Spans(NamedTuple):
    """Insides of the tags of a response; None where a part is missing."""

    think: Span | None
    answer: Span | None


def find_spans(response: str) -> Spans:
    """Locate thinking and answer in time linear in the length of the response.

    Thinking runs from the first `<think>` to the first `</think>` after it, or to the end when it is never closed. The answer is the
    inside of the last `<answer>` that is closed.
    """
    return Spans(_think(response), _answer(response))


def _think(response: str) -> Span | None:
    opened = response.find("<think>")
    if opened < 0:
        return None
    start = opened + len("<think>")
    end = response.find("</think>", start)
    return start, end if end >= 0 else len(response)


def _answer(response: str) -> Span | None:
    # From the end backwards: a lazy regular expression is quadratic on a text of many unclosed tags.
    opened = response.rfind("<answer>", 0, max(response.rfind("</answer>"), 0))
    if opened < 0:
        return None
    start = opened + len("<answer>")
    return start, response.index("</answer>", start)
