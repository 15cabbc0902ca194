"""What becomes of a step in which reward functions of a user's own fail."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import ValidationError

from rl_core.config.rl import RewardErrors, RlConfig
from rl_core.data.prompts import Prompt
from rl_core.data.templates import find_template
from rl_core.errors import InputError
from rl_core.outcome import Outcome
from rl_core.own_code.processes import Failure
from rl_core.rewards.reward import score
from rl_core.rewards.verdict import Verdict
from rl_core.rollout.engine import Completion
from rl_core.rollout.responses import EncodedPrompt
from rl_core.steps import reward_errors
from rl_core.steps.collection import Collected, Rollout

BREVITY = "own.py:brevity"
FAILED = Failure("ZeroDivisionError: division by zero (own.py, line 3)", "Traceback …\nZeroDivisionError: division by zero\n")
WEIGHTS = {"accuracy": 1.0, BREVITY: 0.5}


def config(**settings: object) -> RlConfig:
    return RlConfig.model_validate({"steps": 1, "reward": WEIGHTS, "group_size": 3, **settings})


def rollouts(values: list[float | Failure], failed: float | None = None) -> list[Rollout]:
    """Of groups of three."""
    found = []
    for row, value in enumerate(values):
        encoded = EncodedPrompt(Prompt("gsm8k", f"q{row // 3}", "1"), "q", [1], find_template("plain"))
        scored = score(WEIGHTS, "", Verdict(Outcome.CORRECT, "1"), {BREVITY: value}, failed)
        found.append(Rollout(encoded, row // 3, row % 3, Completion([5], [0.0], "stop"), "", scored, scored.reward))
    return found


def collected(values: list[float | Failure], used: list[int] | None = None) -> Collected:
    return Collected(rollouts(values), used or list(range(len(values))), 1.0, 0, 0, {})


def test_a_response_without_its_whole_reward_is_left_out_of_the_update() -> None:
    step = collected([0.1, FAILED, 0.3, FAILED, FAILED, 0.6, 0.7, 0.8, 0.9])
    # Of the second group a single response is left: nothing to compare it with.
    assert reward_errors.without_failures(step, config()).used == [0, 2, 6, 7, 8]
    assert reward_errors.without_failures(step, config(algorithm={"name": "reinforce_plus_plus"})).used == [0, 2, 5, 6, 7, 8]
    assert reward_errors.without_failures(replace(step, used=[0, 1, 2]), config()).used == [0, 2]
    stated = config(reward_errors={"value": -1})
    assert reward_errors.without_failures(step, stated).used == list(range(9))


def test_a_stated_value_is_weighted_and_trained_on() -> None:
    [found] = rollouts([FAILED], failed=-1.0)
    assert found.score.components == {"accuracy": 1.0, BREVITY: -0.5}
    assert found.score.reward == 0.5
    assert found.score.failures == {BREVITY: FAILED}  # it is counted all the same
    [left_out] = rollouts([FAILED])
    assert left_out.score.components == {"accuracy": 1.0}  # never as 0


def test_failures_are_counted_by_function() -> None:
    found = reward_errors.shares(rollouts([0.1, FAILED, 0.3, 0.4]), config())
    assert found == {"reward_errors": 0.25, f"reward_errors/{BREVITY}": 0.25}
    assert reward_errors.shares(rollouts([0.1]), config(reward="accuracy")) == {}


def test_few_failures_are_kept_and_many_end_the_stage(tmp_path: Path, capsys) -> None:
    few = rollouts([FAILED, FAILED, *[0.5] * 38])
    reward_errors.require_few(tmp_path, 1, few, RewardErrors())  # 5 %
    rows = [json.loads(line) for line in (tmp_path / reward_errors.KEPT).read_text().splitlines()]
    assert [(row["step"], row["group"], row["sample"], row["component"]) for row in rows] == [(1, 0, 0, BREVITY), (1, 0, 1, BREVITY)]
    assert rows[0]["prompt_id"] == few[0].encoded.prompt.prompt_id
    assert [row["error"] for row in rows] == [FAILED.why] * 2
    assert rows[0]["trace"] == FAILED.trace
    assert "trace" not in rows[1]  # each once
    many = rollouts([FAILED, FAILED, FAILED, *[0.5] * 37])
    with pytest.raises(InputError) as caught:
        reward_errors.require_few(tmp_path, 2, many, RewardErrors())
    assert str(caught.value) == (
        f"step 2: reward functions or verifiers failed on 3 of 40 responses, more than `reward_errors.most` (0.05); the first: {BREVITY}: "
        f"{FAILED.why}; {tmp_path / reward_errors.KEPT} has all of them; correct the code and run again"
    )
    assert capsys.readouterr().err == FAILED.trace
    reward_errors.require_few(tmp_path, 3, many, RewardErrors(most=0.075))
    with pytest.raises(InputError, match="3 of 3 responses"):
        reward_errors.require_few(tmp_path, 4, many[:3], RewardErrors(most=0.99))


def test_a_resumed_run_meets_later_failures_again(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        reward_errors.keep(tmp_path, step, rollouts([FAILED]))
    (tmp_path / reward_errors.KEPT).open("a").write('{"step": 3, "half a li')
    reward_errors.drop_after(tmp_path, 2)
    rows = [json.loads(line)["step"] for line in (tmp_path / reward_errors.KEPT).read_text().splitlines()]
    assert rows == [1, 2]
    reward_errors.drop_after(tmp_path / "nowhere", 2)


def test_a_step_without_any_reward_is_nothing_to_go_on_from() -> None:
    assert config(reward="accuracy").reward_errors == RewardErrors()
    assert config(reward_errors={"most": 0.1}).reward_errors.most == 0.1
    with pytest.raises(ValidationError, match="less than 1"):
        config(reward_errors={"most": 1.0})
