"""Results of verifiers (`vf-eval`, results.jsonl) and rollouts that prime-rl saves of them.

`reward` is the weighted sum of an environment's functions, whose scale is its own; `correct_answer` is the one of the rubric for
mathematics, 1 or 0. `metrics` also stand at the top level; they are no parts of the reward, for their weights are not written.
"""

from typing import Any

from evals.analytics.external.files import File
from evals.analytics.external.formats import Format
from evals.analytics.external.messages import is_messages
from evals.analytics.external.response import Row
from evals.analytics.external.table import table

NAMES = {
    "prompt": ["prompt"],
    "response": ["completion"],
    "gold": ["answer"],
    "reward": ["reward"],
    "correct": ["correct_answer", "correct_answer_reward_func"],
    "truncated": ["cut"],
    "advantage": ["advantage"],
    "prompt_tokens": ["input_tokens"],
    "response_tokens": ["written_tokens"],
}


def _recognises(row: Row, file: File) -> bool:
    if not {"prompt", "completion", "reward"} <= row.keys():
        return False
    return bool(row.keys() & {"example_id", "is_completed", "is_truncated", "stop_condition", "metrics", "generation_ms"})


def _flat(row: Row, file: File) -> Row:
    """With the ending and the tokens of the model under names of their own, and without the prompt that early versions repeat."""
    usage = row.get("token_usage") or {}
    completion, prompt = row["completion"], row["prompt"]
    if is_messages(completion) and is_messages(prompt) and _texts(completion[: len(prompt)]) == _texts(prompt):
        completion = completion[len(prompt) :]
    ended = row.get("is_completed") and "is_truncated" in row  # a rollout that failed on the way is neither
    return row | {
        "completion": completion,
        "cut": True if row.get("is_truncated") else False if ended else None,
        "input_tokens": usage.get("input_tokens"),
        "written_tokens": usage.get("output_tokens", row.get("completion_tokens")),
    }


def _texts(messages: list[dict[str, Any]]) -> list[tuple[Any, Any]]:
    return [(message.get("role"), message.get("content")) for message in messages]


FORMAT = Format("verifiers", recognises=_recognises, read=table(NAMES, prepare=_flat), columns=True)
