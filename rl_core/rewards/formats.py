"""Checks of a response's layout. All take time linear in its length, whatever it contains."""

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
