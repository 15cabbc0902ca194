"""Whether two mathematical answers are equal: an exact decision where the texts allow one, else by meaning (`equivalence`).

The exact part is linear in the texts and safe anywhere. The rest belongs in a process that may be killed, `rl_core.rewards.pool`: what
`equivalence` does not read goes to math-verify, which can take any time and memory (`9^{9^9}`).
"""

import logging
import re
from fractions import Fraction
from functools import lru_cache
from typing import Any

from rl_core.errors import InputError
from rl_core.outcome import Outcome
from rl_core.rewards.equivalence import comparison, scalars
from rl_core.rewards.equivalence.cleaning import MAX_CHARACTERS, clean, compact
from rl_core.rewards.equivalence.gold import is_readable

_INTEGER = r"(?:[0-9]{1,3}(?:[, ][0-9]{3})+|[0-9]+)"
_OR = re.compile(r"\s*(?:\$\s*)?(?:\bor\b|\\text\s*\{\s*or\s*\})\s*")
_OR_IN_BRACKETS = re.compile(r"\(\s*or\b([^()]*)\)")
MOST_FORMS = 4  # of one answer, joined by "or"
_PLAIN = re.compile(r"[+-]?[0-9]{1,30}(?:\.[0-9]{1,30})?")
_DECIMAL = re.compile(rf"([+-]?)({_INTEGER}(?:\.[0-9]*)?|\.[0-9]+)")
_RATIO = re.compile(r"([+-]?)([0-9]+)/([0-9]+)")
_LATEX_RATIO = re.compile(r"([+-]?)\\frac(?:\{([+-]?[0-9]+)\}\{([0-9]+)\}|([0-9])([0-9]))")
_MIXED = re.compile(r"([+-]?)([0-9]+)(?: ?\\frac\{([0-9]+)\}\{([0-9]+)\}|[ -]([0-9]+)/([0-9]+))")


def quick(gold: str, answer: str) -> Outcome | None:
    """Decide without symbolic work, or None where that is needed.

    Equal texts are correct; two plain numbers are compared exactly, but a decimal may stand for what rounds to it (`scalars.close`).
    """
    if len(answer) > MAX_CHARACTERS:
        return Outcome.UNPARSEABLE
    if _PLAIN.fullmatch(gold) and _PLAIN.fullmatch(answer) and "." not in gold:
        return Outcome.CORRECT if Fraction(gold) == Fraction(answer) else Outcome.WRONG
    left, right = normalise(gold), normalise(answer)
    if not right:
        return Outcome.UNPARSEABLE
    if left == right:
        return Outcome.CORRECT
    expected, number = _number(left), _number(right)
    if expected is None or number is None:
        return None
    if expected == number:
        return Outcome.CORRECT
    return Outcome.CORRECT if scalars.close(expected, left, number, right) else Outcome.WRONG


def equivalent(gold: str, answer: str) -> Outcome:
    """Decide in whatever time it takes: correct, wrong, or unparseable when the answer is no mathematics."""
    decided = quick(gold, answer)
    if decided is not None:
        return decided
    forms = _OR.split(_OR_IN_BRACKETS.sub(r" or\1", answer))
    if 1 < len(forms) <= MOST_FORMS and not _OR.search(gold) and all(equivalent(gold, form) is Outcome.CORRECT for form in forms):
        return Outcome.CORRECT  # "1/2 or 0.5" is one answer in two forms, "5 or 7" is none
    same = comparison.same(gold, answer)
    if same is None:
        return _symbolic(gold, answer)
    return Outcome.CORRECT if same else Outcome.WRONG


@lru_cache(maxsize=65536)
def has_meaning(gold: str) -> bool:
    """Whether a gold answer can be compared by meaning; of another one only the text can be (`same_text`)."""
    if _PLAIN.fullmatch(gold) or is_readable(gold):
        return True
    return bool(clean(gold)) and len(gold) <= MAX_CHARACTERS and bool(_parse(clean(gold)))


def check_gold(gold: str) -> None:
    """Raises InputError for a gold answer that answers cannot be compared with by meaning."""
    if not has_meaning(gold):
        raise InputError(f"the gold answer {gold[:80]!r} cannot be read; repair it or leave its problem out")


