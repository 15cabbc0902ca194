r"""Verdicts that turn on what both sides show: brackets, letters, commas."""

import pytest

from rl_core.rewards.equivalence.comparison import same


@pytest.mark.parametrize(
    ("gold", "answer", "right"),
    [
        ("[-3,5]", "[-3,5)", False),
        ("(2,7)", "(2,7]", False),
        ("(2,7)", "]2,7[", True),
        ("D = (0,1)", "D=[0,1]", False),
        ("I = [2,3)", "2\\le x<3", True),
        ("(0,1],[2,3)", r"(0,1]\cup[2,3)", True),
        ("(0,1],[2,3)", r"(0,1]\cup[2,3]", False),
        ("(1,-2,8)", "[1,-2,8]", True),  # three coordinates are no interval
        ("(1,-2,8)", "(1,-2,8]", False),
        (r"[2,\infty)", r"[2,\infty]", False),
        ("1, -2", "[1,-2]", False),
        ("1, -2", "(1,-2)", True),
    ],
)
def test_brackets(gold: str, answer: str, right: bool) -> None:
    assert bool(same(gold, answer)) is right


@pytest.mark.parametrize(
    ("gold", "answer", "right"),
    [
        ("2g+3h", "3h+2g", True),
        (r"\frac{5}{2}m", r"\frac{5m}{2}", True),
        (r"\frac{5}{2}m", r"\frac52", False),
        (r"\pi r^2 h", r"h r^2 \pi", True),
        (r"8\text{ m}", "8 m", True),
        (r"8\text{ m}", r"800\text{ cm}", True),
        (r"8\text{ m}", r"8\text{ g}", False),
        ("8 m", "8", True),  # plain text with a space: a unit
        ("8m", "8", False),
        ("8", "8m", True),  # no letter in the gold answer, so a unit
        (r"9.8 \mathrm{~m} / \mathrm{s}^2", "9.8 m/s^2", True),
        ("47", r"47 \text{ RPM}", True),
        ("47", r"47\text{ DVDs}", True),
        ("64 GB", r"64\text{ MB}", False),
        (r"\frac{47}{6}", r"\frac{47}{6}\approx 7.83\text{ BPM}", True),
    ],
)
def test_letters_and_capitals_as_units(gold: str, answer: str, right: bool) -> None:
    assert same(gold, answer) is right


@pytest.mark.parametrize(
    ("gold", "answer", "right"),
    [
        ("64, 125", "64,125", True),
        ("18,36,144,288", "18, 36, 144, 288", True),
        ("64,125", "64125", True),
        ("64,125", "64, 125", False),  # without a space it is a number, as nothing else is said
        ("10,080", "10080", True),
        ("10,080", "10, 080", False),
        (r"2400, 1350", r"2,400; 1,350", True),
        (r"\{125, 343\}", "125,343", True),
    ],
)
def test_commas_before_three_digits(gold: str, answer: str, right: bool) -> None:
    assert same(gold, answer) is right


@pytest.mark.parametrize(
    ("gold", "answer", "right"),
    [
        ("5:1", "5", True),
        ("6:2", "3", False),
        ("3:1", "6:2:1", False),
        (r"73.2\%", r"\sqrt{3}-1", True),
        (r"73.2\%", r"\sqrt{3}", False),
        ("16.7", r"\frac{50}{3}", True),
        ("16.7", "16.74", False),
        ("5", "5 if x>0 else 6", False),
        ("5", "5 for x>0 and 6 for x<0", False),
        ("5", "5 where x>0", False),
        ("5", "When even: 5", False),
        ("2n", "2n for all n>0", True),
        ("n^2", r"n^2+0\cdot(3-n)!", False),
        (r"\lceil x\rceil", r"\lfloor x\rfloor", False),
        ("True", "true, it is false", False),
        ("True", "true, it converges", True),
        ("True", "true, it is untrue", False),
        ("True", "true, it fails for n = 3", False),
        ("True", "true, it holds only for even n", False),
        ("Yes", "yes, it cannot be", False),
        ("0.56", r"\frac{14}{25}", True),
        ("0.56", r"\frac{5}{9}", False),  # of two digits nobody can say what they round
        ("0.57", r"\frac{\pi}{5.5}", False),
        ("0.556", r"\frac{5}{9}", True),
        ("0.67", r"\frac{2}{3}", True),
        ("n", "n+(n-1)(n-2)(n-3)+0(3-n)!", False),  # equal wherever both have a value
        ("m+n", "m+n+(n-1)(n-2)(n-3)+0(3-n)!", False),
        ("x", r"|x|+0\ln(x)", False),
        (r"x = k\pi", r"n\pi", True),
        (r"\frac{\pi}{4}+n\pi", r"\frac{\pi}{4}+k\pi", True),
        (r"(n-2)\pi", r"k\pi", False),
        (r"3 \pmod 7", "10 (mod 7)", True),
        (r"3 \pmod 7", r"3 \pmod 5", False),
        ("Petra wins the match.", r"\text{Petra}", True),
        ("Petra does not win.", r"\text{Petra}", False),
        ("1-2i", r"\overline{1+2i}", True),
        ("a_n = 3n-1", "a_k=3k-1", True),
        ("a_n = 3n-1", "a_n=3k-1", False),
    ],
)
def test_other_kinds(gold: str, answer: str, right: bool) -> None:
    assert bool(same(gold, answer)) is right
