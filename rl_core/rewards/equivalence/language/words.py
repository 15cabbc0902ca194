"""Answers in words: numbers, truth values, options, times of day, dates, names, and the ways to say that there is nothing."""

import re

_NUMBERS = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen
"""
_TENS = dict(zip(["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"], range(20, 100, 10), strict=True))
_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9}
_SMALL = {word: value for value, word in enumerate(_NUMBERS.split())} | _TENS
_ORDINALS = {"first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9, "tenth": 10}
_PARTS = {"half": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6, "eighth": 8, "tenth": 10}
_PARTS |= {"halve": 2, "seventh": 7, "ninth": 9}

_TRUE = frozenset(["true", "yes", "correct"])
_FALSE = frozenset(["false", "no", "incorrect"])
_NOTHING = frozenset(["\u2205", "\u2774\u2775", "no such x", "none", "empty", "empty set", "the empty set", "no integer solutions"])
_NOTHING |= {"no solution", "no solutions", "no real solution", "no real solutions", "there are no solutions", "there is no solution"}
_NO_SOLUTION = re.compile(
    r"(?:there (?:is|are|exists?) )?no (?:such |real |integer )?(?:solutions?|values?|numbers?|roots?)(?: (?:for|of) [a-z])?(?: exists?)?"
    r"|(?:(?:it|the equation|the system) )?(?:(?:does not|doesn't) have (?:a|any)|has no) (?:real )?solutions?"
)
_UNDEFINED = frozenset(["undefined", "not defined", "does not exist", "dne", "diverges", "divergent"])
_UNDEFINED |= {"no limit", "limit does not exist", "the limit does not exist"}
_INFINITE = frozenset(
    ["infinitely many", "infinite", "infinitely many solutions", "infinite solutions", "there are infinitely many", "an infinite number"]
)
_POSITIVE = frozenset(["all positive integers", "positive integers", "the positive integers", "\u2124^+", "\u2124^{+}", "\u2124_{>0}"])
_MONTHS = ["january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december"]
_DAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
_FILLERS = frozenset(["a", "an", "the", "it", "is", "on", "in", "due", "answer", "function", "sequence", "shape", "number", "there", "are"])
_WINS = re.compile(
    r"(?P<who>[A-Z][a-z]+) (?:always )?(?:wins|won|will win|can win|is the winner|has (?:a|the) winning strategy)(?P<rest>[A-Za-z ]*)\.?"
)
_QUALIFYING = frozenset(["not", "if", "when", "unless", "only", "or", "and", "but", "for", "except", "nothing", "never", "against", "less"])
# Words that take a truth value back, or say that it is one in some cases only.
_LIMITED = re.compile(
    r"\b(?:not|no|never|neither|nor|cannot|without|fails?|lies?|wrong|un(?:true|likely|certain|known|less|proven)|impossible|hardly|rarely"
    r"|in(?:correct|valid)|only|if|when|whenever|where|except|sometimes|often|usually|mostly|partly|but|however|though|although|or|else"
    r"|otherwise|maybe|perhaps|possibly|probably|might|may|could|seems?|depends?|opposite|contrary|disproved|refuted)\b|n['\u2019]t\b|\?"
)
_CLOCK = re.compile(r"(?i)([0-9]{1,2})(?: ?: ?([0-9]{2}))?(?: ?: ?([0-9]{2}))? ?(a|p)?\.? ?(m)?\.?")


def number_of(text: str) -> str | None:
    """Digits of a number in words: `twenty-five`, `one hundred`, `negative fifty`, `one third`; None for anything else."""
    words = re.findall(r"[a-z]+", text.lower())
    if not words or re.search(r"[^A-Za-z\s-]|^-", text.strip()) or len(words) > 12:
        return None
    sign = "-" if words[0] in ("minus", "negative") else ""
    words = words[1:] if sign else words
    if len(words) == 2 and words[0] in _SMALL and (part := words[1].removesuffix("s")) in _PARTS:
        return f"{sign}{_SMALL[words[0]]}/{_PARTS[part]}"
    value = _cardinal([word for word in words if word != "and"])
    return None if value is None else f"{sign}{value}"


def _cardinal(words: list[str]) -> int | None:
    total = current = 0
    if words == ["hundred"]:
        return 100
    for word in words:
        if word in _SMALL:
            if current % 100 and not (current % 10 == 0 and current % 100 >= 20 and _SMALL[word] < 10):
                return None
            current += _SMALL[word]
        elif word == "hundred" and 0 < current < 10:
            current *= 100
        elif word in _SCALES and current:
            total, current = total + current * _SCALES[word], 0
        else:
            return None
    return total + current if words else None


def ordinal_of(text: str) -> int | None:
    """The number of `3rd`, `3^{rd}`, `the third`."""
    if match := re.fullmatch(r"([0-9]+)(?:\^\{?)? ?(?:st|nd|rd|th) ?\}?", text):
        return int(match[1])
    return _ORDINALS.get(text.lower().removeprefix("the ").strip())


def clock_of(text: str) -> tuple[int, int, int | None, bool | None] | None:
    """Hour, minute, second and whether it is after noon (None: not stated) of a time of day."""
    match = _CLOCK.fullmatch(text.strip())
    if match is None or bool(match[4]) != bool(match[5]) or (match[2] is None and not match[4]):
        return None
    hour, minute = int(match[1]), int(match[2] or 0)
    second = None if match[3] is None else int(match[3])
    if hour > 23 or minute > 59 or (second or 0) > 59:
        return None
    after = match[4].lower() == "p" if match[4] else (True if hour > 12 else None)
    return hour % 12, minute, second, after


def same_clock(gold: str, answer: str) -> bool | None:
    """Whether two times of day are the same; None when the gold answer is no such time. An answer may leave out a.m. or p.m."""
    if not re.search(r"(?i)[ap]\.? ?m\.?$|^0[0-9]:", gold.strip()):
        return None
    left, right = clock_of(gold), clock_of(answer)
    if left is None:
        return None
    return right is not None and left[:3] == right[:3] and (left[3] == right[3] or right[3] is None or (left[3] is None and not right[3]))


def same_word(gold: str, answer: str) -> bool | None:
    """Compare when the gold answer is a truth value or says that there is nothing; else None."""
    left, right = _as_nothing(gold.lower().strip()), _as_nothing(answer.lower().strip().rstrip("."))
    for group in (_TRUE, _FALSE, _NOTHING, _UNDEFINED, _INFINITE, _POSITIVE):
        if left in group:
            return (
                right in group or (group is _INFINITE and right == "\u221e") or (group in (_TRUE, _FALSE) and _is_explained(right, group))
            )
    return None


def _as_nothing(text: str) -> str:
    return "no solution" if _NO_SOLUTION.fullmatch(text) else text


def _is_explained(text: str, group: frozenset[str]) -> bool:
    """`true, it converges`: the explanation denies and limits nothing, and says neither true nor false."""
    said, _, explanation = text.partition(", it ")
    return said in group and not _LIMITED.search(explanation) and not set(explanation.split()) & (_TRUE | _FALSE)


def is_word(text: str) -> bool:
    """Whether an answer is a truth value or says that there is nothing."""
    return any(text.lower() in group for group in (_TRUE, _FALSE, _NOTHING, _UNDEFINED))


def is_text(text: str) -> bool:
    """Whether a cleaned answer is words, not mathematics."""
    if re.match(r"(?:euros|pounds_sterling|USD|EUR|GBP|Rs\.?) ?[0-9]", text):
        return False
    bare = re.sub(r"\\[A-Za-z]+", "", text)
    return bool(re.fullmatch(r"[A-Za-z][A-Za-z0-9 .,'-]+", bare)) and bare == text and bool(re.search(r"[A-Za-z]{3}", text))


def is_letters(text: str) -> bool:
    """`CBAD`, `ABC`: letters in an order, no product."""
    return bool(re.fullmatch(r"[A-Z]{2,}", text))


def same_text(gold: str, answer: str) -> bool:
    """Words of two texts, without articles and fillers; numbers may be digits or words, months and days short."""
    if is_letters(gold):
        return re.sub(r"[\s,]|and", "", answer).upper() == gold
    if re.search(r"[^A-Za-z0-9 ,.'()-]|^-", answer):
        return False
    left, right = (_words(_subject(text) or text) for text in (gold, answer))
    if bool(left) and left == right:
        return True
    # a date may name the day first
    return bool(set(left) & set(_MONTHS)) and len(left) == 2 and left == right[::-1]


def _subject(text: str) -> str | None:
    """Who wins, of a sentence that says just that: `Petra wins the match.`; None for any other text."""
    match = _WINS.fullmatch(text.strip())
    return match["who"] if match and not set(match["rest"].lower().split()) & _QUALIFYING else None


def _words(text: str) -> list[str]:
    found = []
    for word in re.findall(r"[a-z0-9]+", re.sub(r"(?<=[0-9])(?:st|nd|rd|th)\b", "", text.lower().replace("'", ""))):
        if word in _FILLERS:
            continue
        long = next((name for name in (*_MONTHS, *_DAYS) if len(word) >= 3 and name.startswith(word)), None)
        found.append(long or str(_SMALL.get(word, word)))
    return found


def option_of(text: str, marked: bool = False) -> str | None:
    """The letter of an option: `(C)`, `C.`, `option C`, and with `marked` also `(C) 12` and `C. Paris`."""
    match = re.fullmatch(r"(?i)(?:option |choice )?[(\[]? ?([A-Z]) ?[)\]]?[.:,]?", text.strip())
    if match:
        return match[1]
    head = (
        re.match(r"[(\[] ?([A-Z]) ?[)\]](?:[.:]?\s+(?P<rest>[^\s,/+*^;&|].*)|(?=[A-Z][a-z]))|([A-Z])[.:)]\s+(?P<text>.*)", text.strip())
        if marked
        else None
    )
    if head is None or re.search(r"(?<![A-Za-z])[(\[]?[A-Z][)\]]?(?![A-Za-z])|\bor\b|\bnot\b", head["rest"] or head["text"] or ""):
        return None
    return head[1] or head[3]
