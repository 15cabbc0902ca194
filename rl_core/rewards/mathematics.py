"""Whether two mathematical answers are equal: an exact decision where the texts allow one, else symbolic work by math-verify.

The exact part is linear in the texts and safe anywhere. The symbolic part can take any time and memory (`9^{9^9}`), so it belongs in a
process that may be killed: `rl_core.rewards.pool`.
"""

from __future__ import annotations

import logging
import re
from fractions import Fraction
from typing import Any

from rl_core.outcome import Outcome

MAX_CHARACTERS = 1000  # a longer answer is no answer; gold answers of the benchmarks stay below 200

# Signs that have one meaning in ASCII or LaTeX. What else is not ASCII is left as it is, which the parser then refuses.
_SIGNS = str.maketrans(
    {
        "\u2212": "-",  # minus
        "\u00a0": " ",  # no-break space
        "\u2009": " ",  # thin space
        "\u202f": " ",  # narrow no-break space
        "\u00d7": r"\times ",
        "\u00b7": r"\cdot ",
        "\u00f7": "/",
        "\u03c0": r"\pi ",
        "\u221e": r"\infty ",
        "\u2264": r"\le ",
        "\u2265": r"\ge ",
        "\u222a": r"\cup ",
        "\u00b0": r"^\circ",
        "\u00b2": "^{2}",
        "\u00b3": "^{3}",
    }
)
_INTEGER = r"(?:[0-9]{1,3}(?:[, ][0-9]{3})+|[0-9]+)"
_DECIMAL = re.compile(rf"([+-]?)({_INTEGER}(?:\.[0-9]*)?|\.[0-9]+)")
_RATIO = re.compile(r"([+-]?)([0-9]+)/([0-9]+)")
_LATEX_RATIO = re.compile(r"([+-]?)\\frac(?:\{([+-]?[0-9]+)\}\{([0-9]+)\}|([0-9])([0-9]))")
_MIXED = re.compile(r"([+-]?)([0-9]+)(?: ?\\frac\{([0-9]+)\}\{([0-9]+)\}|[ -]([0-9]+)/([0-9]+))")
_WORDS = re.compile(r"\\(?:text|textbf|textit|mathrm|mathbf|mbox|operatorname)\s*\{([^{}]*)\}")
_BASE = re.compile(r"([0-9][0-9A-Za-z]*)_\{?([0-9]+)\}?")
_NAME = re.compile(r"\\?[A-Za-z]+(?:_\{?[0-9A-Za-z]+\}?)?(?:\([A-Za-z, ]*\))?|[A-Za-z ]+")


def quick(gold: str, answer: str) -> Outcome | None:
    """Decide without symbolic work, or None where that is needed.

    Equal texts are correct; two plain numbers are compared exactly. A decimal passes for a fraction that no decimal can express when
    it is that fraction correctly rounded to six or more places.
    """
    if len(answer) > MAX_CHARACTERS:
        return Outcome.UNPARSEABLE
    left, right = normalise(gold), normalise(answer)
    if not right:
        return Outcome.UNPARSEABLE
    if left == right:
        return Outcome.CORRECT
    if left.endswith("%") != right.endswith("%"):
        # A percent sign that only one side writes is a unit; 10% against 0.1 is left to the parser.
        return Outcome.CORRECT if _number(left.rstrip("%")) == _number(right.rstrip("%")) is not None else None
    expected, number = _number(left), _number(right)
    if expected is not None and number is not None:
        equal = expected == number or _rounds_to(expected, number, right)
        return Outcome.CORRECT if equal else Outcome.WRONG
    if any(bases := (_BASE.fullmatch(left), _BASE.fullmatch(right))):
        return _compare_bases(*bases, right)
    if re.search(r"[0-9] [0-9]|\*\*", right):
        return Outcome.UNPARSEABLE  # "5 6": the parser would add them up; ** is no LaTeX
    if ("'" in right and "'" not in left) or (re.search(r"[0-9)}]_", right) and "_" not in left):
        return Outcome.WRONG  # primes and indices of numbers: the parser would drop them
    return None


def equivalent(gold: str, answer: str) -> Outcome:
    """Decide in whatever time it takes: correct, wrong, or unparseable when the answer is no mathematics."""
    decided = quick(gold, answer)
    if decided is not None:
        return decided
    if "=" in answer and "=" not in gold:
        # math-verify looks at the last side only and would take "5=6" for a 6.
        *sides, last = re.split(r"=", answer)
        if not all(_NAME.fullmatch(normalise(side)) or equivalent(gold, side.strip()) is Outcome.CORRECT for side in sides):
            return Outcome.WRONG
        return equivalent(gold, last.strip())
    return _symbolic(gold, answer)


def canonical(answer: str) -> str | None:
    """The answer in a form in which equal plain numbers are equal texts; None when it is too long to be an answer."""
    if len(answer) > MAX_CHARACTERS:
        return None
    text = normalise(answer)
    number = _number(text)
    return text if number is None else str(number)


