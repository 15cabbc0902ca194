"""Where the thinking and the answer of a response lie."""

from collections.abc import Sequence
from typing import NamedTuple

Span = tuple[int, int]  # character offsets, end exclusive
THINKING = (("<think>", "</think>"), ("<reasoning>", "</reasoning>"))  # the second pair: Unsloth's notebooks


class Spans(NamedTuple):
    """Insides of the tags of a response; None where a part is missing."""

    think: Span | None
    answer: Span | None


def find_spans(response: str, thinking: Sequence[tuple[str, str]] = THINKING) -> Spans:
    """Locate thinking and answer in time linear in the length of the response.

    Thinking runs from the first opening tag to the first closing tag of its kind after it, or to the end when it is never closed; from
    the start where a chat template has opened it in the prompt, so that only `</think>` is there. The answer is the inside of the last
    `<answer>` that is closed.

    Args:
        thinking: opening and closing tags that count; the first pair is the one that a template may have opened.
    """
    return Spans(_think(response, thinking), _answer(response))


def _think(response: str, thinking: Sequence[tuple[str, str]]) -> Span | None:
    opened = [(position, *tags) for tags in thinking if (position := response.find(tags[0])) >= 0]
    if not opened:
        end = response.find(thinking[0][1])
        return (0, end) if end >= 0 else None
    position, opening, closing = min(opened)
    start = position + len(opening)
    end = response.find(closing, start)
    return start, end if end >= 0 else len(response)


def _answer(response: str) -> Span | None:
    # From the end backwards: a lazy regular expression is quadratic on a text of many unclosed tags.
    opened = response.rfind("<answer>", 0, max(response.rfind("</answer>"), 0))
    if opened < 0:
        return None
    start = opened + len("<answer>")
    return start, response.index("</answer>", start)
