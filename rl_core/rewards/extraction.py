"""Finding the final answer of a mathematical response. Everything here takes time linear in the length of the response."""

from __future__ import annotations

import re

from rl_core.rewards.spans import THINKING, find_spans

# ASCII digits only: \d would take any script's.
NUMBER = re.compile(r"(?<![0-9A-Za-z.,)])-?(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?:\.[0-9]+)?")
_BRACES = re.compile(r"\\(?:boxed|fbox)\s*\{|\\.|[{}]", re.DOTALL)
_JOIN = re.compile(r"[\s$]*(?:,|,?\s*\$?\s*(?:\\text\s*\{)?\s*(?:and|or)\s*\}?)[\s$]*")
_LONGEST_JOIN = 20  # characters between two boxes that are one answer
_PHRASE = re.compile(r"(?ai)\banswer(?:\s+is\b\s*:?|\s*:)[ \t*]*")
_MATH_SPAN = re.compile(r"\$+([^$\n]+)\$|\\\(([^\n]+?)\\\)")


def extract_answer(response: str, *, any_number: bool = False) -> str | None:
    r"""The final answer as written, or None.

    Only what follows the last `</think>` or `</reasoning>` counts. In it, in this order: the last balanced `\boxed{}` with
    those that a comma, "and" or "or" joins to it, the last `<answer>…</answer>`, the last `####` line, the last "answer is …" or
    "answer: …". With `any_number` the last number of the text stands in for all of these, and prose around a single number is dropped.
    """
    closed = [position + len(closing) for _, closing in THINKING if (position := response.rfind(closing)) >= 0]
    final = response[max(closed, default=0) :]
    found = _boxed_answers(final)
    if found is None:
        found = _tagged(final) or _after_hashes(final) or _after_phrase(final)
        if found is not None and (inner := last_boxed(found)) is not None:
            found = inner
    if any_number:
        numbers = NUMBER.findall(final if found is None else found)
        if found is None:
            found = numbers[-1] if numbers else None
        elif len(numbers) == 1 and _is_prose(found):
            found = numbers[0]
    return (found.strip() or None) if found is not None else None


def _is_prose(text: str) -> bool:
    words = re.findall(r"[a-z]{2,}|\$", re.sub(r"\\[A-Za-z]+", "", text.lower()))
    return bool(words) and "not" not in words


def last_boxed(text: str) -> str | None:
    r"""Inside of the last balanced `\boxed{}` or `\fbox{}`; of nested ones the innermost that is nothing but a box's content."""
    boxes = _boxes(text)
    return _innermost(text, boxes, next(reversed(boxes))) if boxes else None


def _boxed_answers(text: str) -> str | None:
    r"""As `last_boxed`, with the boxes before it that a comma, "and" or "or" joins to it: `\boxed{1}` and `\boxed{2}` are two answers."""
    boxes = _boxes(text)
    answers: list[str] = []
    after = None  # where the box begins that was taken last
    for command in reversed(boxes):
        end = boxes[command][1] + 1
        if after is not None and (end > after or after - end > _LONGEST_JOIN or not _JOIN.fullmatch(text, end, after)):
            if end > after:
                continue  # inside of or around a box that was taken
            break
        answers.insert(0, _innermost(text, boxes, command))
        after = command
    return ", ".join(dict.fromkeys(answers)) if answers else None


def _boxes(text: str) -> dict[int, tuple[int, int]]:
    """Inside of each closed box by where its command begins, in the order in which they close."""
    boxes: dict[int, tuple[int, int]] = {}
    opened: list[tuple[int, int] | None] = []  # command and inside of the boxes that are open, None for other groups
    for token in _BRACES.finditer(text):
        if token[0].endswith("{") and token[0] != "\\{":
            opened.append((token.start(), token.end()) if token[0] != "{" else None)
        elif token[0] == "}" and opened and (box := opened.pop()) is not None:
            boxes[box[0]] = box[1], token.start()
    return boxes


def _innermost(text: str, boxes: dict[int, tuple[int, int]], command: int) -> str:
    start, end = boxes[command]
    while True:
        while start < end and text[start].isspace():
            start += 1
        while end > start and text[end - 1].isspace():
            end -= 1
        inner = boxes.get(start)
        if inner is None or inner[1] + 1 != end:
            return text[start:end]
        start, end = inner


def _tagged(text: str) -> str | None:
    span = find_spans(text).answer
    return text[slice(*span)].strip() if span else None


def _after_hashes(text: str) -> str | None:
    start = text.rfind("####")
    return text[start + 4 :].partition("\n")[0].strip() if start >= 0 else None


def _after_phrase(text: str) -> str | None:
    """What the last "the answer is" names: a number or a formula directly after it, else a short rest of the sentence."""
    ends = [match.end() for match in _PHRASE.finditer(text)]
    if not ends:
        return None
    rest = text[ends[-1] : ends[-1] + 400].partition("\n")[0].strip()
    if formula := _MATH_SPAN.match(rest):
        return (formula[1] or formula[2]).strip()
    if number := re.match(r"\$?(" + NUMBER.pattern + r")(?=[\s.,;!*]|$)", rest):
        return number[1]
    return re.split(r"[.;!]\s|[.;!]$|\*\*", rest)[0].strip() or None
