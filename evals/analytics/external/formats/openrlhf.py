"""OpenRLHF's generation files (`--eval_task generate`, `batch_rm_inference`): `reward` is that of a reward model."""

from evals.analytics.external.formats import Format
from evals.analytics.external.table import table

NAMES = {"prompt": ["input"], "response": ["output"], "reward": ["reward"]}
FORMAT = Format(
    "OpenRLHF",
    recognises=lambda row, file: {"input", "output", "reward"} <= row.keys() and "score" not in row,
    read=table(NAMES),
    columns=True,
)