def normalise(text: str) -> str:
    """Drop what carries no meaning: dollar signs, spacing, sizes of brackets, text commands, degree signs, a final full stop.

    Only for comparing texts: equal results mean equal answers, different results mean nothing.
    """
    text = _clean(text)
    text = _WORDS.sub(lambda match: f" {match[1].strip()} ", text)
    text = re.sub(r"\^\{?\\circ\}?", "", text)
    text = re.sub(r"\s+", " ", text).strip()
    text = re.sub(r"(?<![0-9A-Za-z]) | (?![0-9A-Za-z])", "", re.sub(r", ", ",\n", text))  # never between two digits: 1 1/2 is not 11/2
    text = re.sub(r",\n|,(?![0-9]{3}(?![0-9]))", ", ", text)  # 2, 100 is a list, 2,100 a number
    text = re.sub(r"(\\[A-Za-z]+) (?![A-Za-z])", r"\1", text)
    return re.sub(r"^\(([A-Z])\)$", r"\1", text)  # a letter of a choice


def _clean(text: str) -> str:
    """LaTeX that the parser reads, without decoration."""
    text = text.translate(_SIGNS)
    text = re.sub(r"(?<!\\)\\(?:left|right|displaystyle|big|Big|bigl|bigr)(?![A-Za-z])", "", text)
    text = re.sub(r"\\[dtc]frac(?![A-Za-z])", r"\\frac", text)
    text = re.sub(r"^\s*\*\*|\*\*\s*$|(?<!\\)\\!", "", text)
    text = re.sub(r"(?<!\\)\\[,;:() ]|\\?\$|~", " ", text)
    text = text.replace("{,}", ",").replace(r"\%", "%")
    return re.sub(r"(?<=[^.])\.\s*$", "", text.strip())


def _number(text: str) -> Fraction | None:
    """The value of a plain number: integer, decimal, ratio or mixed number; None for anything else."""
    text = text.strip()
    if match := _DECIMAL.fullmatch(text):
        return _signed(match[1], Fraction(_digits(match[2])))
    if match := _RATIO.fullmatch(text):
        return _divided(match[1], int(match[2]), int(match[3]))
    if match := _LATEX_RATIO.fullmatch(text):
        return _divided(match[1], int(match[2] or match[4]), int(match[3] or match[5]))
    if match := _MIXED.fullmatch(text):
        over, under = int(match[3] or match[5]), int(match[4] or match[6])
        return _divided(match[1], int(match[2]) * under + over, under)
    return None


def _digits(text: str) -> str:
    return text.replace(",", "").replace(" ", "").rstrip(".")


def _divided(sign: str, over: int, under: int) -> Fraction | None:
    return _signed(sign, Fraction(over, under)) if under else None


def _signed(sign: str, value: Fraction) -> Fraction:
    return -value if sign == "-" else value


def _rounds_to(expected: Fraction, number: Fraction, written: str) -> bool:
    places = len(written.partition(".")[2])
    endless = expected.denominator
    for factor in (2, 5):
        while endless % factor == 0:
            endless //= factor
    return endless > 1 and places >= 6 and written.lstrip("+-").replace(".", "").isdigit() and number == round(expected, places)


def _compare_bases(gold: re.Match[str] | None, answer: re.Match[str] | None, right: str) -> Outcome | None:
    """Numbers with a base as index: the base may be left out where the gold answer has one, but not added or changed."""
    if gold is not None and answer is None:
        return Outcome.CORRECT if right == gold[1] else None
    return Outcome.WRONG


def _symbolic(gold: str, answer: str) -> Outcome:
    from math_verify import verify
    from sympy import Float, S

    expected, found = _parse(gold), _parse(answer)
    if not found:
        return Outcome.UNPARSEABLE
    # 50 digits: at the default 15 a difference of 1e-16 is none. No timeout of its own: that needs a signal in the main thread.
    if not expected or not verify(expected, found, numeric_precision=50, timeout_seconds=None):
        return Outcome.WRONG
    exact, given = expected[0], found[0]
    if given == S.EmptySet and not re.search(r"empty|nothing|\{\s*\}", answer):
        return Outcome.WRONG  # an interval with its ends exchanged, as any other such interval would be
    if exact.has(Float) or given.has(Float):
        return Outcome.CORRECT if "%" in gold + answer or _close(exact, given) else Outcome.WRONG
    return Outcome.CORRECT


def _parse(text: str) -> list[Any]:
    from math_verify import parse
    from math_verify.parser import LatexExtractionConfig

    logging.getLogger("math_verify").setLevel(logging.ERROR)  # it warns once that its own timeout is off, which is meant
    # As the content of a box, so that the text is read whole or not at all and never some part of it.
    return parse(
        rf"\boxed{{{_clean(text)}}}",
        [LatexExtractionConfig(boxed_match_priority=0)],
        fallback_mode="no_fallback",
        extraction_mode="first_match",
        parsing_timeout=None,
    )


def _close(exact: Any, given: Any) -> bool:
    """math-verify rounds to six places, which makes every small number a zero: ask for six significant digits as well."""
    if not (getattr(exact, "is_number", False) and getattr(given, "is_number", False)):
        return True
    return abs(exact.evalf() - given.evalf()) <= 5e-6 * abs(exact.evalf())
