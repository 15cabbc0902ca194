"""Unsloth, the notebook of Qwen2.5 (3B) with GRPO."""

import re

from rl_core.rewards.component import Component, accuracy, of_text
from rl_core.rewards.formats import tags_on_own_lines
from rl_core.rewards.readers import answer_tags


def _whole_number(response: str) -> bool:
    answer = answer_tags(response) or ""
    return answer.isascii() and answer.isdigit()


_REASONING_TO_ANSWER = re.compile(r"</reasoning>\s*<answer>")


def reasoning_then_answer(response: str) -> bool:
    """Whether a response begins with reasoning and an answer in their tags (Unsloth, soft format; there of one line each)."""
    match = _REASONING_TO_ANSWER.search(response)
    return response.startswith("<reasoning>") and match is not None and "</answer>" in response[match.end() :]


def reasoning_tag_count(response: str) -> float:
    """An eighth for each tag that stands exactly once with its line breaks, less 0.002 for each character after them (Unsloth, count_xml).

    At least 0. The original has no such bound, and where no line break follows `</answer>` it takes all of the response for what comes
    after the tag.
    """
    tags = ("<reasoning>\n", "\n</reasoning>\n", "\n<answer>\n", "\n</answer>")
    count = sum(response.count(tag) == 1 for tag in tags) / 8
    _, closed, rest = response.rpartition("\n</answer>")
    return max(0.0, count - 0.002 * len(rest.removeprefix("\n"))) if closed else count


COMPONENTS = {
    "answer_in_tags": Component(accuracy, 0.0, answer_tags, answer_form="<answer>{answer}</answer>"),
    "whole_number": Component(of_text(_whole_number), 0.0),
    "reasoning_on_own_lines": Component(of_text(lambda response: tags_on_own_lines(response, "reasoning")), 0.0),
    "reasoning_then_answer": Component(of_text(reasoning_then_answer), 0.0),
    "reasoning_tag_count": Component(of_text(reasoning_tag_count), 0.0),
}
PRESETS = {
    "unsloth_gsm8k": {
        "answer_in_tags": 2.0,
        "whole_number": 0.5,
        "reasoning_on_own_lines": 0.5,
        "reasoning_then_answer": 0.5,
        "reasoning_tag_count": 1.0,  # at most 0.5
    }
}
