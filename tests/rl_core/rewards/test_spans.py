import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rl_core.rewards.spans import THINKING, find_spans

PIECES = ["<think>", "</think>", "<reasoning>", "</reasoning>", "<answer>", "</answer>", "a", " ", "\n", "<", "\u017f"]


@pytest.mark.parametrize(
    ("response", "think", "answer"),
    [
        ("<think>why</think><answer>42</answer>", "why", "42"),
        ("<think>never closed", "never closed", None),
        ("</think><think>a</think>b</think>", "a", None),
        ("<answer>1</answer> no, <answer>2</answer>", None, "2"),
        ("<answer>1</answer> stray </answer>", None, "1"),
        ("<answer>1</answer><answer>open", None, "1"),
        ("<answer>outer <answer>inner</answer></answer>", None, "inner"),
        ("</answer><answer>", None, None),
        ("<reasoning>\nwhy\n</reasoning>\n<answer>\n42\n</answer>\n", "\nwhy\n", "\n42\n"),
        ("<reasoning>a<think>b</think>c</reasoning>", "a<think>b</think>c", None),
        ("<think>a</reasoning>b</think>", "a</reasoning>b", None),
        ("opened by the prompt</think>5", "opened by the prompt", None),
        ("opened by no one</reasoning>5", None, None),
        ("<think></think><answer></answer>", "", ""),
        ("", None, None),
    ],
)
def test_inside_of_tags(response: str, think: str | None, answer: str | None) -> None:
    spans = find_spans(response)
    assert (spans.think and response[slice(*spans.think)]) == (think if think is not None else None)
    assert (spans.answer and response[slice(*spans.answer)]) == (answer if answer is not None else None)


@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
def test_spans_lie_between_their_tags(response: str) -> None:
    spans = find_spans(response)
    if spans.think:
        start, end = spans.think
        opened = next((tags for tags in THINKING if response[:start].endswith(tags[0])), None)
        assert opened or (start == 0 and not any(opening in response for opening, _ in THINKING))
        closing = opened[1] if opened else "</think>"
        assert response[end:].startswith(closing) or (opened and end == len(response))
        assert closing not in response[start:end]
    if spans.answer:
        start, end = spans.answer
        assert response[:start].endswith("<answer>")
        assert response[end:].startswith("</answer>")
        assert "</answer>" not in response[start:end]
    else:
        assert "</answer>" not in response.partition("<answer>")[2]


def test_many_unclosed_tags_take_linear_time() -> None:
    started = time.perf_counter()
    for text in (
        "<answer>" * 300_000,
        "</answer>" * 300_000,
        "<think>" * 300_000,
        "</think>" * 300_000,
        "<answer>" * 150_000 + "</answer>" * 150_000,
    ):
        find_spans(text)
    assert time.perf_counter() - started < 1
