"""The Countdown verifier: does an expression use each given number once and reach the target?"""

import json
import re
from collections import Counter
from fractions import Fraction

from rl_core.errors import InputError
from rl_core.outcome import Outcome
from rl_core.rewards.run_on import own_answer
from rl_core.rewards.spans import find_spans
from rl_core.rewards.verdict import Verdict

LONGEST = 200  # characters of an expression; eight numbers of five digits with every bracket fit
_TOKEN = re.compile(r"\s*(?:(?P<number>[0-9]{1,9})(?![0-9.])|(?P<sign>[-+*/()]))")


# Ways of writing signs and brackets; the layout around them carries no meaning.
_NOTATION = (
    (re.compile(r"\\(?:times|cdot|ast)(?![A-Za-z])|[\u00d7\u00b7\u22c5\u2217\u2715\u2716]|(?<=[0-9)\s])[xX](?=[\s(0-9])"), "*"),
    (re.compile(r"\\div(?![A-Za-z])|[\u00f7\u2215\u2044]"), "/"),
    (re.compile(r"[\u2212\u2013]"), "-"),
    (re.compile(r"\\left(?![A-Za-z])|\\right(?![A-Za-z])|\\[()\[\],;:! ]|\\quad(?![A-Za-z])|[$`]"), " "),
)
_BOX = re.compile(r"\s*\\(?:boxed|text|mathrm)\s*\{(.*)\}\s*", re.DOTALL)
_FRACTION = re.compile(r"\\[dt]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}")
_ZEROS = re.compile(r"\.0+$")  # of a value: 20.0
_BRACKETS = str.maketrans("[]{}", "()()")


class _NotAnExpression(Exception):
    """The text is no arithmetic of whole numbers with + - * / and brackets."""


def judge(response: str, gold: str, *, tinyzero: bool = False) -> Verdict:
    r"""Read the last answer between tags as arithmetic and compare its exact value with the target.

    The multiset of numbers must be the given one. Signs of typesetting and of LaTeX, `\frac{}{}` and other brackets are read as what they
    mean, and the expression may be followed by `=` and its value, or stand behind the target and `=`. Powers, `//`, decimal points,
    digits of other scripts and anything longer than 200 characters are no arithmetic; nothing is ever executed.

    Args:
        response: the assistant's whole turn, including what the template supplied of it.
        gold: JSON with `numbers` and `target`.
        tinyzero: take digits, `+ - * /` and round brackets alone, as TinyZero (verl/utils/reward_score/countdown.py) and nano-aha-moment
            do; they allow powers and `//` as well.
    """
    numbers, target = _problem(gold)
    own = response if tinyzero else own_answer(response)
    span = find_spans(own).answer
    if span is None:
        return Verdict(Outcome.FORMAT_ERROR, None)
    text = own[slice(*span)].strip()
    try:
        value, used = evaluate(text) if tinyzero else _equation(text, Fraction(target))
    except _NotAnExpression:
        return Verdict(Outcome.UNPARSEABLE, None)
    return Verdict(Outcome.CORRECT if used == Counter(numbers) and value == target else Outcome.WRONG, text)


def _equation(text: str, target: Fraction) -> tuple[Fraction | None, Counter[int]]:
    """Value of an expression and the numbers it uses; None also where the other side of `=` has another value."""
    first, *others = _plain(text).split("=")
    sides = [evaluate(first.strip()), *(evaluate(_ZEROS.sub("", side.strip())) for side in others)]
    if len(sides) == 2 and sides[0][0] == target and sides[0][1].total() == 1 and sides[1][1].total() > 1:
        sides.reverse()  # 20 = (2 + 3) * 4
    value, used = sides[0]
    return value if all(other == value for other, _ in sides) else None, used


def _plain(text: str) -> str:
    """An expression with the signs that `evaluate` reads."""
    if len(text) > 4 * LONGEST:
        raise _NotAnExpression
    text = text.strip("*_")  # bold
    while box := _BOX.fullmatch(text):
        text = box[1]
    for pattern, sign in _NOTATION:
        text = pattern.sub(sign, text)
    while (plainer := _FRACTION.sub(r"((\1)/(\2))", text)) != text:
        text = plainer
    return text.strip().removesuffix(".").translate(_BRACKETS)


def evaluate(text: str) -> tuple[Fraction | None, Counter[int]]:
    """Value of an expression (None: it divides by zero) and the numbers it uses."""
    if len(text) > LONGEST:
        raise _NotAnExpression
    tokens, position = [], 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise _NotAnExpression
        tokens.append(match["number"] or match["sign"])
        position = match.end()
    parser = _Parser(tokens)
    value = parser.sum()
    if parser.tokens:
        raise _NotAnExpression
    return value, Counter(int(token) for token in tokens if token.isdigit())


class _Parser:
    """Recursive descent; depth is bounded by LONGEST."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens[::-1]

    def sum(self) -> Fraction | None:
        value = self.product()
        while self._next() in ("+", "-"):
            sign, right = self.tokens.pop(), self.product()
            value = None if value is None or right is None else value + right if sign == "+" else value - right
        return value

    def product(self) -> Fraction | None:
        value = self.factor()
        while self._next() in ("*", "/"):
            sign, right = self.tokens.pop(), self.factor()
            if value is None or right is None or (sign == "/" and right == 0):
                value = None
            else:
                value = value * right if sign == "*" else value / right
        return value

    def factor(self) -> Fraction | None:
        token = self.tokens.pop() if self.tokens else ""
        if token == "-":
            value = self.factor()
            return None if value is None else -value
        if token == "(":
            value = self.sum()
            if not self.tokens or self.tokens.pop() != ")":
                raise _NotAnExpression
            return value
        if not token.isdigit():
            raise _NotAnExpression
        return Fraction(int(token))

    def _next(self) -> str | None:
        return self.tokens[-1] if self.tokens else None


def _problem(gold: str) -> tuple[list[int], Fraction]:
    try:
        problem = json.loads(gold)
        return [int(number) for number in problem["numbers"]], Fraction(problem["target"])
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f'gold of a countdown prompt must be {{"numbers": [...], "target": …}}, not {gold[:80]!r}') from error
