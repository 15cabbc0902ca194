"""Accept and reject rates on right and wrong answers in unusual forms; the verdicts of one and of many workers."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from rl_core.outcome import Outcome
from rl_core.rewards.equivalence.comparison import same
from rl_core.rewards.pool import ScoreItem, ScoringPool
from rl_core.rewards.verifiers.mathematics import equivalent

CORPUS = Path(__file__).parents[3] / "fixtures" / "equivalence.jsonl"


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    """Columns category, gold, answer, same (whether the answer is right), held_out (not looked at while the code was written)."""
    return [json.loads(line) for line in CORPUS.read_text().splitlines()]


@pytest.mark.slow
def test_rates(rows: list[dict[str, Any]]) -> None:
    accepted: Counter[tuple[str, bool]] = Counter()
    of: Counter[tuple[str, bool]] = Counter()
    for row in rows:
        outcome = equivalent(row["gold"], row["answer"])
        for group in (row["category"], "held out" if row["held_out"] else "seen"):
            of[group, row["same"]] += 1
            accepted[group, row["same"]] += outcome is Outcome.CORRECT
    rates = {group: accepted[group] / of[group] for group in of}
    assert {group: rate for group, rate in rates.items() if group[1] and rate < 0.85} == {}
    assert {group: rate for group, rate in rates.items() if not group[1] and rate > 0.04} == {}
    for group in ("held out", "seen"):
        assert rates[group, True] > 0.95
        assert rates[group, False] <= 0.005


def test_nothing_is_gained_by_exchanging_the_answer_for_the_gold(rows: list[dict[str, Any]]) -> None:
    """An answer that says nothing is wrong for every gold answer."""
    empty = [
        "",
        " ",
        "{}",
        r"\text{all real numbers}",
        r"\mathbb{R}",
        "(-\\infty,\\infty)",
        r"\boxed{}",
        "?",
        "x",
        "x=x",
        "0=0",
        "...",
        r"\text{any}",
    ]
    golds = {row["gold"] for row in rows if row["category"] not in ("intervals", "sets") and row["gold"] != r"\mathbb{R}"}
    assert [(gold, answer) for gold in golds for answer in empty if same(gold, answer)] == []


@pytest.mark.slow
def test_one_worker_and_many_give_the_same_verdicts(rows: list[dict[str, Any]]) -> None:
    items = [ScoreItem("math", rf"\boxed{{{row['answer']}}}", row["gold"]) for row in rows[::3]]
    found = []
    for workers in (1, 3):
        with ScoringPool(workers, deadline=10) as pool:
            found.append(pool.judge(items))
    assert found[0] == found[1]
    assert Outcome.TIMEOUT not in {verdict.outcome for verdict in found[0]}
