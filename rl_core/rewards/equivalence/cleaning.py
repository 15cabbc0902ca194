"""One notation for what LaTeX, Unicode and plain text write in many ways: every relation, operator and set gets one sign."""

import functools
import re
from collections.abc import Callable
from typing import NamedTuple

MAX_CHARACTERS = 1000  # a longer answer is no answer; gold answers of the benchmarks stay below 300

_SIGNS = {
    "\u2212\u2013\u2014\u2011": "-",
    "\u00a0\u2002\u2003\u2005\u2009\u200a\u202f": " ",
    "\u200b\u200e\u200f\u2061\u2062\ufeff": "",
    "\u00d7\u2217\u2219\u22c5\u00b7*": "\u00b7",
    "\u00f7\u2215\u2044": "/",
    "\u2a7d\u2266": "\u2264",
    "\u2a7e\u2267": "\u2265",
    "\u00d8": "\u2205",
    "\u2032\u2019": "'",
    "\u2033": "''",
    "\u221a": r"\sqrt ",
    "\u221b": r"\sqrt[3] ",
    "\u22c3": "\u222a",
    "\u2329": "\u27e8",
    "\u232a": "\u27e9",
    "\u230a": r"\lfloor ",
    "\u230b": r"\rfloor ",
    "\u2308": r"\lceil ",
    "\u2309": r"\rceil ",
    "\u00bd": r"\frac{1}{2}",
    "\u2153": r"\frac{1}{3}",
    "\u2154": r"\frac{2}{3}",
    "\u00bc": r"\frac{1}{4}",
    "\u00be": r"\frac{3}{4}",
    "\u215b": r"\frac{1}{8}",
    "\u20ac": " euros ",
    "\u00a3": " pounds_sterling ",
    "\u00a2": " cents ",
    "\u00b5\u03bc": r"\mu ",
    "\u00c5\u212b": " angstroms ",
}
_GREEK = dict(
    zip(
        "\u03b1\u03b2\u03b3\u03b4\u03b5\u03b8\u03bb\u03c1\u03c3\u03c4\u03c6\u03c9\u0394",
        ("alpha", "beta", "gamma", "delta", "epsilon", "theta", "lambda", "rho", "sigma", "tau", "phi", "omega", "Delta"),
        strict=True,
    )
)
_TRANSLATION = str.maketrans(
    {sign: plain for signs, plain in _SIGNS.items() for sign in signs} | {sign: rf"\{name} " for sign, name in _GREEK.items()}
)
_SUPERSCRIPTS = str.maketrans("\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079\u207b\u207a\u207f", "0123456789-+n")
_SUPERSCRIPT = re.compile("[\u2070\u00b9\u00b2\u00b3\u2074-\u2079\u207b\u207a\u207f]+")

