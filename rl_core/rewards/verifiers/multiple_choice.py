r"""Multiple choice: the letter that a response decides for, however it is dressed: `B`, `(B)`, `\boxed{\text{B}}`, `**B**`, `B. Paris`."""

import re
from collections.abc import Sequence
from typing import Any

from rl_core.errors import InputError
from rl_core.outcome import Outcome
from rl_core.rewards.extraction import extract_answer
from rl_core.rewards.readers import Reader
from rl_core.rewards.verdict import Verdict

LETTERS = "ABCDEFGHIJ"  # MMLU-Pro has ten options
ASK = "Answer with the letter of the option that is right."  # our wording
_DRESS = re.compile(r"\\(?:textbf|text|mathrm|mathbf|boxed)(?![A-Za-z])|\\[()]|[${}*`]")
_ALONE = re.compile(r"[(\[]?([A-Ja-j])[)\]]?[.:,;]?")
# A letter at the head of more text must be marked as an option: "A dog" decides nothing.
_HEAD = re.compile(
    r"(?:option|choice)?\s*(?:\(([A-J])\)|([A-J])(?=[).:]|\s*$|\s+(?:or|and|because|since|as|is correct)\b))", re.ASCII | re.IGNORECASE
)
# Another letter that a connecting word, a sign or a bracket offers beside the first; or the first one denied.
_OTHERS = re.compile(
    r"(?:\(|[,;/&+|]\s*|\b(?ai:or|and|nor|plus|versus|vs\.?|as\s+well\s+as|along\s+with|together\s+with|otherwise|else|alternatively|maybe|"
    r"perhaps|possibly|probably|but|also|even|then|either|both|could\s+be|might\s+be|option|choice|answer)[\s,]+)+\(?([A-J])(?![A-Za-z])"
)
_DENIED = re.compile(
    r"(?ai)[)\]]?\s*(?:(?:is|are|was|can|could|does|would|seems)\s*(?:n't|n\u2019t|not|never|incorrect|wrong|false|untrue)\b|cannot\b|\?)"
)
_LONGEST = 400  # characters of an answer that are looked at


def option_lines(options: Sequence[str]) -> list[str]:
    """Options by letter; raises ValueError for more than there are letters, or what is no text."""
    if not 1 < len(options) <= len(LETTERS) or not all(isinstance(option, str) for option in options):
        raise ValueError(f"other than 2 to {len(LETTERS)} texts")
    return [f"{letter}. {option.strip()}" for letter, option in zip(LETTERS, options, strict=False)]


def letter_of(answer: Any) -> str:
    """An option as its capital letter: `B`, `(b)`, or its index from 0; raises ValueError for anything else."""
    if isinstance(answer, int) and not isinstance(answer, bool) and 0 <= answer < len(LETTERS):
        return LETTERS[answer]
    text = str(answer).strip().strip("().").upper()
    if len(text) != 1 or text not in LETTERS:
        raise ValueError(f"{answer!r} is no option")
    return text


def judge(response: str, gold: str, read: Reader | None = None) -> Verdict:
    """Verdict on a response whose options are letters; one that names two different ones decides for none.

    Args:
        read: as in `verify.settle`.

    Raises:
        InputError: the gold is no letter from A to J.
    """
    if len(gold) != 1 or gold not in LETTERS:
        raise InputError(f"gold of a multiple-choice prompt must be a letter from A to {LETTERS[-1]}, not {gold[:80]!r}")
    answer = read(response) if read else extract_answer(response)
    if read and answer is None:
        return Verdict(Outcome.FORMAT_ERROR, None)
    letter = _letter(answer if answer is not None else response.rstrip().rpartition("\n")[2], marked=answer is not None)
    if letter is None:
        return Verdict(Outcome.UNPARSEABLE, answer)
    return Verdict(Outcome.CORRECT if letter == gold else Outcome.WRONG, letter)


def _letter(answer: str, *, marked: bool) -> str | None:
    """The option named; `marked`: the text was given as the answer, so that more may follow the letter."""
    text = _DRESS.sub("", answer[:_LONGEST]).strip()
    if alone := _ALONE.fullmatch(re.sub(r"\s", "", text)):
        return alone[1].upper()
    head = _HEAD.match(text) if marked else None
    if head is None or not (head[1] or head[2]).isupper() or _DENIED.match(text, head.end()):
        return None
    letter = head[1] or head[2]
    return letter if set(_OTHERS.findall(text)) <= {letter} else None
