r"""Reading one number of an answer: `1,234.5`, `$18`, `-3/4`, `1 1/2`, `\frac{1}{2}`, `12%`, `1.5e-3`, `3 \times 10^{8}`, `18 apples`."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import NamedTuple

LONGEST = 400  # characters of an answer
_MOST_ZEROS = 400  # of a power of ten: more than a float holds
_POWER = r"10\s*(?:\^|\*\*)\s*\{?\s*([-+]?[0-9]{1,4})\s*\}?"
_PLAIN = (
    (re.compile(r"[\u2212\u2013\ufe63\uff0d]"), "-"),
    (re.compile(r"\\(?:text\w*|math\w+|mbox|operatorname)\s*\{([^{}]*)\}"), r" \1 "),
    (re.compile(r"\\[dt]?frac\s*\{\s*([-+]?[0-9]+)\s*\}\s*\{\s*([0-9]+)\s*\}"), r" \1/\2 "),
    (re.compile(r"\\[dt]?frac\s*([0-9])\s*([0-9])"), r" \1/\2 "),
    (re.compile(r"\{,\}|\\,(?=[0-9]{3})|(?<=[0-9]),\\?[!;](?=[0-9]{3})"), ","),
    (re.compile(r"\\(?:left|right|displaystyle|quad|qquad|circ|degree)(?![A-Za-z])|\\[,;:! ()\[\]]|[*_`~]{2,}|[$\u20ac\u00a3\u00a5]"), " "),
    (re.compile(r"\\?%|(?i:\bper\s?cent\b)"), " % "),
    (re.compile(rf"(?<=[0-9.])\s*(?:\\times|\\cdot|[*\u00d7\u00b7x])\s*{_POWER}"), r"e\1 "),
    (re.compile(rf"(?<![0-9.,]){_POWER}"), r" 1e\1 "),
)
_DIGITS = r"(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)"
_NUMBER = re.compile(
    rf"(?<![0-9A-Za-z.,/])(?P<sign>[-+]?)\s*(?:(?P<whole>[0-9]+)\s+)?(?P<over>[0-9]+)\s*/\s*(?P<under>[0-9]+)(?![0-9.,]*[0-9]|\s*/)"
    rf"|(?<![0-9A-Za-z.,/])(?P<minus>[-+]?)\s*(?P<value>{_DIGITS}(?:\.[0-9]*)?|\.[0-9]+)(?:[eE](?P<exponent>[-+]?[0-9]{{1,4}}))?(?![0-9A-Za-z])"
)
# Words and signs that make of a number something else than that number.
_OTHERWISE = re.compile(
    r"(?ai)\b(?:not|never|neither|nor|or|isn't|cannot|unless|otherwise|between|about|around|approximately|"
    r"(?:more|less|fewer|greater|larger|smaller|higher|lower|other|rather)\s+than|at\s+(?:least|most)|up\s+to|above|below|over|under|"
    r"maybe|perhaps|possibly|(?:might|could|may)\s+be)\b|[?<>^!+*]|\\[A-Za-z]"
)


class Number(NamedTuple):
    """A value, and whether it is written as a percentage (12% is 0.12)."""

    value: Fraction
    percent: bool


def read_number(text: str) -> Number | None:
    """The one number of a text, that behind the last `=` of a calculation; None where there is none, several, or a hedged one."""
    if len(text) > LONGEST:
        return None
    for pattern, plain in _PLAIN:
        text = pattern.sub(plain, text)
    text = text.rpartition("=")[2]
    found = list(_NUMBER.finditer(text))
    if len(found) != 1:
        return None
    match = found[0]
    rest = f"{text[: match.start()]} {text[match.end() :]}"
    if re.search(r"[0-9]", rest) or _OTHERWISE.search(rest) or rest.count("%") > 1:
        return None
    value = _value(match)
    percent = "%" in rest
    return None if value is None else Number(value / 100 if percent else value, percent)


def _value(match: re.Match[str]) -> Fraction | None:
    if match["over"]:
        if not (under := int(match["under"])):
            return None
        value = int(match["whole"] or 0) + Fraction(int(match["over"]), under)
        return -value if match["sign"] == "-" else value
    exponent = int(match["exponent"] or 0)
    if abs(exponent) > _MOST_ZEROS:
        return None
    value = Fraction(match["value"].replace(",", "").rstrip(".")) * Fraction(10) ** exponent
    return -value if match["minus"] == "-" else value


def agree(gold: Number, answer: Number, relative: Fraction, absolute: Fraction) -> bool:
    """Whether two numbers differ by no more than the larger of both allowances; where one lacks the percent sign, it may be meant."""
    readings = [(gold.value, answer.value)]
    if gold.percent != answer.percent:  # 12 for 12%, and 12% for 12: of the one that has the sign, the number before it
        readings.append((gold.value * 100 if gold.percent else gold.value, answer.value * 100 if answer.percent else answer.value))
    return any(abs(expected - given) <= max(relative * abs(expected), absolute) for expected, given in readings)
