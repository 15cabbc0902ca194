"""Accept and reject rates and speed of grading, side by side with plain math-verify: `python tests/benchmarks/grading.py [WORKERS]`.

Rates are taken on tests/fixtures/equivalence.jsonl. For speed there are random numbers (GSM8K: worked text that ends in an answer, one in
five wrong) and the fixture's formulas; plain math-verify parses and verifies them one after the other in this process.
"""

import json
import logging
import random
import sys
import time
from collections import Counter
from pathlib import Path

from rl_core.outcome import Outcome
from rl_core.rewards.pool import ScoreItem, ScoringPool
from rl_core.rewards.verifiers.mathematics import equivalent

CORPUS = Path(__file__).parents[1] / "fixtures" / "equivalence.jsonl"


def plain(gold: str, response: str) -> bool:
    from math_verify import parse, verify

    return verify(parse(gold if "$" in gold else f"${gold}$"), parse(response))


def rates(rows: list[dict]) -> None:
    """A Markdown table by category."""
    accepted: Counter[tuple[str, bool, str]] = Counter()
    of: Counter[tuple[str, bool]] = Counter()
    for row in rows:
        found = {
            "here": equivalent(row["gold"], row["answer"]) is Outcome.CORRECT,
            "math-verify": plain(row["gold"], rf"\boxed{{{row['answer']}}}"),
        }
        for group in (row["category"], "held out" if row["held_out"] else "seen", "all"):
            of[group, row["same"]] += 1
            accepted.update((group, row["same"], name) for name, yes in found.items() if yes)
    print("| category | right answers | accepted | by math-verify | wrong answers | accepted | by math-verify |")
    print("|---|---|---|---|---|---|---|")
    totals = ["seen", "held out", "all"]
    for group in [*dict.fromkeys(group for group, _ in of if group not in totals), *totals]:
        cells = []
        for same in (True, False):
            share = [f"{100 * accepted[group, same, name] / max(1, of[group, same]):.1f}%" for name in ("here", "math-verify")]
            cells += [str(of[group, same]), *share]
        print(f"| {group} | {' | '.join(cells)} |")


def gsm8k(count: int) -> list[ScoreItem]:
    rng = random.Random(0)
    items = []
    for _ in range(count):
        left, right = rng.randint(2, 5000), rng.randint(2, 900)
        gold, shown = left + right, left + right + rng.choice([0, 0, 0, 0, 1])
        written = rng.choice([str(shown), f"{shown:,}", f"${shown}", f"{shown}.00", f"{shown} dollars"])
        mark = rng.choice([f"#### {written}", rf"\boxed{{{written}}}", f"The answer is {written}."])
        items.append(ScoreItem("gsm8k", f"She has {left} and gets {right} more.\n{left} + {right} = {shown}\n{mark}", str(gold)))
    return items


def formulas(rows: list[dict], count: int) -> list[ScoreItem]:
    chosen = random.Random(0).sample([row for row in rows if "\\" in row["gold"]], count)
    return [ScoreItem("math", rf"so \boxed{{{row['answer']}}}", row["gold"]) for row in chosen]


def speed(name: str, items: list[ScoreItem], workers: int) -> None:
    with ScoringPool(workers, deadline=2.0) as pool:
        pool.judge([ScoreItem("math", rf"\boxed{{x+{n}}}", f"{n}+x") for n in range(20)])  # start the workers outside of what is timed
        began = time.perf_counter()
        pool.judge(items)
        here = time.perf_counter() - began
    plain("1", "$1$")
    began = time.perf_counter()
    for item in items:
        plain(item.gold, item.response)
    there = time.perf_counter() - began
    print(f"{name}: {here:.2f} s with {workers} workers, plain math-verify alone {there:.2f} s ({there / here:.1f} times as long)")


def main() -> None:
    logging.getLogger("math_verify").setLevel(logging.CRITICAL)
    workers = int(sys.argv[1]) if len(sys.argv) > 1 else 2
    rows = [json.loads(line) for line in CORPUS.read_text().splitlines()]
    speed("5,000 GSM8K answers", gsm8k(5000), workers)
    speed("800 formulas", formulas(rows, 800), workers)
    rates(rows)


if __name__ == "__main__":
    main()
