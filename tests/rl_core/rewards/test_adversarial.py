"""2,000 hostile answers: nothing hangs, crashes or passes for right, and honest answers between them are still accepted."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from rl_core.outcome import Outcome
from rl_core.rewards.pool import ScoreItem, ScoringPool
from rl_core.rewards.reward import PRESETS

KK_GOLD = json.dumps({"names": ["Zoey", "Oliver", "Mia"], "roles": ["knight", "knave", "knave"]})
KK_RIGHT = "(1) Zoey is a knight\n(2) Oliver is a knave\n(3) Mia is a knave"
COUNTDOWN_GOLD = json.dumps({"numbers": [19, 36, 55, 7], "target": 65})
GOLDS = {
    "math": "7",
    "gsm8k": "7",
    "knights_knaves": KK_GOLD,
    "countdown": COUNTDOWN_GOLD,
    "mmlu_pro": "B",
}
HONEST = {
    "math": r"<think>3+4</think> \boxed{7}",
    "gsm8k": "<think>3+4</think>\n#### 7",
    "knights_knaves": f"<think>Suppose Zoey lies.</think><answer>{KK_RIGHT}</answer>",
    "countdown": "<think>try</think><answer>55 + 36 - 7 - 19</answer>",
    "mmlu_pro": r"<think>not A</think> \boxed{B}",
}
TAGS = ["<think>", "</think>", "<answer>", "</answer>"]
# Full-width, Greek, Cyrillic, mathematical and typographic doubles of what the right answers are written in.
LOOKALIKES = str.maketrans(
    {
        "7": "\uff17",
        "B": "\u0392",
        "k": "\u043a",
        "a": "\u0430",
        "e": "\u0435",
        "5": "\U0001d7d3",
        "+": "\uff0b",
        "-": "\u2013",
        "(": "\uff08",
    }
)


def wrap(text: str) -> str:
    return f"<think>x</think><answer>{text}</answer>"


def nested_braces(rng: random.Random) -> str:
    depth = rng.choice([1, 10, 1000, 30_000])
    return r"\boxed{" + "{" * depth + "8" + "}" * rng.choice([0, 1, depth]) + "}" * rng.randint(0, 1)


def nested_boxes(rng: random.Random) -> str:
    depth = rng.randint(2, 3000)
    return r"\boxed{" * depth + "8" + "}" * rng.choice([depth - 1, depth, 0])


def giant_exponents(rng: random.Random) -> str:
    power = rng.choice(["9**9**9", "9^{9^{9^{9}}}", "10^{10^{9}}", "(9!)!", "7^{10^8}", "2**99999999", "((((9^9)^9)^9)^9)^9"])
    return rng.choice([rf"\boxed{{{power}}}", wrap(power), f"The answer is {power}"])


def endless_repetition(rng: random.Random) -> str:
    unit = rng.choice(
        ["wait, ", "7 8 ", "<answer>", r"\boxed{", "\\frac{", "is a knight is a knave ", "((", "((5", "####", "{}", "$", "\\left("]
    )
    return unit * rng.choice([10, 1000, 40_000])


def look_alikes(rng: random.Random) -> str:
    honest = rng.choice([r"\boxed{7}", "<answer>7</answer>", "#### 7", r"\boxed{B}", wrap(KK_RIGHT), wrap("55 + 36 - 7 - 19")])
    return honest.translate(LOOKALIKES)


def tags_inside_tags(rng: random.Random) -> str:
    parts = rng.choices([*TAGS, "knight", "55+36", "8", " ", r"\boxed{8}"], k=rng.randint(2, 40))
    return "".join(parts)


def contradictions(rng: random.Random) -> str:
    return rng.choice(
        [
            r"\boxed{7 or 8}",
            r"\boxed{7, 8, 9}",
            r"\boxed{(A), (B), (C)}",
            r"\boxed{x=7 \text{ or } x=8}",
            r"\boxed{\text{all real numbers}}",
            r"\boxed{}",
            "<answer></answer>",
            wrap(KK_RIGHT + "\n(1) Zoey is a knave"),
            wrap("Zoey is a knight or a knave, Oliver is a knave, Mia is a knave"),
            wrap("everyone is a knight and everyone is a knave"),
            r"\boxed{7}\boxed{8}",
            "#### 7\n#### 8",
            "<answer>7</answer><answer>8</answer>",
        ]
    )


def illegal_expressions(rng: random.Random) -> str:
    return wrap(
        rng.choice(
            [
                "55 + 36 - 26",  # glued or invented digits
                "5536 - 719",
                "65",
                "55 + 36 - 7 - 19 + 0",
                "55 + 36 - 7 - 19 = 65 = 64",
                "55 // 1 + 36",
                "__import__('os').system('true')",
                "55 + 36 - 7 - 19; 1",
                "(lambda: 65)()",
                "55 + 36 - 7 -",
                "55 + 36 - 7 - 19)" + "(" * rng.randint(0, 9),
                "5" * 5000,
                "1/0",
                "(" * 20_000 + "55" + ")" * 20_000,
                "-" * 20_000 + "55",
            ]
        )
    )


def megabytes(rng: random.Random) -> str:
    filler = rng.choice(["x", "7", "{", "\\", "<", "(", "\u0430", "\n", "9^"]) * 1_000_000
    return rng.choice([filler, rf"\boxed{{{filler}}}", wrap(filler), filler + r"\boxed{8}"])


def noise(rng: random.Random) -> str:
    """No digits and no letters that options have: a last number or letter could be right by chance."""
    ranges = [(1, 48), (ord("k"), 128), (0xA0, 0xD7FF), (0x1F300, 0x1F900)]
    return "".join(chr(rng.randrange(*rng.choice(ranges))) for _ in range(200))


FAMILIES: list[Callable[[random.Random], str]] = [
    nested_braces,
    nested_boxes,
    giant_exponents,
    endless_repetition,
    look_alikes,
    tags_inside_tags,
    contradictions,
    illegal_expressions,
    noise,
]


def hostile(count: int) -> Iterator[ScoreItem]:
    """`count` answers of all families to all tasks; one in a hundred has a megabyte."""
    rng = random.Random(0)
    for number in range(count):
        family = megabytes if number % 100 == 99 else FAMILIES[number % len(FAMILIES)]
        task = list(GOLDS)[number // len(FAMILIES) % len(GOLDS)]
        yield ScoreItem(task, family(rng), GOLDS[task])


def by_chance(item: ScoreItem) -> bool:
    """Whether what looks hostile is for this task simply the right answer."""
    final = item.response
    return (item.task == "gsm8k" and final.rstrip().endswith(("#### 7",))) or final == rf"\boxed{{{item.gold}}}"


@pytest.mark.slow
def test_two_thousand_hostile_answers() -> None:
    items = list(hostile(2000))
    honest = [ScoreItem(task, HONEST[task], gold) for task, gold in GOLDS.items()]
    mixed = [item for index, item in enumerate(items) for item in ([item, *honest] if index % 200 == 0 else [item])]
    deadline = 1.0
    with ScoringPool(2, deadline) as pool:
        pool.judge([ScoreItem("math", r"\boxed{x+1}", "1+x")])  # start the workers outside of what is timed
        began = time.perf_counter()
        verdicts = pool.judge(mixed)
        seconds = time.perf_counter() - began
    of_honest = [verdict for item, verdict in zip(mixed, verdicts, strict=True) if any(item is h for h in honest)]
    assert len(of_honest) == 50
    assert all(verdict.outcome is Outcome.CORRECT for verdict in of_honest)
    accepted = [
        (item.task, item.response[:80])
        for item, verdict in zip(mixed, verdicts, strict=True)
        if verdict.outcome is Outcome.CORRECT and not any(item is h for h in honest) and not by_chance(item)
    ]
    assert accepted == []
    outcomes = Counter(verdict.outcome for verdict in verdicts)
    assert outcomes[Outcome.TIMEOUT] < 200  # the endless ones alone
    assert seconds < 120 + deadline * outcomes[Outcome.TIMEOUT]


@pytest.mark.parametrize("name", PRESETS)
def test_no_component_of_a_reward_breaks_on_hostile_text(name: str) -> None:
    from rl_core.rewards.reward import resolve, score
    from rl_core.rewards.verdict import Verdict

    began = time.perf_counter()
    for item in hostile(300):
        found = score(resolve(name), item.response, Verdict(Outcome.WRONG, None))
        assert -10 < found.reward < 2
    assert time.perf_counter() - began < 30
