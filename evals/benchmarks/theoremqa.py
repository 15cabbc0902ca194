"""TheoremQA (Chen et al., 2305.12524): questions of university courses; the 747 rows that need no picture."""

from evals.benchmarks.golds import of_any_type
from evals.benchmarks.problems import ProblemSet, Row

OPTION_TASK = "mmlu_pro"  # the verifier of options


def _without_picture(row: Row) -> bool:
    return not row.get("Picture")


def _task(row: Row) -> str:
    return OPTION_TASK if row.get("Answer_type") == "option" else "math"


THEOREMQA = ProblemSet(
    name="theoremqa",
    task=_task,
    hub_id="TIGER-Lab/TheoremQA",
    hub_split="test",
    file="theoremqa/test.json",
    rows=747,
    digest="800ab3941842e8fa",
    gold=of_any_type,
    question=lambda row: row.get("Question"),
    answer=lambda row: row.get("Answer"),
    difficulty="Answer_type",
    keep=_without_picture,
)
