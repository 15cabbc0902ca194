import pytest
from hypothesis import given
from hypothesis import strategies as st

from rl_core.config.penalties import CosineLength, DenseRepetition, Overlong, Repetition
from rl_core.rewards.penalties import cosine_length, dense_repetition, group_length, overlong, repetition


def test_repetition_by_hand() -> None:
    # bigrams 12 21 12 21 12: two different ones of five
    assert repetition([1, 2, 1, 2, 1, 2], Repetition(ngram=2, lowest=-1.0)) == pytest.approx(-0.6)
    assert repetition([1, 2, 3], Repetition(ngram=3)) == 0
    assert repetition([1, 2], Repetition(ngram=3)) == 0  # the original divides by zero on texts shorter than n
    assert repetition([], Repetition()) == 0


def test_dense_repetition_by_hand() -> None:
    settings = DenseRepetition(ngram=2, penalty=-0.05)
    assert dense_repetition([1, 2, 3, 1, 2, 4], settings) == [0, 0, 0, -0.05, -0.05, 0]
    assert dense_repetition([7, 7, 7, 7], settings) == [0, -0.05, -0.05, -0.05]
    assert dense_repetition([7], settings) == [0]


@given(st.lists(st.integers(0, 3), max_size=60), st.integers(1, 5))
def test_dense_repetition_marks_exactly_the_tokens_of_n_grams_that_stood_before(tokens: list[int], n: int) -> None:
    expected = [0.0] * len(tokens)
    for start in range(len(tokens) - n + 1):
        if any(tokens[earlier : earlier + n] == tokens[start : start + n] for earlier in range(start)):
            expected[start : start + n] = [-0.05] * n
    assert dense_repetition(tokens, DenseRepetition(ngram=n, penalty=-0.05)) == expected


def test_cosine_length_by_hand() -> None:
    settings = CosineLength()  # the paper's: right 2 to 1, wrong -10 to 0, past the limit -10
    assert [cosine_length(tokens, True, 100, settings) for tokens in (0, 50)] == pytest.approx([2.0, 1.5])
    assert [cosine_length(tokens, False, 100, settings) for tokens in (0, 50)] == pytest.approx([-10.0, -5.0])
    assert cosine_length(99, True, 100, settings) == pytest.approx(1.0, abs=1e-3)
    # the original's cosine rises again past its maximum
    assert {cosine_length(tokens, right, 100, settings) for tokens in (100, 150, 200) for right in (True, False)} == {-10.0}


def test_cosine_length_has_a_margin() -> None:
    settings = CosineLength(margin=16)
    assert cosine_length(84, True, 100, settings) == -10.0
    assert cosine_length(83, True, 100, settings) > 1.0


def test_overlong_by_hand() -> None:
    settings = Overlong(buffer=20)
    assert [overlong(tokens, 100, settings) for tokens in (10, 80, 85, 100, 200)] == [0, 0, -0.25, -1, -1]


def test_group_length_by_hand() -> None:
    assert group_length([10, 20, 30], [True, True, True]) == [0.5, 0.0, -0.5]
    assert group_length([10, 20, 30], [False, False, False]) == [0.0, 0.0, -0.5]
    assert group_length([10, 10], [True, False]) == [0.0, 0.0]
