import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import psutil
import pytest

from rl_core.outcome import Outcome
from rl_core.rewards.pool import MEMORY, ScoreItem, ScoringPool
from rl_core.rewards.reward import resolve

ENDLESS = r"\int_0^{9^{9^{9}}} x dx"  # math-verify evaluates its limit, and Python's power does not stop


@pytest.fixture(scope="module")
def pool() -> Iterator[ScoringPool]:
    with ScoringPool(workers=2, deadline=1.5) as pool:
        pool.judge([boxed("x+1", "1+x")])  # start the workers outside of what is timed
        yield pool


def boxed(answer: str, gold: str, finish_reason: str = "stop") -> ScoreItem:
    return ScoreItem("math", rf"\boxed{{{answer}}}", gold, finish_reason)


def test_order_is_kept(pool: ScoringPool) -> None:
    items = [boxed(f"x+{n}", f"{n % 3}+x") for n in range(12)]
    scores = pool.score(items, resolve("boxed_math"))
    assert [score.reward for score in scores] == [1.0, 1.0, 1.0] + [-0.5] * 9
    assert [score.verdict.extracted for score in scores] == [f"x+{n}" for n in range(12)]


def test_a_deadline_costs_only_its_own_answer(pool: ScoringPool) -> None:
    items = [boxed(ENDLESS, "8"), *(boxed(f"y+{n}", f"{n}+y") for n in range(30)), boxed(ENDLESS + "+1", "8")]
    started = time.perf_counter()
    scores = pool.score(items, resolve("boxed_math"))
    assert time.perf_counter() - started < 8
    assert [score.verdict.outcome for score in scores] == [Outcome.TIMEOUT, *[Outcome.CORRECT] * 30, Outcome.TIMEOUT]
    assert scores[0].reward == -1.0
    assert pool.judge([boxed("z+1", "1+z")])[0].outcome is Outcome.CORRECT  # its worker was replaced


def test_memory_of_a_worker_is_bounded(pool: ScoringPool) -> None:
    verdict = pool.judge([boxed("10^{10^{12}}", "8")])[0]
    assert verdict.outcome in (Outcome.WRONG, Outcome.UNPARSEABLE, Outcome.TIMEOUT)


def test_a_killed_worker_costs_at_most_its_own_answer(pool: ScoringPool) -> None:
    os.kill(_workers()[0], signal.SIGKILL)
    outcomes = [verdict.outcome for verdict in pool.judge([boxed(f"u+{n}", f"{n}+u") for n in range(10)])]
    assert outcomes.count(Outcome.CORRECT) >= 9
    assert set(outcomes) <= {Outcome.CORRECT, Outcome.TIMEOUT}


def test_a_worker_that_dies_without_work_costs_nothing(pool: ScoringPool) -> None:
    for delay in (0.0, 0.1, 0.5):  # the pool notices at its next look at the workers: before, while and after it is asked
        os.kill(_workers()[0], signal.SIGKILL)
        time.sleep(delay)
        outcomes = [verdict.outcome for verdict in pool.judge([boxed(f"v+{n}+{delay}", f"{n}+v+{delay}") for n in range(10)])]
        assert outcomes.count(Outcome.CORRECT) >= (10 if delay == 0.5 else 9)


def _workers() -> list[int]:
    # A forked worker has a limit on its memory; the fork server and the resource tracker have none.
    children = psutil.Process().children(recursive=True)
    return [child.pid for child in children if MEMORY in child.rlimit(psutil.RLIMIT_AS)]


def test_truncation_only_renames_what_is_not_correct(pool: ScoringPool) -> None:
    items = [boxed("1", "1", "length"), boxed("2", "1", "length"), ScoreItem("math", "so", "1", "length"), boxed(ENDLESS, "8", "length")]
    scores = pool.score(items, resolve("boxed_math"))
    assert [score.verdict.outcome for score in scores] == [Outcome.CORRECT, Outcome.TRUNCATED, Outcome.TRUNCATED, Outcome.TIMEOUT]
    assert [score.reward for score in scores] == [1.0, -0.5, -1.0, -1.0]


def test_a_reward_looks_for_the_answer_where_it_wants_it(pool: ScoringPool) -> None:
    items = [boxed("1+z", "z+1"), ScoreItem("math", "so\nAnswer: 1+z", "z+1"), ScoreItem("math", r"</think> \boxed{1+z}", "z+1")]
    rewards = {preset: [score.reward for score in pool.score(items, resolve(preset))] for preset in ("dapo", "deepscaler", "simplerl_zoo")}
    assert rewards == {"dapo": [-1.0, 1.0, -1.0], "deepscaler": [0.0, 0.0, 1.0], "simplerl_zoo": [1.0, 1.0, 1.0]}


def test_a_reward_knows_that_a_right_answer_was_cut_off(pool: ScoringPool) -> None:
    items = [boxed("1", "1", "length"), boxed("1", "1")]
    assert [score.reward for score in pool.score(items, resolve("oat_zero"))] == [0.0, 1.0]


def test_cheap_work_starts_no_process() -> None:
    gold = json.dumps({"names": ["Zoey"], "roles": ["knave"]})
    puzzles = [ScoreItem("knights_knaves", f"<think>{n}</think><answer>Zoey is a knave</answer>", gold) for n in range(2000)]
    with ScoringPool(workers=1, deadline=1.0) as pool:
        verdicts = pool.judge([*puzzles, boxed("1", "2")])
        assert pool._pool is None
    assert {verdict.outcome for verdict in verdicts} == {Outcome.CORRECT, Outcome.WRONG}


def test_nothing_to_score() -> None:
    with ScoringPool(workers=1, deadline=1.0) as pool:
        assert pool.score([], resolve("logic_rl")) == []


@pytest.mark.slow
def test_leaving_kills_busy_workers_and_leaves_none() -> None:
    code = f"""
import threading, psutil, time
from rl_core.rewards.pool import MEMORY, ScoreItem, ScoringPool
pool = ScoringPool(2, 60.0)
items = [ScoreItem("math", r"\\boxed{{{ENDLESS}+" + str(n) + "}}", "8") for n in range(2)]
threading.Thread(target=lambda: pool.judge(items), daemon=True).start()
time.sleep(3)
started = time.perf_counter()
pool.close()
busy = [p for p in psutil.Process().children(recursive=True) if p.cpu_percent(0.2) > 50]
print(len(busy), time.perf_counter() - started < 3)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.split() == ["0", "True"], done.stderr


def test_the_rules_of_a_reward_reach_the_verdict() -> None:
    puzzle = json.dumps({"names": ["Zoey", "Liam"], "roles": ["knight", "knave"]})
    denied = "<think>a</think><answer>It is not true that Zoey is a knight or that Liam is a knave</answer>"
    copied = "Answer: $2 + 3$"
    with ScoringPool(1, 5.0) as pool:

        def reward(preset: str, task: str, response: str, gold: str) -> float:
            return pool.score([ScoreItem(task, response, gold)], resolve(preset))[0].reward

        assert reward("logic_rl", "knights_knaves", denied, puzzle) == 3.0
        assert reward("knights_knaves_format", "knights_knaves", denied, puzzle) == -1.0
        assert reward("dapo", "math", copied, "5") == -1.0
        assert reward("dapo", "math", "Answer: 5", "5") == 1.0
        assert reward("accuracy", "math", copied, "5") == 1.0
