"""GPQA Diamond and a fixed part of MMLU-Pro: questions whose answer is the letter of an option."""

from __future__ import annotations

import hashlib
from random import Random
from typing import Any

from evals.benchmarks.problems import ProblemSet, Row
from rl_core.rewards.verifiers.multiple_choice import ASK, LETTERS, letter_of, option_lines

SUBSET = 1000  # rows of MMLU-Pro-1k


def with_options(question: str, options: list[str]) -> str:
    """A question, its options by letter, and what is asked for."""
    return "\n".join([question.strip(), "", *option_lines(options), "", ASK])


def _mmlu_subset(rows: list[Row]) -> list[Row]:
    """The 1,000 questions whose hashed ids come first: the same whatever order the rows are in."""
    return sorted(rows, key=lambda row: hashlib.sha256(f"mmlu_pro_1k/{row.get('question_id')}".encode()).digest())[:SUBSET]


# Wang et al. (2406.01574).
_MMLU_PRO_1K = ProblemSet(
    name="mmlu_pro_1k",
    task="mmlu_pro",
    hub_id="TIGER-Lab/MMLU-Pro",
    hub_split="test",
    file="mmlu_pro/test.parquet",
    rows=SUBSET,
    digest="0155de3d99c7d2a3",
    gold=letter_of,
    question=lambda row: with_options(row["question"], row["options"]),
    difficulty="category",
    choose=_mmlu_subset,
)


def _gpqa_options(row: Row) -> tuple[list[str], int]:
    """The four options in an order drawn from the question, and where the right one is."""
    options = [row["Correct Answer"], *(row[f"Incorrect Answer {number}"] for number in (1, 2, 3))]
    order = list(range(4))
    Random(hashlib.sha256(row["Question"].encode()).hexdigest()).shuffle(order)
    return [options[index] for index in order], order.index(0)


def _gpqa_question(row: Row) -> Any:
    return with_options(row["Question"], _gpqa_options(row)[0])


# Rein et al. (2311.12022). Gated: its authors ask that the questions are not published again.
_GPQA_DIAMOND = ProblemSet(
    name="gpqa_diamond",
    task="gpqa_diamond",
    hub_id="Idavidrein/gpqa",
    hub_config="gpqa_diamond",
    hub_split="train",
    file="gpqa_diamond/test.jsonl",
    rows=198,
    digest=None,
    gold=letter_of,
    question=_gpqa_question,
    answer=lambda row: LETTERS[_gpqa_options(row)[1]],
    difficulty="Subdomain",
)

BENCHMARKS = (_GPQA_DIAMOND, _MMLU_PRO_1K)
