import pytest

from rl_core.rewards.equivalence.language.wording import bare, without_label


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("only x = 3", "x = 3"),
        ("x = 3 only", "x = 3"),
        ("the only solution is x = 5", "x = 5"),
        ("x = 5 is the only solution", "x = 5"),
        ("a total of 42", "42"),
        ("42 in total", "42"),
        ("the line y=2x+3", "y=2x+3"),
        ("7/12 of the cake", "7/12"),
        ("7/12 (about 58.3%)", "7/12\u224858.3%"),
        ("more than 42", "more than 42"),
        ("x = 5 is not a solution", "x = 5 is not a solution"),
        ("5 of 6", "5 of 6"),
        ("not only 5", "not only 5"),
    ],
)
def test_words_around_an_answer(text: str, left: str) -> None:
    assert bare(text) == left


def test_labels() -> None:
    assert without_label("Number of ways: 18") == "18"
    for text in ("at least: 18", "not the area: 18", "more than: 18", "wrong answer: 18", "3:1"):
        assert without_label(text) == text
