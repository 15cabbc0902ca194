"""MATH-500: the 500 problems of the MATH test split that Lightman et al. (2305.20050) held out."""

from evals.benchmarks.problems import ProblemSet

MATH500 = ProblemSet(
    task="math500",
    hub_id="HuggingFaceH4/MATH-500",
    hub_split="test",
    file="math500/test.jsonl",
    gold=lambda answer: str(answer).strip(),
    difficulty="level",
)
