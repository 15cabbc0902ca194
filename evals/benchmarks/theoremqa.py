"""TheoremQA (Chen et al., 2305.12524): questions of university courses; the 747 rows that need no picture."""

from evals.benchmarks.golds import of_any_type
from evals.benchmarks.problems import ProblemSet, Row


def _without_picture(row: Row) -> bool:
    return not row.get("Picture")


def _task(row: Row, gold: str) -> str:
    """Of the questions those with options have letters for answers."""
    is_option = row.get("Answer_type") == "option" if row else len(gold) == 1 and gold.isalpha()
    return "mmlu_pro" if is_option else "math"


_THEOREMQA = ProblemSet(
    name="theoremqa",
    task="math",
    task_of=_task,
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

BENCHMARKS = (_THEOREMQA,)
