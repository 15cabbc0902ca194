"""One notation for what LaTeX, Unicode and plain text write in many ways: every relation, operator and set gets one sign."""

from __future__ import annotations

import re

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
_UNIT_OF_LETTER = {
    "m": "meter",
    "g": "gram",
    "s": "second",
    "h": "hour",
    "d": "day",
    "L": "liter",
    "l": "liter",
    "N": "newton",
    "J": "joule",
    "W": "watt",
    "V": "volt",
    "A": "ampere",
    "K": "kelvin",
}
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


def clean(text: str) -> str:
    """The text in one notation: see the tables above; words stand bare, spaces are single, a currency's `$` is kept and `$…$` is not."""
    text = text.translate(_TRANSLATION)
    while (inside := _BOXED.fullmatch(text)) and "}" not in inside[1].partition("{")[0]:
        text = inside[1]
    if quantity := _PLAIN_QUANTITY.fullmatch(text.strip()):
        text = text.strip().removesuffix(quantity[1]) + _UNIT_OF_LETTER[quantity[1]]
    text = re.sub(r"\b(?:np|math)\.(?=[a-z])", "", text)
    text = _SUPERSCRIPT.sub(lambda match: f"^{{{match[0].translate(_SUPERSCRIPTS)}}}", text)
    text = text.replace(r"\$", "\x00").replace("$", "").replace("\x00", "$").replace(r"\%", "%").replace("\u00b7\u00b7", " \\power ")
    text = _MARKED_THOUSANDS.sub("", text)
    text = re.sub(r",\\!\s*|\{,\}", ",", text)
    text = _MARKED_LETTERS.sub(_long_units, text)
    text = _MARKED_CAPITALS.sub(lambda match: f" {match[1].lower()} ", text)
    text = re.sub(r"(?<!\\)\\[()\[\]]", "", text)
    text = _SIZES.sub("", text)
    text = _UNIT_VECTOR.sub(lambda match: VECTORS[match[1]], text)
    text = _BLACKBOARD.sub(lambda match: _BLACKBOARDS[match[1]], text)
    for _ in range(3):
        text, count = _WORDS.subn(lambda match: f" {match[1]} ", text)
        if not count:
            break
    text = re.sub(r"\\[dtc]frac(?![A-Za-z])", r"\\frac", text)
    text = re.sub(r"\\[dt]binom(?![A-Za-z])", r"\\binom", text)
    text = re.sub(r"\^\s*(?:\{\s*\\circ\s*\}|\\circ(?![A-Za-z]))", "\u00b0", text)
    text = re.sub(r"\\not\s*=", "\u2260", text)
    text = re.sub(r"\\not\s*\\in(?![A-Za-z])", r" \\notin ", text)
    text = text.replace(r"\{", "\u2774").replace(r"\}", "\u2775").replace(r"\lbrace", "\u2774").replace(r"\rbrace", "\u2775")
    text = _COMMAND.sub(lambda match: _SIGN_OF[match[1]], text)
    text = re.sub(r"\\\\(?=.*\\end)", "\x01", text, flags=re.DOTALL)
    text = re.sub(r"\\!|\\phantom", "", text)
    text = re.sub(r"\\[,;:> ]|~|\\(?=\n)", " ", text).replace("\x01", r"\\")
    text = text.replace("<=", "\u2264").replace(">=", "\u2265").replace("!=", "\u2260").replace("...", "\u2026")
    text = re.sub(r"\^\s*\{?\s*('+)\s*\}?", r"\1", text)
    text = re.sub(r"(?i)\b(?:positive )?infinity\b", "\u221e", text)
    text = re.sub("(?i)^(?:minus|negative) (?=[0-9\\\\\u221e])", "-", text.strip())
    text = re.sub(r"(?<![A-Za-z\\])pi(?![A-Za-z])", "\u03c0", text)
    text = re.sub(r"(?i)\s*\bper ?cent\b", "%", text)
    text = re.sub(r"^\s*\u00b7+(?=\S)|(?<=\S)\u00b7+\s*$|`", "", text)
    text = re.sub(r"^\\power(.*)\\power$", r"\1", text.strip())
    text = re.sub(r"\s+", " ", text).strip()
    text = re.sub(r"(?i)(?<=[0-9]) out of (?=[0-9])", "/", text)
    text = _PREAMBLE.sub("", text)
    text = re.sub(r"(?<=[^.\u2026])[.,;]\s*$|\{\}$", "", text).strip()
    return text


def _long_units(marked: re.Match[str]) -> str:
    if not re.search(r"[0-9]|\\pi", marked.string[: marked.start()]):
        return marked[0]
    return " " + re.sub("[A-Za-z]", lambda letter: _UNIT_OF_LETTER[letter[0]], marked[1]) + " "


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
