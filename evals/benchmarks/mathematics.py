"""MATH-500, Minerva (MIT OpenCourseWare) and OlympiadBench: problems whose answers are formulas."""

from evals.benchmarks.golds import as_text, boxed_or_all, listed
from evals.benchmarks.problems import ProblemSet

# The 500 problems of the MATH test split that Lightman et al. (2305.20050) held out.
_MATH500 = ProblemSet(
    name="math500",
    label="MATH-500",
    task="math500",
    hub_id="HuggingFaceH4/MATH-500",
    hub_split="test",
    file="math500/test.jsonl",
    rows=500,
    digest="cc976e62f0457b6e",
    gold=as_text,
    difficulty="level",
)

# Lewkowycz et al. (2206.14858); the gold stands in the box of the solution.
_MINERVA_MATH = ProblemSet(
    name="minerva_math",
    task="math",
    hub_id="math-ai/minervamath",
    hub_split="test",
    file="minerva_math/test.jsonl",
    rows=272,
    digest="d36e35ab54ca19ff",
    gold=boxed_or_all,
    answer=lambda row: row.get("solution") or row.get("answer"),
)

# He et al. (2402.14008): open-ended competition mathematics in English, without pictures. Its columns `unit` and `error` are not used: the
# question names the unit, and one row alone has a tolerance.
_OLYMPIADBENCH = ProblemSet(
    name="olympiadbench",
    task="math",
    hub_id="Hothan/OlympiadBench",
    hub_config="OE_TO_maths_en_COMP",
    hub_split="train",
    file="olympiadbench/test.jsonl",
    rows=675,
    digest="0427cefdf4c9e3b8",
    gold=listed,
    question=lambda row: row.get("question"),
    answer=lambda row: row.get("final_answer"),
    difficulty="subfield",
)

BENCHMARKS = (_MATH500, _MINERVA_MATH, _OLYMPIADBENCH)