# Commands of one meaning, by the sign that stands for them here.
_COMMANDS = {
    "\u2264": "le leq leqslant leqq",
    "\u2265": "ge geq geqslant geqq",
    "<": "lt",
    ">": "gt",
    "\u2260": "ne neq",
    "\u2248": "approx sim simeq",
    "\u2261": "equiv",
    "\u2208": "in",
    "\u222a": "cup bigcup",
    "\u2229": "cap",
    "\u2216": "setminus backslash smallsetminus",
    "\u2205": "emptyset varnothing",
    "\u00b1": "pm",
    "\u2213": "mp",
    "\u00b7": "times cdot ast bullet",
    "/": "div slash",
    "\u221e": "infty",
    "\u03c0": "pi",
    "\u2026": "ldots dots cdots",
    "\u27e8": "langle",
    "\u27e9": "rangle",
    "\u00b0": "degree deg",
    "|": "lvert rvert vert",
    "\u00a6": "mid",
    ":": "colon",
    "'": "prime",
    " or ": "lor vee",
    " and ": "land wedge",
    " angstroms ": "AA",
    " cents ": "cent cents",
    " euros ": "euro",
    " pounds_sterling ": "pounds",
    "\u211d": "R Reals",
    "\u2124": "Z",
    " ": "quad qquad thinspace enspace limits nolimits displaystyle textstyle large Large LARGE huge small normalsize bf rm it",
}
_SIGN_OF = {name: sign for sign, names in _COMMANDS.items() for name in names.split()}
_COMMAND = re.compile(r"\\(" + "|".join(sorted(_SIGN_OF, key=len, reverse=True)) + r")(?![A-Za-z])")
_SIZES = re.compile(r"\\(?:left|right|middle|bigg?[lrm]?|Bigg?[lrm]?)(?![A-Za-z])\s*\.?")
_WORDS = re.compile(
    r"\\(?:text(?:bf|it|rm|normal|sf|tt|sc)?|mbox|hbox|fbox|boxed|emph|underline|bm|boldsymbol|overset|math(?:rm|bf|it|sf|tt|cal|normal)"
    r"|operatorname)\*?\s*\{((?:[^{}]|\{[^{}]*\})*)\}"
)
_BOXED = re.compile(r"\s*\$*\s*\\f?box(?:ed)?\s*\{(.*)\}\s*\$*\s*", re.DOTALL)
_UNIT_VECTOR = re.compile(r"\\(?:mathbf|vec|hat|boldsymbol|bm)\s*\{?\s*(?:\\mathbf\s*\{?)?\s*\\?([ijk])(?:math)?\s*\}?\}?(?![A-Za-z])")
VECTORS = {"i": "\u0131", "j": "\u0237", "k": "\u0138"}  # signs of the unit vectors
_BLACKBOARD = re.compile(r"\\(?:mathbb|Bbb|mathbf)\s*\{?\s*([RZNQC])\s*\}?")
_BLACKBOARDS = {"R": "\u211d", "Z": "\u2124", "N": "\u2115", "Q": "\u211a", "C": "\u2102"}
# A letter that is marked as a unit gets its long name, so that a bare `m` stays a variable.
_LETTERS = "m meter, g gram, s second, h hour, d day, L liter, l liter, N newton, J joule, W watt, V volt, A ampere, K kelvin"
_UNIT_OF_LETTER = dict(entry.split() for entry in _LETTERS.split(", "))
_LETTER = "[" + "".join(_UNIT_OF_LETTER) + "]"
_GAP, _EXPONENT = r"[\s~/\u00b7-]", r"(?:\^ ?\{?-?[0-9]\}?)?"
_MARKED_LETTERS = re.compile(
    r"(?<=[0-9A-Za-z)}!~ /.])\\(?:text(?:rm|normal|sf)?|mbox|hbox|math(?:rm|sf|normal)) ?"
    rf"\{{([\s~]*{_LETTER}(?:{_GAP}*{_EXPONENT}{_GAP}+{_LETTER})*{_EXPONENT}\.?[\s~]*)\}}(?! ?[_0-9A-Za-z])"
)
_PLAIN_QUANTITY = re.compile(rf"[+-]?[0-9][0-9.,/]* ({_LETTER})")
# Capitals that are marked as text after a number: what is counted.
_MARKED_CAPITALS = re.compile(r"(?<=[0-9}~ ])\\(?:text(?:rm)?|mbox|mathrm) ?\{[\s~]*([A-Z]{3,6}s?|[A-Z]{2}s)[\s~]*\}(?! ?[_0-9A-Za-z])")
_MARKED_THOUSANDS = re.compile(r"(?<=[0-9])(?:,\\! ?|\{,\} ?)(?=[0-9]{3}(?![0-9]))")

_THOUSANDS = re.compile(r"(?<![0-9.])([0-9]{1,3})((?:[ ,][0-9]{3})+)(?![0-9])")
_GROUPED = re.compile(r"[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]*)?")
_PREAMBLE = re.compile(
    r"(?i)^(?:so |thus |hence |therefore )?,?\s*(?:the [a-z]+(?: of [a-z]+)? (?:is|are)|(?:the )?(?:final |correct )?answer(?: is|:))"
    r"(?! not\b)(?!.* is )\s*:?\s*"
)


class Rule(NamedTuple):
    """One step of `clean`; alone, it makes `becomes` out of `example`."""

    name: str
    apply: Callable[[str], str]
    example: str
    becomes: str


def _rule(name: str, pattern: str | re.Pattern[str], replacement: str | Callable[[re.Match[str]], str], example: str, becomes: str) -> Rule:
    return Rule(name, functools.partial(re.compile(pattern).sub, replacement), example, becomes)


