"""What is said of a stage that ended as done. Metrics are rows as trainers write them."""

from __future__ import annotations

import math
from typing import Any

from evals.analytics.health import eval_warnings, rl_warnings, sft_warnings

SETTINGS = {"max_response_tokens": 512, "scoring_deadline": 5.0, "max_tokens": 1024}
HEALTHY = {
    "reward": 0.4,
    "reward_std": 0.9,
    "zero_advantage": 0.25,
    "outcome/correct": 0.5,
    "outcome/truncated": 0.2,
    "outcome/unparseable": 0.05,
    "outcome/format_error": 0.05,
    "outcome/timeout": 0.0,
    "updates": 2.0,
    "skipped_updates": 0.0,
    "loss": 0.01,
    "learning_rate": 1e-6,
}


def rows(number: int, **changes: float) -> list[dict[str, Any]]:
    """Steps that are healthy but for `changes`; `outcome_x` stands for `outcome/x`."""
    changed = {name.replace("outcome_", "outcome/"): value for name, value in changes.items()}
    return [{"step": step, **HEALTHY, **changed} for step in range(1, number + 1)]


def rl(metrics: list[dict[str, Any]], **result: int) -> list[str]:
    return rl_warnings(SETTINGS, metrics, result)


def test_nothing_is_said_of_a_training_that_learns() -> None:
    assert rl(rows(20)) == []
    # A model that starts from nothing: cut off and unreadable at first, later not.
    assert rl(rows(10, outcome_truncated=1.0, outcome_correct=0.0, zero_advantage=1.0) + rows(11)) == []
    assert rl([]) == []


def test_rewards_that_are_all_the_same_teach_nothing() -> None:
    [line] = rl(rows(6, reward=-3.0, reward_std=0.0) + rows(4))
    assert line.startswith(
        "no gradient in 6 of 10 steps, for all responses to a prompt got the same reward (-3.00 on average); look at `reward`"
    )
    [line] = rl(rows(10, zero_advantage=1.0))  # groups differ, but no response from its group
    assert line.startswith("no gradient in 10 of 10 steps")
    assert rl(rows(4, reward_std=0.0) + rows(6)) == []


def test_responses_that_are_cut_off_to_the_end() -> None:
    [line] = rl(rows(10, outcome_truncated=0.9))
    assert line.startswith("90 % of the responses in the last 5 steps were cut off at `max_response_tokens: 512`")
    assert rl(rows(5, outcome_truncated=0.9) + rows(5)) == []
    assert rl(rows(1, outcome_truncated=0.9))[0].startswith("90 % of the responses in the last step were cut off")


def test_answers_that_are_never_right_not_readable_or_too_late() -> None:
    assert rl(rows(3, outcome_correct=0.0)) == [
        "no response was right in 3 steps: `data` may be too hard, or `template` and `reward` may not fit the model"
    ]
    assert rl(rows(4, outcome_unparseable=0.6, outcome_format_error=0.35)) == [
        "95 % of the responses in the last 2 steps had no readable answer; look at `template`"
    ]
    assert rl(rows(4, outcome_timeout=0.5)) == ["50 % of the answers missed `scoring_deadline: 5.0` s"]


def test_updates_that_are_not_finite_or_change_nothing() -> None:
    assert rl(rows(10, skipped_updates=1.0)) == ["10 of 20 updates were skipped, for their gradient was not finite; lower `learning_rate`"]
    assert rl(rows(99) + rows(1, skipped_updates=1.0)) == []  # one in two hundred
    assert rl(rows(2) + rows(3, loss=math.nan)[2:]) == ["the loss is not finite from step 3 on; lower `learning_rate`"]
    assert rl(rows(3, learning_rate=0.0)) == ["`learning_rate` was 0 in all 3 steps"]
    without_updates = [{name: value for name, value in row.items() if name != "loss"} for row in rows(3, updates=0.0, zero_advantage=1.0)]
    assert len(rl(without_updates)) == 1


def test_prompts_and_examples_that_are_left_out() -> None:
    assert rl(rows(2), prompts=100, dropped_prompts=900) == ["900 of 1,000 prompts are too long and were left out"]
    assert rl(rows(2), prompts=900, dropped_prompts=100) == []
    assert sft_warnings([], {"examples": 1, "dropped_examples": 1}) == ["1 of 2 examples are too long and were left out"]


def test_a_loss_of_sft_that_does_not_fall() -> None:
    falling = [{"step": step, "loss": 4.0 / step} for step in range(1, 31)]
    assert sft_warnings(falling, {}) == []
    assert sft_warnings(falling[::-1], {}) == [
        "the loss did not fall: 0.138 in the first 3 steps, 2.44 in the last; look at `learning_rate`"
    ]
    assert sft_warnings(falling[::-1][:9], {}) == []  # too few steps to say


def test_scores_that_are_all_zero() -> None:
    scores = [{"checkpoint": name, "value": 0.0} for name in ("cold", "warm", "warm")]
    assert eval_warnings(SETTINGS, scores) == [
        "every score of cold, warm is 0; look at `template`, at `max_tokens: 1024`, and at the responses in the report"
    ]
    assert eval_warnings(SETTINGS, [*scores, {"checkpoint": "warm", "value": 0.1}]) == []
    assert eval_warnings(SETTINGS, []) == []


def test_reward_functions_that_failed_now_and_then() -> None:
    [line] = rl(rows(9, reward_errors=0.0) + rows(1, reward_errors=0.04))
    assert line == "reward functions failed on 0.4 % of the responses; its `reward_errors.jsonl` has the errors"
    assert rl(rows(10, reward_errors=0.0)) == []
