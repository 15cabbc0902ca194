"""Gold answers as public sets write them, made into the form that verifiers read."""

from __future__ import annotations

import re
from typing import Any

from rl_core.rewards.extraction import last_boxed
from rl_core.rewards.verifiers.multiple_choice import letter_of

_SCIENTIFIC = re.compile(r"([-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))[eE]([-+]?[0-9]+)")


def whole_number(answer: Any) -> str:
    """`"025"`, `25` and `25.0` are the same answer of a competition whose answers are whole numbers."""
    number = float(answer)
    if not number.is_integer():
        raise ValueError(f"{answer!r} is not whole")
    return str(int(number))


def as_text(answer: Any) -> str:
    return str(answer).strip()


def boxed_or_all(answer: Any) -> str:
    r"""Minerva: the last box of a solution, or an answer that is given alone; `4.5e33` and `np.arcsin` become LaTeX."""
    text = str(answer).strip()
    inner = last_boxed(text)
    text = text if inner is None else inner
    text = re.sub(r"\bnp\.(?=[a-z])", lambda _: "\\", text)
    text = re.sub(r"(?<=[0-9])\.(?=/)", "", text)
    scientific = _SCIENTIFIC.fullmatch(text)
    return rf"{scientific[1]} \times 10^{{{int(scientific[2])}}}" if scientific else text


def listed(answer: Any) -> str:
    """OlympiadBench: a list with a text of one or several answers; dollar signs around and between them go."""
    parts = answer if isinstance(answer, list) else [answer]
    if not parts or not all(isinstance(part, str | int | float) for part in parts):
        raise TypeError("no list of texts")
    return ", ".join(re.sub(r"(?<!\\)\$", "", str(part)).strip() for part in parts)


def of_any_type(answer: Any) -> str:
    """TheoremQA: booleans, numbers, lists of numbers, and options such as `(c)`."""
    if isinstance(answer, list):
        if not answer or not all(isinstance(part, int | float) for part in answer):
            raise TypeError("no list of numbers")
        return f"({', '.join(map(str, answer))})"
    if isinstance(answer, bool | int | float):
        return str(answer)
    return letter_of(answer) if re.fullmatch(r"\(?[A-Ja-j]\)?", str(answer).strip()) else str(answer).strip()
