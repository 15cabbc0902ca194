"""SkyRL's dumps of evaluations (`dump_eval_results`): `score` is the reward of the environment, a number or one for each token."""

from __future__ import annotations

from collections.abc import Iterator

from evals.analytics.external.files import File
from evals.analytics.external.formats import Format
from evals.analytics.external.response import Response, Row
from evals.analytics.external.table import table

NAMES = {
    "prompt": ["input_prompt"],
    "response": ["output_response"],
    "reward": ["score"],
    "finish_reason": ["stop_reason"],
    "gold": ["gold"],
}
_READ = table(NAMES)


def _read(rows: Iterator[Row], file: File) -> Iterator[Response]:
    return _READ(map(_with_gold, rows), file)


def _with_gold(row: Row) -> Row:
    extras = row.get("env_extras") or {}
    spec = extras.get("reward_spec") or extras.get("reward_model") or {}
    return row | {"gold": spec.get("ground_truth")}


FORMAT = Format("SkyRL", recognises=lambda row, file: {"input_prompt", "output_response"} <= row.keys(), read=_read, columns=True)
