r"""Whether a mathematical answer is carried out as far as its gold answer is, judged by its form.

`\frac{6!}{3!}` and `\sqrt{16}+2` are equal to 120 and 6, but a response that boxes what stands in the question has calculated nothing.
Graders that compare strings refuse it. Takes time linear in the texts.
"""

import re
from collections import Counter
from math import gcd, isqrt

from rl_core.rewards.equivalence.cleaning import MAX_CHARACTERS
from rl_core.rewards.verifiers import mathematics

LARGEST_RADICAND = 10**12  # square factors of larger ones are not looked for
_LAYOUT = (
    r"times|cdot|alpha|beta|gamma|delta|epsilon|theta|lambda|mu|pi|rho|sigma|tau|phi|varphi|omega|infty|circ|degree|emptyset|varnothing|mathbb|"
    r"in|cup|cap|setminus|text\w*|math\w*|left|right|quad|qquad|displaystyle|dots|ldots|le|leq|ge|geq|lt|gt|pm|approx|boxed|operatorname"
)
_WORD = re.compile(r"\\(?:text\w*|mathrm|mathbf|operatorname)\s*\{[^{}]*\}|(?<![\\A-Za-z])[A-Za-z]{2,}(?:\s*\^\s*\{?[23]\}?)?")
_INTEGER = r"[0-9]+(?:,[0-9]{3})*"
_RATIO = re.compile(
    rf"\\[dt]?frac\s*(?:\{{\s*(-?{_INTEGER})\s*\}}\s*\{{\s*({_INTEGER})\s*\}}|([0-9])\s*([0-9]))"
    rf"|(?<![0-9.)}}/])({_INTEGER})\s*/\s*({_INTEGER})(?![0-9.(!^/])"
)
_POWER_OF_TEN = re.compile(r"(?<=[0-9.])\s*(?:\\times|\\cdot|\*|\u00d7)\s*10\s*\^\s*(?:\{\s*[-+]?[0-9]+\s*\}|[-+]?[0-9]+)")
_DEGREES = re.compile(r"\^\s*(?:\{\s*\\circ\s*\}|\\circ)|\u00b0")
_ROOT = re.compile(r"\\sqrt\s*(?:\{\s*([0-9]+)\s*\}|([0-9]))")
_BELOW_ROOT = re.compile(r"\\[dt]?frac\s*\{(?:[^{}]|\{[^{}]*\})*\}\s*\{[^{}]*\\sqrt|/\s*\(?\s*[0-9]*\s*\\sqrt")
_NAME = re.compile(r"^[^0-9=]*?[A-Za-z][^0-9=]*=")  # x =, f(x) =
_DECIMAL = re.compile(r"[0-9]*\.[0-9]")
_SINGLE = re.compile(r"[(]\s*([-+]?[0-9.]+|[A-Za-z])\s*[)]")  # brackets around nothing but a number or a letter
_TIMES = re.compile(r"\s*(?:\\times|\\cdot|[*\u00d7\u00b7])\s*")
_BINARY = re.compile(r"(?<=[0-9A-Za-z)\]}!])\s*[-+\u2212]")
_OPERATION = re.compile(
    rf"(?P<layout>\\(?:{_LAYOUT})(?![A-Za-z]))|(?P<command>\\[A-Za-z]+)|(?P<sign>[!^/|_=\u00f7\u221a])|(?P<letter>[A-Za-z])|(?P<bracket>\()"
)
_DIVISIONS = ("dfrac", "tfrac", "frac", "div", "\u00f7")


def is_simplified(gold: str, answer: str) -> bool:
    r"""Whether an answer has no operation more often than its gold answer, no fraction to reduce and no root to simplify.

    Equal texts are simplified, whatever they are. Numbers may be written in any way: `1{,}000`, `0.5`, `\frac12`, `1\frac12`, `50\%`,
    `1.2\times10^3`; units, words and the name in front of `=` do not count.
    """
    if len(gold) > MAX_CHARACTERS or len(answer) > MAX_CHARACTERS:
        return False
    if mathematics.normalise(gold) == mathematics.normalise(answer):
        return True
    wanted = _operations(gold) + Counter({"/": len(_RATIO.findall(gold))})
    written = _operations(answer if "=" in gold else _NAME.sub("", answer))
    if _DECIMAL.search(gold) and not _RATIO.search(gold) and _RATIO.search(answer):
        return False  # a division to be carried out
    if not any(map(_is_letter, wanted)):
        written = Counter({name: count for name, count in written.items() if not _is_letter(name)})  # a unit, the name of the unknown
    return written <= wanted and written["("] == wanted["("]  # a product is not the sum that it is multiplied out to


def _is_letter(name: str) -> bool:
    return len(name) == 1 and name.isalpha()


def _operations(text: str) -> Counter[str]:
    """How often each operation is still to be done, and how often each letter stands there."""
    found: Counter[str] = Counter()

    def ratio(match: re.Match[str]) -> str:
        over, under = (int(part.replace(",", "")) for part in match.groups() if part)
        if gcd(over, under) > 1 or under == 1:
            found["fraction to reduce"] += 1
        return " 1 "

    plain = _DEGREES.sub("", _POWER_OF_TEN.sub("", _WORD.sub(" ", text.replace("{,}", ",").replace(r"\!", ""))))
    found["root below a fraction"] += len(_BELOW_ROOT.findall(plain))
    for root in _ROOT.finditer(plain):
        found["root to simplify"] += _has_square(int(root[1] or root[2]))
    plain = _SINGLE.sub(r"\1", _RATIO.sub(ratio, plain))
    found["sum"] += len(_BINARY.findall(plain))
    for times in _TIMES.finditer(plain):
        before, after = plain[: times.start()][-1:], plain[times.end() :][:1]
        found["product"] += (before.isdigit() or before in tuple(")]}!")) and (after.isdigit() or after in tuple("([{"))
    for match in _OPERATION.finditer(plain):
        name = match[0].removeprefix("\\")
        # The brackets of a point, an interval or a function's arguments are no operation.
        if not match["layout"] and not (match["bracket"] and re.search(r"[(\[][^()\[\]]*,", plain)):
            found["/" if name in _DIVISIONS else name] += 1
    return +found


def _has_square(number: int) -> bool:
    roots = range(2, min(isqrt(number) + 1, 10_000))
    return number <= LARGEST_RADICAND and any(number % root**2 == 0 for root in roots)
