from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rl_core.rewards.verifiers.numbers import Number, agree, read_number


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1,234.5", "2469/2"),
        ("$18", "18"),
        (r"\$1{,}000", "1000"),
        ("-$5", "-5"),
        ("\u22125", "-5"),
        ("-3/4", "-3/4"),
        ("1 1/2", "3/2"),
        (r"\frac{1}{2}", "1/2"),
        (r"-\dfrac{3}{4}", "-3/4"),
        (r"1\frac{1}{2}", "3/2"),
        ("1.5e-3", "3/2000"),
        (r"3 \times 10^{8}", "300000000"),
        ("10^5", "100000"),
        ("table 5", "5"),
        ("18 apples", "18"),
        (r"\text{18 km}", "18"),
        ("**42**", "42"),
        ("x = 5 + 3 = 8", "8"),
        (".5", "1/2"),
        ("0005", "5"),
    ],
)
def test_one_number(text: str, value: str) -> None:
    assert read_number(text) == Number(Fraction(value), percent=False)


@pytest.mark.parametrize("text", ["12%", r"12\%", "12 percent", "12 per cent"])
def test_a_percentage(text: str) -> None:
    assert read_number(text) == Number(Fraction(3, 25), percent=True)


NONE = ("", "none", "5 or 7", "5+3", "3,14", "1,234,56", "12 345", "not 5", "about 5", "5?", "5 < 6", "2^3", r"3\pi", r"\sqrt{5}", "5!")


@pytest.mark.parametrize("text", [*NONE, "12/0", "3/4/5", "1e999999", "\u0661\u0662", "50% 3%", "at most 5", "9" * 500, "3 + x"])
def test_no_number_or_no_single_one(text: str) -> None:
    assert read_number(text) is None


@pytest.mark.parametrize(
    ("gold", "answer", "relative", "absolute", "right"),
    [
        ("100", "101", "0.01", "0", True),
        ("100", "101.001", "0.01", "0", False),
        ("-100", "-99", "0.01", "0", True),
        ("0", "0.001", "0.01", "0", False),  # one percent of nothing
        ("0", "0.001", "0.01", "0.001", True),
        ("1/3", "0.333", "0", "0", False),
        ("1/3", "0.333", "0.01", "0", True),
        ("12%", "0.12", "0", "0", True),
        ("12%", "12", "0", "0", True),
        ("12", "12%", "0", "0", True),
        ("0.12", "12%", "0", "0", True),
        ("12%", "1200", "0", "0", False),
    ],
)
def test_allowances(gold: str, answer: str, relative: str, absolute: str, right: bool) -> None:
    expected, given = read_number(gold), read_number(answer)
    assert expected is not None
    assert given is not None
    assert agree(expected, given, Fraction(relative), Fraction(absolute)) is right


@given(st.integers(-(10**12), 10**12), st.integers(0, 6))
def test_every_way_of_writing_a_number_is_the_same_number(digits: int, places: int) -> None:
    value = Fraction(digits, 10**places)
    plain = f"{'-' if digits < 0 else ''}{abs(digits) // 10**places}.{abs(digits) % 10**places:0{places}d}" if places else str(digits)
    written = [plain, f"{digits}e-{places}", rf"{digits} \times 10^{{-{places}}}", f"{digits}/{10**places}", f"${plain}$"]
    if not places:
        written.append(f"{digits:,}")
    for text in written:
        assert read_number(text) == Number(value, percent=False), text


@given(st.text(max_size=60))
def test_any_text_is_read_or_not(text: str) -> None:
    read_number(text)
