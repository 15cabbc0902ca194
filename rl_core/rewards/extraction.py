"""Finding the final answer of a mathematical response. Everything here takes time linear in the length of the response."""

import re
from collections.abc import Sequence

from rl_core.rewards.run_on import own_answer
from rl_core.rewards.spans import THINKING

# ASCII digits only: \d would take any script's.
NUMBER = re.compile(r"(?<![0-9A-Za-z.,)])-?(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?:\.[0-9]+)?")
_BRACES = re.compile(r"\\(?:boxed|fbox)\s*\{|\\.|[{}]", re.DOTALL)
_TAGS = re.compile(r"<answer>|</answer>")
# What joins one candidate to the next: "or", "and perhaps", "as well as", "(or".
_HEDGE = r"else|maybe|perhaps|possibly|probably|alternatively|even|also|either|could|might|may"
_FILLER = rf"{_HEDGE}|then|the|final|answer|it|is|be|option|choice|equivalently"
_OR = r"and/or|or|nor|versus|vs\.?|&|/|\|"
_AND = r"as well as|together with|along with|and|plus"
_JOINED = (
    rf"(?:[,;(\u2013-]?\s*(?:\b(?:{_OR})(?![A-Za-z])|[&/|])(?:[\s,]*\b(?:{_FILLER})\b){{0,6}}"
    rf"|[,;(\u2013-]?\s*\b(?:{_AND})(?![A-Za-z])(?:\s*\b(?:{_HEDGE})\b){{0,3}}"
    rf"|[,;(]\s*(?:but\s+)?\b(?:{_HEDGE})\b(?:\s*\b(?:{_FILLER})\b){{0,5}})"
)
_JOIN = re.compile(rf"(?ai)[\s$.]*(?:[,;]|,?\s*\$?\s*(?:\\text\s*\{{\s*)?(?:{_JOINED})\s*\}}?)[\s$:]*")
# Or in the same sentence, without a word that takes the first one back.
_OR_SENTENCE = re.compile(
    r"(?ai)(?!.*\b(?:rather|actually|wait|no|sorry|instead|correct\w*|mistake|wrong|better)\b)[^.!?\n]*\b(?:or|alternatively)\b[^.!?\n]*"
)
_OR_PHRASE = re.compile(rf"(?ai)[\s$*.,;]*(?:{_JOINED})(?:\s+(?:my|correct|other|right))*\s*")
_LONGEST_JOIN = 60  # characters between two candidates that are one answer
_PHRASE = re.compile(r"(?ai)\banswers?(?:\s+(?:is|are)\b\s*:?|\s*:)[ \t*]*")
_MATH_SPAN = re.compile(r"\$+([^$\n]+)\$|\\\(([^\n]+?)\\\)")
_VALUE = re.compile(r"\$?(" + NUMBER.pattern + r")(?=[\s.,;!*]|$)")
# After a value and its unit: another candidate, the rest of a calculation or of a range, or a condition under which there is another.
_UNIT = r"[\s$*).;]*(?:\\?%|[a-z]{1,20})?[\s$*)]*"
_ANOTHER = re.compile(
    rf"(?ai){_UNIT}(?:(?!\s*[,;(]?\s*and\b){_JOINED}|(?:to|through)\b|[-\u2013~*\u00d7x+=\u00f7^])[\s$*(:,]*(?:-?[0-9]|\\[a-z(]|\$)"
    rf"|{_UNIT}and\s+(?:(?:{_HEDGE})\s+)*[$*\\(]*-?[0-9][0-9.,/]*[$*\\)]*(?:\s+[a-z]+)?[.!*]*\s*(?:$|,)"
)
_LISTED = re.compile(r"[$*]*[,;]\s*\$?(?:" + NUMBER.pattern + r")[$*]*\s*(?:,|[.!]?\s*$|[.!]\s)")
# "18 or more", "18 dollars at least": a bound, not the number.
_BOUND = re.compile(
    rf"(?ai){_UNIT},?\s*(?:(?:or|and)\s+(?:more|less|fewer|greater|larger|smaller|higher|lower|above|below|over|under|up|beyond|older|younger)"
    r"|at\s+(?:least|most))\b"
)
# Not before an "or" that takes it back, nor between the members of a list.
_SENTENCE = re.compile(
    r"(?ai)(?:(?<!\bvs)\.|!)(?:\s(?!\s*(?:or|and|alternatively|maybe|as\s+well\s+as|along\s+with|together\s+with|plus)\b)|$)"
    r"|;(?:\s(?!\s*(?:or|and|alternatively|maybe|\(?[A-J]\)?(?![a-z])|-?[0-9]))|$)"
)
_OTHERWISE = re.compile(r"(?ai)\b(?:else|otherwise|alternatively|maybe|perhaps|possibly)\b[^.;!]*[0-9$\\]")
# Words that make of a number something else than that number.
_NOT_THE_NUMBER = re.compile(
    r"(?ai)\b(?:not|never|neither|nor|or|isn't|cannot|unless|otherwise|between|"
    r"(?:more|less|fewer|greater|larger|smaller|higher|lower|other|rather)\s+than|at\s+(?:least|most)|up\s+to|"
    r"(?:above|below|beyond|under|over|exceeds?|exceeding)(?=\s+\$?-?[0-9])|as\s+well\s+as|maybe|perhaps|possibly|(?:might|could|may)\s+be)(?![a-z])|\?"
)
_DENIED = re.compile(r"(?ai)(?:\bnot|n't|n\u2019t|\bnever|\bneither)\s+(?:equal\s+(?:to\s+)?|be\s+)?[$*]*$")


