"""The whole loop with reward functions of a user: what it writes, what a failure does, and that it resumes as if it had not stopped."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from rl_core.own_code.sources import sources, write
from tests.rl_core.test_trainer import content, prompts, run  # noqa: F401 (a fixture)

CODE = """
from helper import length

def brevity(response, verdict):
    print("seen", verdict.outcome)
    return 1 / (1 + length(response))

def rank(responses):
    order = sorted(range(len(responses)), key=lambda row: length(responses[row]))
    return [order.index(row) for row in range(len(responses))]

def flaky(response):
    if length(response) % 4 == 0:
        raise ValueError("a length that it does not like")
    return 1.0
"""
REWARD = {"knights_knaves": 1.0, "own.py:brevity": 0.5, "own.py:rank": 0.25}


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """The directory of a stage with the copy of the code that it runs with."""
    (tmp_path / "own.py").write_text(CODE)
    (tmp_path / "helper.py").write_text("def length(text):\n    return len(text)\n")
    write(sources([f"{tmp_path / 'own.py'}:brevity"]), tmp_path / "out" / "code")
    return tmp_path / "out"


def rows(output: Path) -> list[dict[str, object]]:
    return [row for path in sorted((output / "rollouts").glob("*.parquet")) for row in pq.read_table(path).to_pylist()]


@pytest.mark.slow
def test_functions_are_components_of_the_reward(output: Path, tmp_path: Path, prompts: Path, tiny_checkpoint: Path, capfd) -> None:  # noqa: F811
    (tmp_path / "helper.py").write_text("raise RuntimeError('the copy is used, not this')")
    assert run(output, prompts, str(tiny_checkpoint), reward=REWARD, algorithm={"compare_rewards": "each"}) == 0
    found = rows(output)
    assert len(found) == 4 * 12
    for row in found:
        components = dict(row["components"])
        assert components["own.py:brevity"] == pytest.approx(0.5 / (1 + len(str(row["response"]))))
        assert row["reward"] == pytest.approx(sum(components.values()))
    by_prompt = [sorted(dict(row["components"])["own.py:rank"] for row in found[start : start + 4]) for start in range(0, 48, 4)]
    assert by_prompt == [[0.0, 0.25, 0.5, 0.75]] * 12
    metrics = [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]
    assert [row["reward_errors"] for row in metrics] == [0.0] * 4
    assert metrics[0]["reward/own.py:rank"] == pytest.approx(0.375)
    told = [line for line in capfd.readouterr().out.splitlines() if line.startswith("own.py:brevity: seen ")]
    assert len(told) == 48  # 12 a step are few enough to be shown
    assert not (output / "reward_errors.jsonl").exists()


@pytest.mark.slow
@pytest.mark.follows("has all of them; correct the code and run again")
def test_too_many_failures_end_it_and_a_corrected_function_goes_on(
    output: Path,
    prompts: Path,  # noqa: F811
    tiny_checkpoint: Path,
    capfd,
) -> None:
    reward = {"knights_knaves": 1.0, "own.py:flaky": 1.0}
    assert run(output, prompts, str(tiny_checkpoint), reward=reward, steps=2) == 2
    errors = capfd.readouterr().err
    assert errors.count("ValueError: a length that it does not like") == 2  # the traceback and the line
    last = errors.splitlines()[-1]
    assert last.startswith("error: step 1: reward functions or verifiers failed on ")
    assert "own.py:flaky: ValueError: a length that it does not like (own.py, line 14)" in last
    assert not (output / "result.json").exists()
    code = output / "code" / "own.py"
    code.write_text(code.read_text().replace('raise ValueError("a length that it does not like")', "return 0.0"))
    assert run(output, prompts, str(tiny_checkpoint), reward=reward, steps=2) == 0
    assert (output / "reward_errors.jsonl").read_text() == ""


@pytest.mark.slow
@pytest.mark.parametrize("value", [None, -1.0])
def test_failures_below_the_share_are_left_out_or_count_as_stated(
    output: Path,
    prompts: Path,  # noqa: F811
    tiny_checkpoint: Path,
    value: float | None,
) -> None:
    reward = {"knights_knaves": 1.0, "own.py:flaky": 1.0}
    errors = {"most": 0.9, "value": value}
    assert run(output, prompts, str(tiny_checkpoint), reward=reward, reward_errors=errors, steps=2) == 0
    found = rows(output)
    failed = [row for row in found if len(str(row["response"])) % 4 == 0]
    kept = [json.loads(line) for line in (output / "reward_errors.jsonl").read_text().splitlines()]
    assert 0 < len(failed) == len(kept) < len(found)
    metrics = [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]
    assert sum(row["reward_errors"] for row in metrics) * 12 == pytest.approx(len(failed))
    if value is None:
        assert {len(row["components"]) for row in failed} == {1}
        assert {row["advantage"] for row in failed} == {0.0}
        used = metrics[0]["prompts_used"] * 4
        assert used <= 12 - sum(row["step"] == 1 for row in failed)
    else:
        assert {dict(row["components"])["own.py:flaky"] for row in failed} == {-1.0}


@pytest.mark.slow
def test_a_run_that_resumes_is_the_same(output: Path, tmp_path: Path, prompts: Path, tiny_checkpoint: Path, monkeypatch) -> None:  # noqa: F811
    import rl_core.trainer as trainer

    reward = REWARD | {"own.py:flaky": 1.0}
    changes = {"reward": reward, "reward_errors": {"most": 0.9}}
    assert run(output, prompts, str(tiny_checkpoint), **changes) == 0
    broken = tmp_path / "broken"
    write(sources([f"{output / 'code' / 'own.py'}:brevity"]), broken / "code")

    def crash(*arguments: object) -> None:
        write_rollouts(*arguments)  # type: ignore[arg-type]
        if arguments[1] == 3:
            raise RuntimeError("killed")

    write_rollouts = trainer.write_rollouts
    monkeypatch.setattr(trainer, "write_rollouts", crash)
    assert run(broken, prompts, str(tiny_checkpoint), **changes) == 1
    monkeypatch.setattr(trainer, "write_rollouts", write_rollouts)
    assert run(broken, prompts, str(tiny_checkpoint), **changes) == 0
    assert content(broken) == content(output)
    assert (broken / "reward_errors.jsonl").read_text() == (output / "reward_errors.jsonl").read_text().replace(str(output), str(broken))
