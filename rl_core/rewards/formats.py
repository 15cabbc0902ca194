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


def tags_on_own_lines(response: str, thinking: str = "think") -> bool:
    r"""Whether the whole response is `<think>\n…\n</think>\n<answer>\n…\n</answer>` (open-r1, format_reward).

    Also Unsloth's strict format, with the tag `reasoning`; there the original has no line break inside the tags, which only thoughts of
    one line satisfy, and needs one at the end.
    """
    head, between, tail = f"<{thinking}>\n", f"\n</{thinking}>\n<answer>\n", "\n</answer>"
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


def equation_format(response: str) -> float:
    """1 for thinking and then an answer in tags that is digits, signs and brackets, 0.5 where it is more, else 0 (nano-aha-moment).

    What a template wrote before `<think>` is passed over.
    """
    thinking, between, answer = response[max(0, response.find("<think>")) :].partition("</think>\n<answer>")
    if not (between and answer.endswith("</answer>") and thinking.startswith("<think>")):
        return 0.0
    if thinking.count("<think>") > 1 or "</think>" in thinking:
        return 0.0
    return 1.0 if re.fullmatch(r"[0-9+\-*/().\s]+", answer.removesuffix("</answer>").strip()) else 0.5