def extract_answer(response: str, *, any_number: bool = False) -> str | None:
    r"""The final answer as written, or None.

    Only what follows the last `</think>` or `</reasoning>` counts, and nothing of a next question that the response goes on with
    (`run_on`). In it, in this order: the last balanced `\boxed{}`, the last `<answer>…</answer>`, the last `####` line, the last
    "answer is …" or "answer: …". Candidates that a comma, "and", "or" and the like join are one answer, which names them all. With
    `any_number` the last number of the text stands in for all of these, and prose around a single number is dropped.
    """
    final = after_thinking(own_answer(response))
    found = boxed_answers(final)
    if found is None:
        found = _tagged(final) or _after_hashes(final) or _after_phrase(final)
        if found is not None and (inner := last_boxed(found)) is not None:
            found = inner
    if any_number:
        found = _last_number(final) if found is None else _without_prose(found)
    return (found.strip() or None) if found is not None else None


def after_thinking(text: str) -> str:
    """What follows the last end of thinking."""
    closed = [position + len(closing) for _, closing in THINKING if (position := text.rfind(closing)) >= 0]
    return text[max(closed, default=0) :]


# What a program printed, and no more than one sentence after it.
_PRINTED = re.compile(r"```output\s*\n\s*(-?[0-9][0-9,]*(?:\.[0-9]+)?)\s*\n```\s*[^\n=]{0,200}\s*\Z")


def _last_number(text: str) -> str | None:
    numbers = list(NUMBER.finditer(text))
    if not numbers:
        return None
    last = numbers[-1]
    if _DENIED.search(text, max(0, last.start() - 40), last.start()):
        return f"not {last[0]}"
    if printed := _PRINTED.search(text):
        return printed[1]
    before = numbers[-2] if len(numbers) > 1 else last
    if 0 < last.start() - before.end() <= _LONGEST_JOIN and not re.search(r"[-=+*/\u00d7\u00f7(]\s*\$?$", text[: before.start()][-4:]):
        between = text[before.end() : last.start()]
        if re.fullmatch(rf"(?ai)[\s$*,]*(?:[a-z]+\s+)?(?:{_JOINED})[\s$*]*", between) and re.search(r"(?ai)\bor\b", between):
            return text[before.start() : last.end()]
    return last[0]


def _without_prose(text: str) -> str:
    """A single number among words that leave it what it is, also that behind the `=` of a calculation; any other text as it is."""
    if not _is_prose(text):
        return text
    numbers = NUMBER.findall(text.rpartition("=")[2])
    return numbers[0] if len(numbers) == 1 else text