def same_text(gold: str, answer: str) -> Outcome:
    """Compare two answers as texts, apart from what carries no meaning: for gold answers that cannot be read (see `has_meaning`).

    Dots, bars of a set and signs of a difference may be written in any of their ways: `\\ldots` and `...`, `\\mid` and `:`.
    """
    if len(answer) > MAX_CHARACTERS or not (text := _plain_text(answer)):
        return Outcome.UNPARSEABLE
    return Outcome.CORRECT if text == _plain_text(gold) else Outcome.WRONG


def canonical(answer: str) -> str | None:
    """The answer in a form in which equal plain numbers are equal texts; None when it is too long to be an answer."""
    if len(answer) > MAX_CHARACTERS:
        return None
    text = normalise(answer)
    number = _number(text)
    return text if number is None else str(number)


def normalise(text: str) -> str:
    """Drop what carries no meaning (see `cleaning`), and the brackets of an option.

    Only for comparing texts: equal results mean equal answers, different results mean nothing.
    """
    return re.sub(r"^\(([A-Z])\)$", r"\1", compact(clean(text)))


_SPELLINGS = (
    (re.compile(r"\\[lc]?dots[bcmi]?(?![A-Za-z])|\u2026|\u22ef|\.{3,}"), "..."),
    (re.compile(r"\\(?:mid|vert|lvert|rvert)(?![A-Za-z])|(?<=[^,;]):(?=[^=])"), "|"),
    (re.compile(r"\\(?:setminus|backslash|smallsetminus)(?![A-Za-z])|\u2216"), r"\\setminus"),
    (re.compile(r"\\(?:text\w*|mathrm|mathbf|mbox|operatorname)\s*\{([^{}]*)\}"), r" \1 "),
    (re.compile(r"\\(?:left|right|[bB]igg?[lr]?|displaystyle|quad|qquad)(?![A-Za-z])|\\[,;:! ]"), " "),
)


def _plain_text(text: str) -> str:
    for pattern, spelling in _SPELLINGS:
        text = pattern.sub(spelling, text)
    text = normalise(text) or compact(text)
    return text.rstrip(".!").casefold()


def _number(text: str) -> Fraction | None:
    """The value of a plain number: integer, decimal, ratio or mixed number; None for anything else."""
    if match := _DECIMAL.fullmatch(text):
        return _signed(match[1], Fraction(match[2].replace(",", "").replace(" ", "").rstrip(".")))
    if match := _RATIO.fullmatch(text):
        return _divided(match[1], int(match[2]), int(match[3]))
    if match := _LATEX_RATIO.fullmatch(text):
        return _divided(match[1], int(match[2] or match[4]), int(match[3] or match[5]))
    if match := _MIXED.fullmatch(text):
        over, under = int(match[3] or match[5]), int(match[4] or match[6])
        return _divided(match[1], int(match[2]) * under + over, under)
    return None


def _divided(sign: str, over: int, under: int) -> Fraction | None:
    return _signed(sign, Fraction(over, under)) if under else None


def _signed(sign: str, value: Fraction) -> Fraction:
    return -value if sign == "-" else value


def _symbolic(gold: str, answer: str) -> Outcome:
    """By math-verify, for what `equivalence` does not read."""
    from math_verify import verify
    from sympy import Float, S

    written = clean(answer)
    # It would add up "5 6" and drop the prime of "5'" and the index of "5_2".
    if re.search(r"[0-9] [0-9]|[0-9)}]['_]", written) or written.count("{") != written.count("}"):
        return Outcome.UNPARSEABLE
    expected, found = _parse(clean(gold)), _parse(written)
    if not found:
        return Outcome.UNPARSEABLE
    # 50 digits: at the default 15 a difference of 1e-16 is none. No timeout of its own: that needs a signal in the main thread.
    if not expected or not verify(expected, found, numeric_precision=50, timeout_seconds=None):
        return Outcome.WRONG
    exact, given = expected[0], found[0]
    # An interval with its ends exchanged would be the empty set, as any other such interval; decimals are decided elsewhere.
    return Outcome.WRONG if given == S.EmptySet or exact.has(Float) or given.has(Float) else Outcome.CORRECT


def _parse(text: str) -> list[Any]:
    from math_verify import parse
    from math_verify.parser import LatexExtractionConfig

    logging.getLogger("math_verify").setLevel(logging.ERROR)  # it warns once that its own timeout is off, which is meant
    # As the content of a box, so that the text is read whole or not at all and never some part of it.
    return parse(
        rf"\boxed{{{text}}}",
        [LatexExtractionConfig(boxed_match_priority=0)],
        fallback_mode="no_fallback",
        extraction_mode="first_match",
        parsing_timeout=None,
    )
