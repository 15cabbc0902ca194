"""Completion tables of TRL's GRPO and RLOO trainers (`log_completions`), and of ms-swift, which writes lists by column.

Each reward function has a column of its name and there is no sum: the reward is the sum of the columns, with TRL's default weights of 1.
Columns that a reward function logs besides (`log_extra`) are no rewards, so a reward is known by its name.
"""

from evals.analytics.external.files import File
from evals.analytics.external.formats import Format
from evals.analytics.external.response import Row
from evals.analytics.external.table import table

NAMES = {
    "prompt": ["prompt"],
    "response": ["completion"],
    "gold": ["gold", "ground_truth", "solution", "answer"],
    "step": ["step", "gen_step"],
    "advantage": ["advantage", "advantages"],
}
# Reward functions that come with the two, which are not all called so; those that say whether the answer is right come first.
RIGHT = ("accuracy_reward", "reasoning_accuracy_reward", "accuracy", "MathAccuracy", "math_accuracy")
SHIPPED = {*RIGHT, "format", "Format", "react_format", "ReActFormat", "cosine", "CosineReward", "repetition", "RepetitionPenalty"}
SHIPPED |= {"soft_overlong", "SoftOverlong", "toolbench"}


def _rewards(row: Row) -> list[str]:
    rewards = {name: cell for name, cell in row.items() if name in SHIPPED or "reward" in name.lower()}
    return [name for name, cell in rewards.items() if cell is None or isinstance(cell, int | float)]


def _recognises(row: Row, file: File) -> bool:
    if not {"prompt", "completion"} <= row.keys() or "reward" in row:
        return False
    named = row.keys() & {"step", "gen_step", "advantage", "advantages"} or file.path.stem.startswith("completions")
    return bool(named)


FORMAT = Format("TRL", recognises=_recognises, read=table(NAMES, parts=_rewards, right=RIGHT), columns=True)
