from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.analytics import query
from evals.analytics.report import examples
from evals.analytics.report.examples import question_of, segments, shorten, solution_of


def test_problems_have_an_answer_of_every_checkpoint(database: Path) -> None:
    with query.connect(database) as connection:
        found = examples.choose(connection)
    assert {puzzle.difficulty for puzzle in found} == {"3 people", "5 people"}
    assert len({puzzle.prompt_id for puzzle in found}) == len(found) <= examples.PER_EVALUATION
    for puzzle in found:
        assert [answer.checkpoint for answer in puzzle.answers] == ["sft", "warmup", "five", "anneal"]
        right = [answer.correct for answer in puzzle.answers]
        assert (puzzle.story == "learned") == (not right[0] and right[-1])
        assert (puzzle.story == "always solved") == all(right)
        assert puzzle.mode == "greedy"
        assert puzzle.question.startswith("A very special island")


def test_segments_mark_tags_keywords_and_answer() -> None:
    response = "<think>Step 1: try again</think><answer>Step 2</answer> too low"
    assert segments(response, (7, 24), (40, 46)) == [
        ("tag", "<think>"),
        ("step_wise", "Step 1"),
        ("", ": "),
        ("reflection", "try again"),
        ("tag", "</think>"),
        ("tag", "<answer>"),
        ("answer", "Step 2"),
        ("tag", "</answer>"),
        ("", " too low"),
    ]
    assert segments("First, add", None, None) == [("step_wise", "First"), ("", ", add")]


@given(
    st.lists(
        st.sampled_from(["<think>", "</think>", "<answer>", "</answer>", "Step 1", " try again ", "é😀", "1. \n", "too low", "x"]),
        max_size=12,
    ),
    st.data(),
)
def test_segments_join_to_the_response(parts: list[str], data: st.DataObject) -> None:
    response = "".join(parts)
    ends = st.tuples(st.integers(0, len(response)), st.integers(0, len(response))).map(lambda pair: (min(pair), max(pair)))
    think, answer = data.draw(st.none() | ends), data.draw(st.none() | ends)
    assert "".join(text for _, text in segments(response, think, answer)) == response


def test_very_long_responses_lose_their_middle() -> None:
    pieces = [("", "a" * 300), ("reflection", "b" * 300), ("answer", "c" * 300)]
    assert shorten(pieces, head=350, tail=100) == [
        ("", "a" * 300),
        ("reflection", "b" * 50),
        ("gap", "… 450 characters left out …"),
        ("answer", "c" * 100),
    ]
    assert shorten([("", "d" * 1000)], head=100, tail=50) == [("", "d" * 100), ("gap", "… 850 characters left out …"), ("", "d" * 50)]
    assert shorten(pieces, head=800, tail=90) == pieces


@pytest.mark.parametrize(
    ("prompt", "question"),
    [
        ("<|im_start|>system\nBe kind<|im_end|>\n<|im_start|>user\nWhat?\nNow!<|im_end|>\n<|im_start|>assistant\n", "What?\nNow!"),
        ("User: What?\nAssistant:", "User: What?\nAssistant:"),
    ],
)
def test_question_is_the_users_turn(prompt: str, question: str) -> None:
    assert question_of(prompt) == question


def test_solution_in_words() -> None:
    assert solution_of('{"names": ["Zoey", "Liam"], "roles": ["knight", "knave"]}') == "Zoey knight, Liam knave"
    assert [solution_of(gold) for gold in ("72", "\\frac{1}{2}", '{"a": 1}')] == ["72", "\\frac{1}{2}", '{"a": 1}']
