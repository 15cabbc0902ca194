"""Whether problems of a training set are also problems of a benchmark.

Two problems are the same where their words are equal, or where half of the benchmark problem's runs of eight words are in the training
problem: numbers and formulas count as words, so that the same story with other numbers is another problem only if it is short of such runs.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rl_core.data.prompts import Prompt
from rl_core.environments.registry import made_to_order

NGRAM = 8  # words; as in open-r1's decontamination (scripts/decontaminate.py), where one shared run is enough
SHARE = 0.5  # of the benchmark problem's runs
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True)
class Hit:
    """A training problem that is in a benchmark."""

    train: int  # its place in the training set
    held_out: int  # its place in the benchmark
    share: float  # of the benchmark problem's runs of words; 1 where all words are equal


def words(question: str) -> tuple[str, ...]:
    """The words and numbers of a problem without case, punctuation and markup: `$\\frac{1}{2}$` is frac 1 2."""
    return tuple(_WORD.findall(question.casefold()))


def find_hits(train: Sequence[Prompt], held_out: Sequence[Prompt]) -> list[Hit]:
    """Training problems that are also held out, each with the held-out problem that it shares most with; in the order of `train`."""
    texts = [words(prompt.question) for prompt in held_out]
    equal = {text: index for index, text in reversed(list(enumerate(texts)))}
    runs = [set() if made_to_order(prompt.task) else set(_ngrams(text)) for text, prompt in zip(texts, held_out, strict=True)]
    index_of: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
    for index, found in enumerate(runs):
        for run in found:
            index_of[run].append(index)
    hits = []
    for place, prompt in enumerate(train):
        text = words(prompt.question)
        if text in equal:
            hits.append(Hit(place, equal[text], 1.0))
            continue
        shared = Counter(index for run in set(_ngrams(text)) for index in index_of.get(run, ()))
        if shared:
            share, index = max((count / len(runs[index]), -index) for index, count in shared.items())
            if share >= SHARE:
                hits.append(Hit(place, -index, share))
    return hits


def _ngrams(text: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    return (text[start : start + NGRAM] for start in range(len(text) - NGRAM + 1))
