import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rl_core.rewards.readers import Reader, answer_line, answer_tags, box, box_after_thinking, box_or_r1_tags

READERS = [box, box_after_thinking, answer_line, box_or_r1_tags, answer_tags]


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        (r"\boxed{4}, no: \boxed{5}", "5"),
        (r"\boxed{4} or \boxed{5}", "4 or 5"),
        (r"\boxed{4} and \boxed{5}", "4, 5"),
        (r"\boxed{4}" + "\nQuestion: 1 + 1?\n" + r"\boxed{2}", "4"),
        ("The answer is 4", None),
    ],
)
def test_a_box_wherever_it_stands(response: str, answer: str | None) -> None:
    assert box(response) == answer


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        (r"<think>\boxed{1}</think>so \boxed{2}", "2"),
        (r"opened by the chat template</think> \boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        (r"<think>\boxed{1}", None),
        (r"\boxed{1}", None),  # without </think> nothing counts
        (r"<think>\boxed{1}</think>so 1", None),
        (r"<think>a</think>\boxed{1}</think>", None),  # only what follows the last one
        ("<think>a</think><answer>1</answer>", None),
        ("\uff1c/think\uff1e\\boxed{1}", None),
        (r"</think>\boxed{}", ""),
    ],
)
def test_deepscaler_wants_a_box_after_the_thinking(response: str, answer: str | None) -> None:
    assert box_after_thinking(response) == answer


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        ("so\nAnswer: 5", "5"),
        ("ANSWER : 5\n", "5"),
        ("Answer:\n5", "5"),
        (r"Answer: $\frac12$", r"$\frac12$"),
        (r"\boxed{4}" + "\nAnswer: 5", "5"),  # a box elsewhere is not the answer
        (r"Answer: \boxed{5}.", "5"),
        ("Answer: 4\nno:\nAnswer: 5", "5"),
        ("Answer: Answer: 5", "5"),
        ("Answer: 5 or 6\nbye", "5 or 6"),
        ("Answer: 5" + "\nso" * 97, "5"),  # 300 characters
        ("Answer: 5" + "\nso" * 98, None),
        ("The answer is 5", None),
        (r"\boxed{5}", None),
        ("MyAnswer: 5", None),
        ("\u0410nswer: 5", None),  # Cyrillic
        ("An\u017fwer: 5", None),  # long s, which is an s where case is ignored
        ("Answer:", ""),
    ],
)
def test_dapo_wants_an_answer_line_at_the_end(response: str, answer: str | None) -> None:
    assert answer_line(response) == answer


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        (r"so \boxed{5}", "5"),
        (r"\boxed{4} then \boxed{5}", "5"),
        ("so 5", None),
        ("<answer>5</answer>", None),
        ("<think>a </think> <answer> 5 </answer>", "5"),
        (r"<think>a </think> <answer> so \boxed{5} </answer>", "5"),
        ("<think>a </think> <answer>5</answer> <answer>6</answer>", "5"),  # the original stops at the first </answer>
        ("<think>a </think><answer>5</answer>", None),  # the blank is part of what it looks for
        ("<think>a </think>\n<answer>5</answer>", None),
        ("<think>a <answer>5</answer> </think> <answer>6</answer>", None),
        ("<think>a </think> <answer>5", None),
        ("<think>a </think> <answer><answer>5</answer>", None),
        (r"<think>a \boxed{5}", None),
        (r"<think>a </think> \boxed{5}", None),
        ("<think>a </think> <answer></answer>", ""),
    ],
)
def test_oat_reads_by_template(response: str, answer: str | None) -> None:
    assert box_or_r1_tags(response) == answer


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        ("<reasoning>\na\n</reasoning>\n<answer>\n72\n</answer>\n", "72"),
        ("<answer>71</answer><answer>72</answer>", "72"),
        ("72", None),  # the original takes a whole response without tags for the answer
        ("<answer>72", None),  # and an open tag
        ("<answer></answer>", ""),
    ],
)
def test_unsloth_wants_closed_tags(response: str, answer: str | None) -> None:
    assert answer_tags(response) == answer


PIECES = [r"\boxed{", "}", "1", "<think>", "</think>", "</think> <answer>", "<answer>", "</answer>", "Answer:", " ", "\n"]


@given(st.sampled_from(READERS), st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
def test_what_is_read_stands_in_the_response(read: Reader, response: str) -> None:
    answer = read(response)
    assert answer is None or answer in response


@pytest.mark.parametrize("piece", PIECES)
def test_linear_time(piece: str) -> None:
    started = time.perf_counter()
    for read in READERS:
        read("<think>" + piece * (500_000 // len(piece)))
    assert time.perf_counter() - started < 2
