"""Notation that is rewritten before a formula is parsed: scientific, repeating and mixed numbers, derivatives, binomials."""

import re
from fractions import Fraction

_SCIENTIFIC = re.compile(r"(?<![A-Za-z_\\0-9.])([0-9]+\.?[0-9]*|\.[0-9]+)[eE]([+-]?[0-9]+)(?![0-9A-Za-z.])")


_REPEATING = re.compile(r"([0-9]*)\.([0-9]*)(?:\\overline|\\bar|\\dot)\s*\{?\s*([0-9]+)\s*\}?|([0-9]*)\.([0-9]*?)([0-9]+?)\6+\u2026")


_MIXED = re.compile(
    r"(?<![0-9A-Za-z_^.}])([0-9]+)(?: ?\\frac ?(?:\{ ?([0-9]+) ?\} ?\{ ?([0-9]+) ?\}|([0-9]) ?([0-9])(?![0-9]))"
    r"|[ -]([0-9]+)/([0-9]+))(?![0-9!])"
)


_DERIVATIVE = re.compile(
    r"\\frac ?\{ ?d(?:\^\{?([0-9])\}?)? ?([A-Za-z](?:_\{?[A-Za-z0-9]+\}?)?)(?:\([a-z]\))? ?\} ?\{ ?d ?([a-z])(?:\^\{?\1\}?)? ?\}"
)


_DOTTED = re.compile(r"\\(d{1,3})ot ?(?:\{ ?(\\?[A-Za-z]+) ?\}|([A-Za-z]))(?:\([a-z]\))?")


_CHOOSE = re.compile(
    r"(?<![A-Za-z])C ?\( ?([0-9A-Za-z]+) ?, ?([0-9A-Za-z]+) ?\)|(?:\{\})?_\{?([0-9A-Za-z]+)\}? ?C ?_\{?([0-9A-Za-z]+)\}?"
    r"|C_\{?([0-9A-Za-z]+)\}?\^\{?([0-9A-Za-z]+)\}?"
)


def rewrite(text: str) -> str:
    text = _SCIENTIFIC.sub("(\\1\u00b710^{\\2})", text)
    text = _REPEATING.sub(_repeating, text)
    text = _DERIVATIVE.sub(lambda match: match[2] + ("" if match[3] in "tx" else f"_{match[3]}") + "'" * int(match[1] or 1), text)
    text = _DOTTED.sub(lambda match: (match[2] or match[3]) + "'" * len(match[1]), text)
    text = _CHOOSE.sub(_choose, text)
    text = re.sub(r"\{([^{}]+)\\over(?![A-Za-z])([^{}]+)\}", r"\\frac{\1}{\2}", text)
    text = re.sub(r"\{([^{}]+)\\choose(?![A-Za-z])([^{}]+)\}", r"\\binom{\1}{\2}", text)
    if "choose" in text or "over" in text:
        text = re.sub(r"^(.+)\\choose(?![A-Za-z])(.+)$", r"\\binom{\1}{\2}", text)
        text = re.sub(r"^(.+)\\over(?![A-Za-z])(.+)$", r"\\frac{\1}{\2}", text)
        text = re.sub(r"^([0-9a-z]+) choose ([0-9a-z]+)$", r"\\binom{\1}{\2}", text)
    return _MIXED.sub(_mixed, text)


def _choose(match: re.Match[str]) -> str:
    top, bottom = match[1] or match[3] or match[6], match[2] or match[4] or match[5]
    return rf"\binom{{{top}}}{{{bottom}}}"


def _mixed(match: re.Match[str]) -> str:
    over, under = match[2] or match[4] or match[6], match[3] or match[5] or match[7]
    return rf"({match[1]}+\frac{{{over}}}{{{under}}})" if int(over) < int(under) else match[0]


def _repeating(match: re.Match[str]) -> str:
    whole, fixed, cycle = (match[1], match[2], match[3]) if match[3] else (match[4], match[5], match[6])
    if not match[3] and len(match[0]) < 5:
        return match[0]
    value = Fraction(f"{whole or 0}.{fixed or 0}") + Fraction(int(cycle), (10 ** len(cycle) - 1) * 10 ** len(fixed))
    return rf"(\frac{{{value.numerator}}}{{{value.denominator}}})"
