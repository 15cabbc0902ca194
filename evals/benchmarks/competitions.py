"""AIME and AMC: competitions whose answers are whole numbers.

"AMC" means two sets: 40 problems of 2023 in Qwen2.5-Math's evaluation, and 83 of 2022 and 2023 in that of oat-zero and Logic-RL.
"""

from evals.benchmarks.golds import whole_number
from evals.benchmarks.problems import ProblemSet

_AIME24 = ProblemSet(
    name="aime24",
    label="AIME 2024",
    task="aime24",
    hub_id="HuggingFaceH4/aime_2024",
    hub_split="train",
    file="aime24/test.jsonl",
    rows=30,
    digest="c3ce2fba1d9e4bea",
    gold=whole_number,
)
_AIME25 = ProblemSet(
    name="aime25",
    task="aime24",
    hub_id="math-ai/aime25",
    hub_split="test",
    file="aime25/test.jsonl",
    rows=30,
    digest="aea363f599738452",
    gold=whole_number,
)
_AMC23 = ProblemSet(
    name="amc23",
    label="AMC 2023",
    task="amc23",
    hub_id="math-ai/amc23",
    hub_split="test",
    file="amc23/test.jsonl",
    rows=40,
    digest="6d59dd9e3918d7dd",
    gold=whole_number,
)
_AMC_OAT = ProblemSet(
    name="amc_oat",
    task="amc23",
    hub_id="AI-MO/aimo-validation-amc",
    hub_split="train",
    file="amc83/test.jsonl",
    rows=83,
    digest="603ba77e97b37994",
    gold=whole_number,
)

BENCHMARKS = (_AIME24, _AIME25, _AMC23, _AMC_OAT)
