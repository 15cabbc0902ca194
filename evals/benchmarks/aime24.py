"""AIME 2024: 30 problems, answers from 0 to 999, some written with leading zeros."""

from evals.benchmarks.problems import ProblemSet, integer_gold

AIME24 = ProblemSet(task="aime24", hub_id="HuggingFaceH4/aime_2024", hub_split="train", file="aime24/test.jsonl", gold=integer_gold)
