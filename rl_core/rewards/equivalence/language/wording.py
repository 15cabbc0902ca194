"""Words around an answer that say nothing about its value: `only x = 3`, `a total of 42`, `Area: 18`."""

import re

from rl_core.rewards.equivalence.language.units import SAYING

_THING = "(?:solution|answer|value|result|equation|line|function|point|curve|set|interval)s?"
# Each with the word that it must not swallow behind it: what follows is a formula.
_BEFORE = (
    re.compile(r"(?i)^(?:[=\u2248] ?|(?:about|approximately|approx\.?|roughly|around|exactly|precisely|only|just|a total of) )"),
    re.compile(r"(?i)^(?:at )?(?:the points? )?(?=\()"),
    re.compile(r"(?i)^(?:(?:for )?(?:all|every|each|any) )(?:integers? (?=[kmn]\b))?(?=[a-z] ?[<>\u2264\u2265])"),
    re.compile(rf"(?i)^(?:so|thus|hence|therefore),? (?=[^a-z]|[a-z]\b)|^(?:the )?(?:only )?{_THING}(?: is| are)?:? (?=[^a-z]|[a-z]\b)"),
)
_COMPARED = {
    sign: re.compile(rf"(?i)(?<=\b[a-z]) (?:is |must be )?(?:strictly )?(?:{words}) (?=[-0-9\\\u03c0])")
    for sign, words in {
        "\u2265": "greater than or equal to|at least|no less than|not less than",
        "\u2264": "less than or equal to|at most|no more than|no greater than",
        ">": "greater than|more than|larger than",
        "<": "less than|smaller than",
    }.items()
}
_NEARLY = r"(?:about|approximately|approx\.|roughly|\u2248)"
_ABOUT = re.compile(rf"(?i)(?<=\S) ?(?:\((?:or )?{_NEARLY} ?([^()]*)\)|(?:,|,? or)? {_NEARLY} (.*))$")
_AFTER = re.compile(
    r"(?i)[ ,]+(?:of (?:the|a|an) [a-z]+(?: [a-z]+)?|only|(?:in )?total|altogether|respectively|\(units?\)"
    rf"|(?:is|are) the (?:only )?{_THING})$"
)
_LABEL = re.compile(r"([A-Za-z][A-Za-z' ]{2,40}): ?(?=\S)([^:]*)")
_DENYING = (
    SAYING
    | {"wrong", "incorrect", "without", "unless", "other", "excluded", "when", "case", "else", "otherwise", "maybe", "possibly", "false"}
) - {"of", "for", "in", "all"}


def bare(text: str) -> str:
    """The text without such words."""
    for sign, pattern in _COMPARED.items():
        text = pattern.sub(sign, text)
    for pattern in _BEFORE:
        text = pattern.sub("", text)
    text = _ABOUT.sub(lambda match: "\u2248" + (match[1] or match[2]), text)
    rest = _AFTER.sub("", text)
    return rest if re.search(r"[0-9=<>\\\u03c0]", rest) else text


def without_label(text: str) -> str:
    """`Area: 18` as `18`; a label that denies or limits the value (`at least: 18`) is kept."""
    match = _LABEL.fullmatch(text)
    return text if match is None or denies(match[1]) else match[2]


def denies(label: str) -> bool:
    """Whether a label says more of a value than what it is called."""
    return bool(_DENYING & set(label.lower().split()))
