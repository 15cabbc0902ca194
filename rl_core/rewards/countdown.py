"""The Countdown verifier: does an expression use each given number once and reach the target?"""

from __future__ import annotations

import json
import re
from collections import Counter
from fractions import Fraction

from rl_core.errors import InputError
from rl_core.outcome import Outcome
from rl_core.rewards.spans import find_spans
from rl_core.rewards.verdict import Verdict

LONGEST = 200  # characters of an expression; eight numbers of five digits with every bracket fit
_TOKEN = re.compile(r"\s*(?:(?P<number>[0-9]{1,9})(?![0-9.])|(?P<sign>[-+*/()]))")


class _NotAnExpression(Exception):
    """The text is no arithmetic of whole numbers with + - * / and brackets."""


def judge(response: str, gold: str) -> Verdict:
    """Read the last answer between tags as arithmetic and compare its exact value with the target.

    As in TinyZero (verl/utils/reward_score/countdown.py) the multiset of numbers must be the given one. Powers, `//`, decimal points,
    `=`, digits of other scripts and anything longer than 200 characters are no arithmetic; nothing is ever executed.

    Args:
        response: the assistant's whole turn, including what the template supplied of it.
        gold: JSON with `numbers` and `target`.
    """
    numbers, target = _problem(gold)
    span = find_spans(response).answer
    if span is None:
        return Verdict(Outcome.FORMAT_ERROR, None)
    text = response[slice(*span)].strip()
    try:
        value, used = evaluate(text)
    except _NotAnExpression:
        return Verdict(Outcome.UNPARSEABLE, None)
    return Verdict(Outcome.CORRECT if used == Counter(numbers) and value == target else Outcome.WRONG, text)


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