def _unboxed(text: str) -> str:
    while (inside := _BOXED.fullmatch(text)) and "}" not in inside[1].partition("{")[0]:
        text = inside[1]
    return text


def _plain_quantity(text: str) -> str:
    quantity = _PLAIN_QUANTITY.fullmatch(text.strip())
    return text.strip().removesuffix(quantity[1]) + _UNIT_OF_LETTER[quantity[1]] if quantity else text


def _long_units(marked: re.Match[str]) -> str:
    if not re.search(r"[0-9]|\\pi", marked.string[: marked.start()]):
        return marked[0]
    return " " + re.sub("[A-Za-z]", lambda letter: _UNIT_OF_LETTER[letter[0]], marked[1]) + " "


def _without_words(text: str) -> str:
    for _ in range(3):
        text, count = _WORDS.subn(lambda match: f" {match[1]} ", text)
        if not count:
            break
    return text


# In this order. What a rule needs of the ones before it:
# the marks of units, capitals and thousands are read before the commands for text and spaces go; commands of one meaning become one
# sign after the ones that are spelled otherwise (degrees, braces, "not"); spaces are joined last but for what stands at either end.
RULES = (
    Rule("one sign for what Unicode writes in many", lambda text: text.translate(_TRANSLATION), "3\u00d74\u22121", "3\u00b74-1"),
    Rule("a box around everything", _unboxed, r"\boxed{\fbox{5}}", "5"),
    Rule("a unit of one letter in plain text", _plain_quantity, "8 m", "8 meter"),
    _rule("modules of Python", r"\b(?:np|math)\.(?=[a-z])", "", "math.sqrt(2)", "sqrt(2)"),
    _rule("raised digits", _SUPERSCRIPT, lambda match: f"^{{{match[0].translate(_SUPERSCRIPTS)}}}", "x\u00b2", "x^{2}"),
    _rule("dollars that begin and end mathematics", r"(?<!\\)\$", "", r"$5$ and \$6", r"5 and \$6"),
    _rule("dollars that are money, percent signs", r"\\([$%])", r"\1", r"\$6 or 5\%", "$6 or 5%"),
    _rule("powers of Python", "\u00b7\u00b7", r" \\power ", "2\u00b7\u00b73", r"2 \power 3"),
    _rule("thousands that are marked", _MARKED_THOUSANDS, "", r"10,\!080 = 10{,}080", "10080 = 10080"),
    _rule("other commas of LaTeX", r",\\!\s*|\{,\}", ",", "2{,}5", "2,5"),
    _rule("units of one letter that are marked", _MARKED_LETTERS, _long_units, r"8\text{ m}", "8  meter "),
    _rule("capitals that are marked", _MARKED_CAPITALS, lambda match: f" {match[1].lower()} ", r"47\text{ RPM}", "47 rpm "),
    _rule("delimiters of LaTeX", r"(?<!\\)\\[()\[\]]", "", r"\(x\)", "x"),
    _rule("sizes of brackets", _SIZES, "", r"\left(x\bigr)", "(x)"),
    _rule("unit vectors", _UNIT_VECTOR, lambda match: VECTORS[match[1]], r"2\mathbf{i}", "2\u0131"),
    _rule("sets of numbers", _BLACKBOARD, lambda match: _BLACKBOARDS[match[1]], r"\mathbb{R}", "\u211d"),
    Rule("words bare of their commands", _without_words, r"\text{an \textbf{odd} one}", " an  odd  one "),
    _rule("fractions of any size", r"\\[dtc]frac(?![A-Za-z])", r"\\frac", r"\dfrac12", r"\frac12"),
    _rule("binomials of any size", r"\\[dt]binom(?![A-Za-z])", r"\\binom", r"\tbinom52", r"\binom52"),
    _rule("degrees", r"\^\s*(?:\{\s*\\circ\s*\}|\\circ(?![A-Za-z]))", "\u00b0", r"90^{\circ}", "90\u00b0"),
    _rule("not equal", r"\\not\s*=", "\u2260", r"x\not= 3", "x\u2260 3"),
    _rule("not in", r"\\not\s*\\in(?![A-Za-z])", r" \\notin ", r"x\not\in A", r"x \notin  A"),
    _rule("braces of a set that open", r"\\\{|\\lbrace", "\u2774", r"\{1", "\u27741"),
    _rule("braces of a set that close", r"\\\}|\\rbrace", "\u2775", r"1\}", "1\u2775"),
    _rule("commands of one meaning", _COMMAND, lambda match: _SIGN_OF[match[1]], r"x\leq\pi", "x\u2264\u03c0"),
    _rule("ends of rows, kept from the next rules", r"(?s)\\\\(?=.*\\end)", "\x01", r"1\\2\end", "1\x012\\end"),
    _rule("what takes no space", r"\\!|\\phantom", "", r"10\!0", "100"),
    _rule("spaces of LaTeX", r"\\[,;:> ]|~|\\(?=\n)", " ", r"10\,080~m", "10 080 m"),
    _rule("ends of rows", "\x01", r"\\\\", "1\x012", r"1\\2"),
    _rule("at most", "<=", "\u2264", "x<=3", "x\u22643"),
    _rule("at least", ">=", "\u2265", "x>=3", "x\u22653"),
    _rule("unequal", "!=", "\u2260", "x!=3", "x\u22603"),
    _rule("dots", r"\.\.\.", "\u2026", "1,2,...", "1,2,\u2026"),
    _rule("primes", r"\^\s*\{?\s*('+)\s*\}?", r"\1", "f^{'}", "f'"),
    _rule("infinity in words", r"(?i)\b(?:positive )?infinity\b", "\u221e", "positive infinity", "\u221e"),
    _rule("minus in words", r"(?i)^\s*(?:minus|negative) (?=[0-9\\" + "\u221e])", "-", "negative 5", "-5"),
    _rule("pi in letters", r"(?<![A-Za-z\\])pi(?![A-Za-z])", "\u03c0", "2pi", "2\u03c0"),
    _rule("percent in words", r"(?i)\s*\bper ?cent\b", "%", "5 percent", "5%"),
    _rule("bold type and code of Markdown", r"^\s*" + "\u00b7+(?=\\S)|(?<=\\S)\u00b7+" + r"\s*$|`", "", "\u00b75\u00b7", "5"),
    _rule("bold type that reads as powers", r"^\s*\\power(.*)\\power\s*$", r"\1", r"\power 5 \power", " 5 "),
    _rule("single spaces", r"\s+", " ", "a  \n b", "a b"),
    _rule("a share", r"(?i)(?<=[0-9]) out of (?=[0-9])", "/", "3 out of 8", "3/8"),
    _rule("words before the answer", _PREAMBLE, "", "the answer is 5", "5"),
    _rule("what ends a sentence", r"(?<=[^.\u2026])[.,;]\s*$|\{\}$", "", "5.", "5"),
)


