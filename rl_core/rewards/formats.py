"""Checks of a response's layout. All take time linear in its length, whatever it contains."""

from __future__ import annotations

import re

TAGS = ("<think>", "</think>", "<answer>", "</answer>")


def tags_in_order(response: str) -> bool:
    """Each of the four tags exactly once, thinking before the answer (Logic-RL, verl/utils/reward_score/kk.py)."""
    if any(response.count(tag) != 1 for tag in TAGS):
        return False
    positions = [response.find(tag) for tag in TAGS]
    return positions == sorted(positions)


def tags_on_own_lines(response: str) -> bool:
    r"""Whether the whole response is `<think>\n…\n</think>\n<answer>\n…\n</answer>` (open-r1, format_reward)."""
    head, between, tail = "<think>\n", "\n</think>\n<answer>\n", "\n</answer>"
    body = response.removesuffix("\n")
    if not (body.startswith(head) and body.endswith(tail)):
        return False
    # Bounds instead of slices of slices: head, separator and tail must not share characters.
    return body.find(between, len(head), len(body) - len(tail)) >= 0


def tag_count(response: str) -> float:
    """A quarter for each tag that stands exactly once with its line breaks (open-r1, tag_count_reward)."""
    return sum(response.count(tag) == 1 for tag in ("<think>\n", "\n</think>\n", "\n<answer>\n", "\n</answer>")) / 4


_STEP = re.compile(r"Step \d+:|^\d+\.|\n-|\n\*|First,|Second,|Next,|Finally,", re.ASCII | re.MULTILINE)


def reasoning_steps(response: str) -> float:
    """A third for each marked step or list item, at most 1 (open-r1, reasoning_steps_reward)."""
    return min(1.0, len(_STEP.findall(response)) / 3)


def mentions_box(response: str) -> bool:
    """Whether a boxed answer was at least attempted (simpleRL-reason v0)."""
    return "boxed" in response
