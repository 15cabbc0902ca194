import time

import pytest

from rl_core.rewards.components.nano_aha import equation_format
from rl_core.rewards.components.open_r1 import reasoning_steps, tag_count
from rl_core.rewards.components.simplerl import mentions_box
from rl_core.rewards.components.unsloth import reasoning_tag_count, reasoning_then_answer
from rl_core.rewards.formats import tags_in_order, tags_on_own_lines


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


def test_unsloths_strict_format_is_open_r1s_with_another_tag() -> None:
    assert tags_on_own_lines("<reasoning>\na\nb\n</reasoning>\n<answer>\n72\n</answer>\n", "reasoning")  # there one line of thought
    assert not tags_on_own_lines("<think>\na\n</think>\n<answer>\n72\n</answer>\n", "reasoning")


@pytest.mark.parametrize(
    ("response", "whole"),
    [
        ("<reasoning>a</reasoning><answer>b</answer>", True),
        ("<reasoning>\na\nb\n</reasoning>\n\n<answer>\nc\n</answer> and more", True),
        ("so <reasoning>a</reasoning><answer>b</answer>", False),
        ("<reasoning>a</reasoning> so <answer>b</answer>", False),
        ("<reasoning>a</reasoning><answer>b", False),
        ("<answer>b</answer><reasoning>a</reasoning>", False),
        ("<reasoning>a<answer>b</answer></reasoning>", False),
        ("", False),
    ],
)
def test_reasoning_then_answer(response: str, whole: bool) -> None:
    assert reasoning_then_answer(response) is whole


@pytest.mark.parametrize(
    ("response", "count"),
    [
        ("<reasoning>\na\n</reasoning>\n<answer>\n72\n</answer>\n", 0.5),
        ("<reasoning>\n" + "a" * 1000 + "\n</reasoning>\n<answer>\n72\n</answer>", 0.5),  # there 0.5 - 1.0 for want of a line break
        ("<reasoning>\na\n</reasoning>\n<answer>\n72\n</answer>\n" + "a" * 100, 0.3),
        ("<reasoning>\na\n</reasoning>\n<answer>\n72\n</answer>\n" + "a" * 1_000_000, 0.0),  # there -1999.5
        ("<reasoning>\n<reasoning>\na\n</reasoning>\n<answer>\n72\n</answer>\n", 0.375),
        ("<reasoning>a</reasoning><answer>72</answer>", 0.0),
        ("<reasoning>\na", 0.125),
        ("", 0.0),
    ],
)
def test_reasoning_tags_are_counted_less_what_trails(response: str, count: float) -> None:
    assert reasoning_tag_count(response) == pytest.approx(count)


@pytest.mark.parametrize(
    ("response", "reward"),
    [
        ("<think>a</think>\n<answer>(1 + 2) / 3</answer>", 1.0),
        ("Let me solve this step by step.\n<think>a < b</think>\n<answer>\n1+2\n</answer>", 1.0),
        ("<think>a</think>\n<answer>1 + 2 = 3</answer>", 0.5),
        ("<think>a</think>\n<answer>\u0661 + 2</answer>", 0.5),  # Arabic-Indic digit
        ("<think>a</think>\n<answer></answer>", 0.5),
        ("<think>a</think><answer>1 + 2</answer>", 0.0),
        ("<think>a<think>b</think>\n<answer>1 + 2</answer>", 0.0),
        ("<think>a</think>b</think>\n<answer>1 + 2</answer>", 0.0),
        ("<think>a</think>\n<answer>1 + 2</answer> so", 0.0),
        ("a</think>\n<answer>1 + 2</answer>", 0.0),
        ("<answer>1 + 2</answer>", 0.0),
        ("", 0.0),
    ],
)
def test_equation_format(response: str, reward: float) -> None:
    assert equation_format(response) == reward


def test_layout_takes_linear_time() -> None:
    started = time.perf_counter()
    for hostile in ("</reasoning>" + " " * 300_000, "</reasoning> " * 100_000, "\n</answer>" * 100_000, "</think>\n<answer>" * 50_000):
        for check in (reasoning_then_answer, reasoning_tag_count, equation_format):
            check("<reasoning>" + hostile)
            check("<think>" + hostile)
    tags_on_own_lines("<think>\n" + "\n</think>\n<answer>\n" * 100_000 + "x")
    tags_in_order("<think>" * 300_000)
    assert time.perf_counter() - started < 1


def test_a_box_is_mentioned() -> None:
    assert mentions_box(r"so \boxed{3}")
    assert not mentions_box("so 3")
