"""Loops that words between spaces do not show, and texts that are none."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from evals.analytics.repetition import SIZE, character_repetition

MATH = Path(__file__).parents[4] / "shared" / "data" / "math500" / "test.jsonl"


@pytest.mark.parametrize(
    "loop",
    [
        "#" * 240,
        "答案是答案是" * 60,
        "我需要重新检查这个答案。" * 20,
        "\N{GRINNING FACE}\N{THUMBS UP SIGN}" * 60,
        "0." + "3" * 200,
        "123" * 80,
        "ab" * 100,
        "QUJDREVGRw==" * 30,
        "I am stuck.\n" * 30,
        "wait " * 50,
        " ".join(f"Step {number}: wait." for number in range(1, 60)),
        "\n".join(f"{number}. Check again." for number in range(1, 200)),
    ],
)
def test_loops(loop: str) -> None:
    assert character_repetition(loop) > 0.9


@pytest.mark.parametrize(
    "sound",
    [
        "",
        "short",
        "我们先设每个苹果的价格为三元。那么买五个苹果一共需要十五元。小明带了二十元。所以还剩下五元。可以再买一支铅笔。",
        "Ann has 3 apples and buys 4 more, so she has 3 + 4 = 7. Each costs 2, so she pays 14 in all. The answer is 14.",
        "def mean(values):\n    return sum(values) / len(values)\n\n\nprint(mean([1, 2, 3]))\n",
        "".join(random.Random(0).choices("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", k=800)),
    ],
)
def test_sound_texts(sound: str) -> None:
    assert character_repetition(sound) < 0.1


def test_share_by_hand() -> None:
    text = "abcdefghijklmnopqrstuvwxyz"
    assert character_repetition(text + text) == pytest.approx(1 - 26 / (52 - SIZE + 1))  # 26 different ones start in the first half
    counted = "".join(f"{number} + {number} = {2 * number}, " for number in range(1, 20))
    assert character_repetition(counted) == character_repetition("7 + 3 = 5, " * 19) > 0.9  # numbers are alike


@pytest.mark.skipif(not MATH.is_file(), reason="MATH-500 is not beside the checkout")
def test_solutions_of_competition_problems_are_sound() -> None:
    shares = [character_repetition(json.loads(line)["solution"]) for line in MATH.read_text().splitlines()]
    assert sum(shares) / len(shares) < 0.1
    assert sorted(shares)[int(0.9 * len(shares))] < 0.3
