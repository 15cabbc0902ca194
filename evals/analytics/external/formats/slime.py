"""Samples of slime (`Sample.to_dict`) as JSON: `status` says how a response ended."""

from evals.analytics.external.formats import Format
from evals.analytics.external.table import table

NAMES = {
    "prompt": ["prompt"],
    "response": ["response"],
    "gold": ["label"],
    "reward": ["reward"],
    "response_tokens": ["response_length"],
    "finish_reason": ["status"],
}
FORMAT = Format(
    "slime", recognises=lambda row, file: {"response", "response_length", "status", "label"} <= row.keys(), read=table(NAMES), columns=True
)