def clean(text: str) -> str:
    """The text in one notation: see `RULES`; words stand bare, spaces are single, a currency's `$` is kept and `$…$` is not."""
    for rule in RULES:
        text = rule.apply(text.strip())
    return text.strip()


def may_have_thousands(text: str) -> bool:
    """Whether the commas without a space may separate thousands: not in `18,36,144`, where one of them cannot."""
    if re.search(r"[,;] |\b(?:and|or)\b|;", text):
        return True
    return all(_GROUPED.fullmatch(part) for part in re.split(r"[^0-9.,]+", text) if "," in part.strip(","))


def join_thousands(text: str) -> str:
    """`10,080` and `10 080` as one number, outside of brackets: `(20,100)` is a point."""
    if "(" in text or "[" in text or "\u2774" in text or "\u27e8" in text:
        return text
    return _THOUSANDS.sub(lambda match: match[1] + re.sub("[ ,]", "", match[2]), text)


def compact(text: str) -> str:
    """A cleaned text without the spaces that mean nothing; for comparing texts."""
    text = re.sub(r"\s+", " ", text)
    text = re.sub(r", (?=[0-9]{3}(?![0-9]))", ",\n", text)  # 2, 100 is a list, 2,100 a number
    text = re.sub(r"(?<![0-9A-Za-z]) | (?![0-9A-Za-z])", "", text)
    text = re.sub(r"(?<=[A-Za-z]) (?=[0-9])|(?<=[0-9]) (?=[A-Za-z])", "", text)
    return re.sub(r"([_^])\{([^{}\\])\}", r"\1\2", text)
