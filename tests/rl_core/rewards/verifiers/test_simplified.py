import json
import random
import re
from pathlib import Path

import pytest

from rl_core.outcome import Outcome
from rl_core.rewards.rules import Rule
from rl_core.rewards.verdict import Verdict
from rl_core.rewards.verifiers import mathematics
from rl_core.rewards.verifiers.simplified import is_simplified
from rl_core.rewards.verify import settle


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        ("120", r"\frac{6!}{3!}"),
        ("6", r"\sqrt{16}+2"),
        ("5", "2+3"),
        ("5", "2+3=5"),
        ("12", r"3 \cdot 4"),
        ("1024", "2^{10}"),
        ("75", "135_7"),
        ("3", r"\lfloor 3.5 \rfloor"),
        ("10", r"\binom{5}{2}"),
        ("2", r"\log_{10} 100"),
        ("4", r"\frac{8}{2}"),
        (r"\frac{2}{3}", r"\frac{24}{36}"),
        ("0.088", r"\frac{11}{125}"),
        (r"2\sqrt{3}", r"\sqrt{12}"),
        (r"\frac{\sqrt{2}}{2}", r"\frac{1}{\sqrt{2}}"),
        ("x^2+3x+2", "(x+1)(x+2)"),
        ("(x+1)(x+2)", "x^2+3x+2"),
        ("5x", "2x+3x"),
        ("(-9x^2+x+2)(9x^2+x+2)", "x^2+4x+4-81x^4"),
        ("x^3", "x^2 x"),
        ("7+i", "(1+2i)(3-i)+2-4i"),
    ],
)
def test_what_is_still_to_be_calculated(gold: str, answer: str) -> None:
    assert not is_simplified(gold, answer)
    assert settle("math", rf"\boxed{{{answer}}}", gold, None, frozenset({Rule.SIMPLIFIED})) == Verdict(
        Outcome.WRONG, mathematics.canonical(answer)
    )


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        ("1000", "1,000"),
        ("1000", "1{,}000"),
        ("18", r"\$18"),
        ("18", r"18 \text{ dollars}"),
        ("15", "15 cm^2"),
        ("90", r"90^\circ"),
        ("5", "x = 5"),
        ("5", "5.0"),
        ("-5", "-5"),
        (r"\frac{1}{2}", "1/2"),
        (r"\frac{1}{2}", "0.5"),
        (r"\frac12", r"\dfrac{1}{2}"),
        (r"\frac{3}{2}", r"1\frac{1}{2}"),
        ("50", r"50\%"),
        ("12000", r"1.2\times 10^4"),
        (r"2\sqrt{3}", r"2 \sqrt 3"),
        (r"\frac{\sqrt{2}}{2}", r"\sqrt{2}/2"),
        (r"\frac{5}{2}m", r"\frac{5m}{2}"),
        ("3-x", "-x+3"),
        ("x^2+3x+2", "2+3x+x^2"),
        ("5r^5", r"5 \cdot r^5"),
        ("(1,2)", "(1, 2)"),
        ("1, -2", "-2, 1"),
        (r"[3,4]", r"\left[3,4\right]"),
        (r"3\pi", r"3 \pi"),
        (r"\frac{6!}{3!}", r"\frac{6!}{3!}"),  # as the gold answer has it
    ],
)
def test_usual_forms(gold: str, answer: str) -> None:
    assert is_simplified(gold, answer)


@pytest.mark.slow
def test_no_copy_out_of_a_question_is_right(data_dir: Path) -> None:
    # One expression of MATH's question in fifteen is equal to the answer.
    rows = json.loads((data_dir / "math_train" / "train.json").read_text())
    copied = 0
    for row in random.Random(0).sample(rows, 250):
        assert is_simplified(row["answer"], row["answer"])
        for formula in re.findall(r"\$([^$]{1,120})\$", row["problem"]):
            plain = formula.strip().rstrip(".,?")
            if not re.search(r"[+*^!_]|\\(?:cdot|times|sqrt|binom|lfloor|lceil|log|div)", plain) or plain.replace(" ", "") == row[
                "answer"
            ].replace(" ", ""):
                continue
            if mathematics.quick(row["answer"], plain) is None and mathematics.comparison.same(row["answer"], plain):
                copied += 1
                assert not is_simplified(row["answer"], plain)
    assert copied > 5