def _is_prose(text: str) -> bool:
    plain = re.sub(r"\\[A-Za-z]+", "", text)
    return re.search(r"[A-Za-z]{2,}|\$", plain) is not None and _NOT_THE_NUMBER.search(plain) is None


def last_boxed(text: str) -> str | None:
    r"""Inside of the last balanced `\boxed{}` or `\fbox{}`; of nested ones the innermost that is nothing but a box's content."""
    boxes = _boxes(text)
    return _innermost(text, boxes, next(reversed(boxes))) if boxes else None


def boxed_answers(text: str) -> str | None:
    r"""As `last_boxed`, with the boxes before it that are joined to it: `\boxed{1}` and `\boxed{2}` are two answers."""
    boxes = _boxes(text)
    outermost: list[int] = []  # where boxes begin that are in no other one, from the last to the first
    for command in reversed(boxes):
        if not outermost or boxes[command][1] < outermost[-1]:
            outermost.append(command)
    found = [(command, boxes[command][1] + 1, _innermost(text, boxes, command)) for command in reversed(outermost)]
    return _joined(text, [box for box in found if box[2]])  # an empty box repeats what was asked for


def _joined(text: str, candidates: Sequence[tuple[int, int, str]]) -> str | None:
    """The last of the candidates (start, end, content) with those before it that are joined to it."""
    answers: list[str] = []
    joins: list[str] = []
    after = None  # where the candidate begins that was taken last
    for start, end, content in reversed(candidates):
        if after is not None:
            between = text[end:after]
            if len(between) > _LONGEST_JOIN or not (_JOIN.fullmatch(between) or _OR_SENTENCE.fullmatch(between)):
                break
            joins.append(between)
        answers.insert(0, content)
        after = start
    separator = " or " if joins and all(re.search(r"(?ai)\bor\b", join) for join in joins) else ", "
    return separator.join(dict.fromkeys(answers)) if answers else None


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
    candidates: list[tuple[int, int, str]] = []
    opened: re.Match[str] | None = None
    for tag in _TAGS.finditer(text):
        if tag[0] == "<answer>":
            opened = tag
        elif opened is not None:
            candidates.append((opened.start(), tag.end(), text[opened.end() : tag.start()].strip()))
            opened = None
    return _joined(text, candidates)


def _after_hashes(text: str) -> str | None:
    lines = [(match.start(), match.end(), match[1].strip()) for match in re.finditer(r"####([^\n]*)", text)]
    return _joined(text, lines)


def _after_phrase(text: str) -> str | None:
    """What the last "the answer is" names: a number or a formula directly after it, else a short rest of the sentence."""
    phrases = list(_PHRASE.finditer(text))
    if not phrases:
        return None
    found = _named(text, phrases[-1].end())
    if len(phrases) > 1:
        before = _named(text, phrases[-2].end())
        start = text.find(before, phrases[-2].end()) if before else -1
        if before and start + len(before) > phrases[-1].start() and (_VALUE.match(before) or _MATH_SPAN.match(before)):
            return before  # one sentence with both of them
        if before and before != found and _OR_PHRASE.fullmatch(text, start + len(before), phrases[-1].start()):
            return text[start : phrases[-1].end()] + found
    return found or None


def _named(text: str, start: int) -> str:
    """The value that stands at `start`, or what a sentence says there that names none or several."""
    rest = text[start : start + 400].partition("\n")[0].strip()
    value = _MATH_SPAN.match(rest) or _VALUE.match(rest)
    if value and not _is_undecided(rest[value.end() :]):
        return next(group for group in value.groups() if group).strip()
    sentence = _SENTENCE.split(rest)[0].strip()
    return sentence if value else sentence.partition("**")[0].strip()


def _is_undecided(rest: str) -> bool:
    """Whether a sentence goes on with another candidate after its value."""
    sentence = _SENTENCE.split(rest)[0]
    return any(pattern.match(sentence) for pattern in (_ANOTHER, _LISTED, _BOUND)) or _OTHERWISE.search(sentence) is not None
