import time

import pytest

from rl_core.rewards.formats import mentions_box, reasoning_steps, tag_count, tags_in_order, tags_on_own_lines


@pytest.mark.parametrize(
    ("response", "ordered"),
    [
        ("<think>a</think><answer>b</answer>", True),
        ("before<think>a</think> between <answer>b</answer> after", True),
        ("<think></think><answer></answer>", True),
        ("<think>a</think><answer>b</answer><answer>c</answer>", False),
        ("<think><think>a</think><answer>b</answer>", False),
        ("<answer>b</answer><think>a</think>", False),
        ("<think>a<answer>b</answer></think>", False),
        ("a</think><answer>b</answer>", False),
        ("<think>a</think><answer>b", False),
        ("\uff1cthink\uff1ea</think><answer>b</answer>", False),
        ("", False),
    ],
)
def test_each_tag_once_and_in_order(response: str, ordered: bool) -> None:
    assert tags_in_order(response) is ordered


@pytest.mark.parametrize(
    ("response", "whole"),
    [
        ("<think>\na\n</think>\n<answer>\nb\n</answer>", True),
        ("<think>\na\nb\n</think>\n<answer>\nb\nc\n</answer>\n", True),
        ("<think>\n\n</think>\n<answer>\n\n</answer>", True),
        ("<think>\n</think>\n<answer>\n</answer>", False),  # open-r1's pattern asks for a line between the tags
        ("<think>a</think>\n<answer>\nb\n</answer>", False),
        ("<think>\na\n</think><answer>\nb\n</answer>", False),
        (" <think>\na\n</think>\n<answer>\nb\n</answer>", False),
        ("<think>\na\n</think>\n<answer>\nb\n</answer> end", False),
    ],
)
def test_tags_on_own_lines(response: str, whole: bool) -> None:
    assert tags_on_own_lines(response) is whole


def test_tags_are_counted_with_their_line_breaks() -> None:
    assert tag_count("<think>\na\n</think>\n<answer>\nb\n</answer>") == 1
    assert tag_count("<think>a\n</think>\n<answer>\nb\n</answer>") == 0.75
    assert tag_count("<think>\n<think>\na\n</think>\n<answer>\nb\n</answer>") == 0.75  # the first stands twice
    assert tag_count("b") == 0


def test_reasoning_steps() -> None:
    assert reasoning_steps("Step 1: a\nStep 2: b") == pytest.approx(2 / 3)
    assert reasoning_steps("1. a\n2. b\n3. c\n4. d") == 1
    assert reasoning_steps("First, a\n- b") == pytest.approx(2 / 3)
    assert reasoning_steps("at first sight, 3.5") == 0


def test_layout_takes_linear_time() -> None:
    started = time.perf_counter()
    tags_on_own_lines("<think>\n" + "\n</think>\n<answer>\n" * 100_000 + "x")
    tags_in_order("<think>" * 300_000)
    assert time.perf_counter() - started < 1


def test_a_box_is_mentioned() -> None:
    assert mentions_box(r"so \boxed{3}")
    assert not mentions_box("so 3")
