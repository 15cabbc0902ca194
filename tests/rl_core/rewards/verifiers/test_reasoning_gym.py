from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rl_core.errors import InputError
from rl_core.outcome import Outcome
from rl_core.rewards.pool import ScoreItem, ScoringPool
from rl_core.rewards.reward import resolve
from rl_core.rewards.verifiers.reasoning_gym import read_gold, score, write_gold
from rl_core.rewards.verify import settle, verify

SUM = write_gold("chain_sum", {}, "24", {})
SPIRAL = write_gold("spiral_matrix", {}, "1 2 3", {})  # its scorer runs a list as Python
PRODUCT = write_gold("polynomial_multiplication", {}, "x**2 + 2*x + 1", {})

KEYS = st.text() | st.integers() | st.tuples(st.integers(), st.text())
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False) | st.fractions(),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(KEYS, inner) | st.frozensets(st.integers()),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), VALUES))
def test_metadata_of_any_kind_comes_back(metadata: dict[str, Any]) -> None:
    assert read_gold(write_gold("x", {"a": (1, 2)}, None, metadata)) == {
        "dataset": "x", "config": {"a": (1, 2)}, "answer": None, "metadata": metadata,
    }  # fmt: skip


@pytest.mark.parametrize("gold", ["", "24", "[]", "{}", '{"answer": 1}', "null", "[" * 100_000])
def test_a_gold_that_is_none_is_refused(gold: str) -> None:
    for response in ("<answer>1</answer>", ""):
        with pytest.raises(InputError, match="gold must be JSON with answer, config, dataset, metadata, not"):
            verify("reasoning_gym", response, gold)


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        ("<answer>23</answer> no: <answer>\n 24 \n</answer>", "24"),  # as reasoning-gym reads it
        (r"<answer>24</answer> or \boxed{25}", "24"),
        ("<answer>1 2\n3 4</answer>", "1 2\n3 4"),
        (r"so it is \boxed{24}.", "24"),
        ("The answer is 24.", "24"),
        ("<think>24</think>", None),
        ("<answer> </answer>", None),
    ],
)
def test_where_the_answer_stands(response: str, answer: str | None) -> None:
    found = settle("reasoning_gym", response, SUM)
    assert getattr(found, "answer", None) == answer


def test_scores_are_those_of_reasoning_gym() -> None:
    """By its source: chain_sum gives 1 for an equal number, else the share of the answer that is the gold's text."""
    assert [score(SUM, answer) for answer in ("24", "24.0", "x24x", "25", "")] == [1.0, 1.0, 0.5, 0.0, 0.0]
    part = verify("reasoning_gym", "<answer>x24x</answer>", SUM)
    assert (part.outcome, part.extracted, part.score) == (Outcome.WRONG, "x24x", 0.5)
    none = verify("reasoning_gym", "I cannot tell", SUM)
    assert (none.outcome, none.extracted, none.score) == (Outcome.UNPARSEABLE, None, 0.0)
    # Settings that a scorer reads: with more decimal places it is stricter.
    assert [
        score(write_gold("decimal_arithmetic", {"min_num_decimal_places": places, "max_num_decimal_places": places}, "1.25", {}), "1.251")
        for places in (2, 4)
    ] == [1.0, 0.0]


def test_an_answer_on_which_a_scorer_fails_is_wrong() -> None:
    assert score(write_gold("prime_factorization", {}, "2 * 3", {}), "two") == 0.0  # int() of a text
    assert score(write_gold("complex_arithmetic", {}, "1 + i", {"result": (1, 1)}), "nan") == 0.0
    assert score(SPIRAL, "[exit()]") == 0.0


def test_an_answer_that_is_run_as_python_changes_nothing(tmp_path: Path) -> None:
    assert score(SPIRAL, "[1, 2, 3]") == 0.1  # for a list in its place
    there = tmp_path / "there"
    there.write_text("as it was")
    for act in (
        f"__import__('os').system('touch {tmp_path}/made')",
        f"open('{tmp_path}/made', 'w').write('x')",
        f"__import__('os').open('{tmp_path}/made', 65)",
        f"__import__('subprocess').run(['touch', '{tmp_path}/made'])",
        f"__import__('os').remove('{there}')",
        f"__import__('shutil').rmtree('{tmp_path}')",
        f"__import__('os').rename('{there}', '{tmp_path}/made')",
        "__import__('socket').create_connection(('127.0.0.1', 1))",
        "__import__('os').kill(__import__('os').getpid(), 9)",
    ):
        assert score(SPIRAL, f"[{act}]") < 1
        assert score(PRODUCT, act) < 1
        assert [path.name for path in tmp_path.iterdir()] == ["there"]
    assert there.read_text() == "as it was"
    (tmp_path / "made").write_text("outside of a scorer it is as ever")


@pytest.mark.slow
def test_an_answer_costs_at_most_its_own_worker() -> None:
    answers = ["24", "[__import__('os')._exit(0)]", "[9**9**9**9]", "[0]*10**12", "[1, 2, 3]", "1 2 3"]
    golds = [SUM, *[SPIRAL] * 5]
    with ScoringPool(2, 3.0) as pool:
        items = [ScoreItem("reasoning_gym", f"<answer>{answer}</answer>", gold) for answer, gold in zip(answers, golds, strict=True)]
        scores = pool.score(items, resolve("score"))
    outcomes = [score.verdict.outcome for score in scores]
    assert outcomes[:3] == [Outcome.CORRECT, Outcome.TIMEOUT, Outcome.TIMEOUT]
    assert outcomes[3] in (Outcome.WRONG, Outcome.TIMEOUT)
    assert outcomes[4:] == [Outcome.WRONG, Outcome.CORRECT]
    assert [score.reward for score in scores] == [1.0, 0.0, 0.0, 0.0, 0.1, 1.0]


@pytest.mark.slow
def test_one_pool_takes_up_families_whose_workers_import_different_things() -> None:
    """Its deadline is shorter than the import of reasoning-gym takes: that is not counted."""
    with ScoringPool(1, 0.5) as pool:
        mathematical = pool.judge_later([ScoreItem("math", rf"\boxed{{x+{number}}}", f"{number}+x") for number in range(3)])
        sums = [ScoreItem("reasoning_gym", f"<answer>{answer}</answer>", SUM) for answer in ("24", "24.0", "23")]
        assert [verdict.score for verdict in pool.judge(sums)] == [1.0, 1.0, 0.0]
        assert [verdict.outcome for verdict in mathematical()] == [Outcome.CORRECT] * 3
