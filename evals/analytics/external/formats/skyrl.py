"""SkyRL's dumps of evaluations (`dump_eval_results`): `score` is the reward of the environment, a number or one for each token."""

from evals.analytics.external.files import File
from evals.analytics.external.formats import Format
from evals.analytics.external.response import Row
from evals.analytics.external.table import table

NAMES = {
    "prompt": ["input_prompt"],
    "response": ["output_response"],
    "reward": ["score"],
    "finish_reason": ["stop_reason"],
    "gold": ["gold"],
}


def _with_gold(row: Row, file: File) -> Row:
    extras = row.get("env_extras") or {}
    spec = extras.get("reward_spec") or extras.get("reward_model") or {}
    return row | {"gold": spec.get("ground_truth")}


FORMAT = Format(
    "SkyRL",
    recognises=lambda row, file: {"input_prompt", "output_response"} <= row.keys(),
    read=table(NAMES, prepare=_with_gold),
    columns=True,
)
