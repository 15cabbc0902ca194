"""AMC 2023: the 40 problems of Qwen2.5-Math's evaluation. (Another line of work means 83 problems of 2022 and 2023 by "AMC".)"""

from evals.benchmarks.problems import ProblemSet, integer_gold

AMC23 = ProblemSet(task="amc23", hub_id="math-ai/amc23", hub_split="test", file="amc23/test.jsonl", gold=integer_gold)
