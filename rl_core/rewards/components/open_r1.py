"""open-r1, src/open_r1/rewards.py, and its accuracy for answers that must be simplified."""

import re

from rl_core.rewards.component import Component, accuracy, of_text
from rl_core.rewards.formats import tags_on_own_lines
from rl_core.rewards.rules import Rule


def tag_count(response: str) -> float:
    """A quarter for each tag that stands exactly once with its line breaks (open-r1, tag_count_reward)."""
    return sum(response.count(tag) == 1 for tag in ("<think>\n", "\n</think>\n", "\n<answer>\n", "\n</answer>")) / 4


_STEP = re.compile(r"Step \d+:|^\d+\.|\n-|\n\*|First,|Second,|Next,|Finally,", re.ASCII | re.MULTILINE)


def reasoning_steps(response: str) -> float:
    """A third for each marked step or list item, at most 1 (open-r1, reasoning_steps_reward)."""
    return min(1.0, len(_STEP.findall(response)) / 3)


COMPONENTS = {
    "accuracy": Component(accuracy, 0.0),
    "simplified_accuracy": Component(accuracy, 0.0, rule=Rule.SIMPLIFIED),
    "tags_on_own_lines": Component(of_text(tags_on_own_lines), 0.0),
    "tag_count": Component(of_text(tag_count), 0.0),
    "reasoning_steps": Component(of_text(reasoning_steps), 0.0),
}
PRESETS = {
    "open_r1": {"accuracy": 1.0, "tags_on_own_lines": 1.0, "tag_count": 1.0},
    "accuracy_format": {"accuracy": 1.0, "tags_on_own_lines": 1.0},
}
