"""verl's rollout and validation dumps (`trainer.rollout_data_dir`, `validation_data_dir`): a JSON lines file for each step.

`score` is what the reward function returned, which need not be 1 for a right answer (math_dapo: 1 and -1); `acc` is the verdict.
"""

from evals.analytics.external.formats import Format
from evals.analytics.external.table import table

NAMES = {
    "prompt": ["input"],
    "response": ["output"],
    "gold": ["gts"],
    "reward": ["score"],
    "correct": ["acc"],
    "extracted": ["pred"],
    "step": ["step"],
}
FORMAT = Format("verl", recognises=lambda row, file: {"input", "output", "score", "step"} <= row.keys(), read=table(NAMES), columns=True)
