r"""Multiple choice: the letter that a response decides for, however it is dressed: `B`, `(B)`, `\boxed{\text{B}}`, `**B**`, `B. Paris`."""

from __future__ import annotations

import re

from rl_core.errors import InputError
from rl_core.outcome import Outcome
from rl_core.rewards.extraction import extract_answer
from rl_core.rewards.verdict import Verdict

LETTERS = "ABCDEFGHIJ"  # MMLU-Pro has ten options
_DRESS = re.compile(r"\\(?:text|textbf|mathrm|mathbf|boxed)\s*|[${}*\s]+")
_ALONE = re.compile(r"\(?([A-Ja-j])\)?[.:,;]?", re.ASCII)
# A letter at the head of more text must be marked as an option: "A dog" decides nothing.
_HEAD = re.compile(
    r"(?:option|choice)?\s*(?:\(([A-J])\)|([A-J])(?=[).:]|\s*$|\s+(?:or|and|because|since|as|is correct)\b))", re.ASCII | re.IGNORECASE
)
_OTHERS = re.compile(r"(?:\(|\b(?:or|and)\s|[,/&]\s?)\(?([A-J])(?![A-Za-z])", re.ASCII)
_LONGEST = 400  # characters of an answer that are looked at


def judge(response: str, gold: str) -> Verdict:
    """Verdict on a response whose options are letters; one that names two different ones decides for none.

    Raises:
        InputError: the gold is no letter from A to J.
    """
    if len(gold) != 1 or gold not in LETTERS:
        raise InputError(f"gold of a multiple-choice prompt must be a letter from A to {LETTERS[-1]}, not {gold[:80]!r}")
    answer = extract_answer(response)
    letter = _letter(answer if answer is not None else response.rstrip().rpartition("\n")[2], marked=answer is not None)
    if letter is None:
        return Verdict(Outcome.UNPARSEABLE, answer)
    return Verdict(Outcome.CORRECT if letter == gold else Outcome.WRONG, letter)


def _letter(answer: str, *, marked: bool) -> str | None:
    """The option named; `marked`: the text was given as the answer, so that more may follow the letter."""
    text = answer[:_LONGEST].strip()
    if alone := _ALONE.fullmatch(_DRESS.sub("", text)):
        return alone[1].upper()
    text = text.lstrip("$*{ ")
    head = _HEAD.match(text) if marked else None
    if head is None or not (head[1] or head[2]).isupper():
        return None
    letter = head[1] or head[2]
    return letter if set(_OTHERS.findall(text)) <= {letter} else None
