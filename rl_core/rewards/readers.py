r"""Where published rewards look for the answer. Each takes less than `extract_answer` does, and does as its project does.

A reader returns the answer as written, or None where the response does not have the form that its project asks for. All take time linear
in the length of the response.
"""

import re
from collections.abc import Callable

from rl_core.rewards.extraction import boxed_answers, last_boxed
from rl_core.rewards.run_on import own_answer
from rl_core.rewards.spans import find_spans

Reader = Callable[[str], str | None]

TAIL = 300  # characters that DAPO looks at
_ANSWER = re.compile(r"(?ai)\banswer\s*:\s*")


def box(response: str) -> str | None:
    r"""The last `\boxed{}` anywhere, with those joined to it; of no project."""
    return boxed_answers(own_answer(response))


def box_after_thinking(response: str) -> str | None:
    r"""The last `\boxed{}` after `</think>`, which must be there (DeepScaleR, deepscaler/rewards/math_reward.py)."""
    _, closed, final = response.rpartition("</think>")
    return last_boxed(final) if closed else None


def answer_line(response: str) -> str | None:
    """The line after the last `Answer:` among the last 300 characters (DAPO, verl/utils/reward_score/math_dapo.py)."""
    tail = response[-TAIL:]
    ends = [match.end() for match in _ANSWER.finditer(tail)]
    return _unboxed(tail[ends[-1] :].partition("\n")[0]) if ends else None


def box_or_r1_tags(response: str) -> str | None:
    r"""By template (oat-zero, train_zero_math.py and understand_r1_zero/math_grader.py).

    Where the r1 template has opened `<think>`, the answer stands between the literal `</think> <answer>` and the first `</answer>`, at
    which the original stops sampling. Elsewhere it is the last `\boxed{}`.
    """
    if not response.startswith("<think>"):
        return last_boxed(response)
    thinking, closed, _ = response.partition("</answer>")
    _, opened, answer = thinking.rpartition("</think> <answer>")
    return _unboxed(answer) if closed and opened and "<answer>" not in answer else None


def answer_tags(response: str) -> str | None:
    """The inside of the last `<answer>` that is closed (Unsloth's notebooks take an open one as well, and a response without tags)."""
    span = find_spans(response).answer
    return response[slice(*span)].strip() if span else None


def _unboxed(text: str) -> str:
    inner = boxed_answers(text)
    return text.strip() if inner is None else inner
