"""What a response earns on its way from the penalties to the advantages of its tokens: nothing is lost, nothing counts twice."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import yaml

from flows.recipe.load import SHIPPED
from rl_core.algorithms.credit import token_advantages
from rl_core.config.rl import RlConfig
from rl_core.data.prompts import Prompt
from rl_core.data.templates import find_template
from rl_core.outcome import Outcome
from rl_core.rewards.reward import Score
from rl_core.rewards.verdict import Verdict
from rl_core.rollout.engine import Completion
from rl_core.rollout.responses import EncodedPrompt
from rl_core.steps.collection import Rollout, penalized
from rl_core.trainer import experience_of
from rl_core.training.policy import step_rewards


def advantages(config: RlConfig, *responses: tuple[list[int], float], value: float = 0.0) -> list[list[float]]:
    """Of right responses to one prompt, given as tokens and reward; `value`: the critic's, of every token."""
    encoded = EncodedPrompt(Prompt("math", "q", "1"), "q", [1], find_template("plain"))
    group = [
        Rollout(encoded, 0, n, Completion(ids, [0.0] * len(ids), "stop"), "", Score(earned, {}, Verdict(Outcome.CORRECT, "1")), earned)
        for n, (ids, earned) in enumerate(responses)
    ]
    rewards = step_rewards([experience_of(rollout) for rollout in penalized(group, config)], config)
    values_N = torch.full((sum(rewards.lengths),), value, dtype=torch.float64) if config.algorithm.advantage == "gae" else None
    found, _ = token_advantages(config.algorithm, rewards, values_N)
    return [row.tolist() for row in found.split(list(rewards.lengths))]


# Two right responses to one prompt, 5 and 1 as a whole. The first repeats its two tokens: -1 for the third and for the fourth.
@pytest.mark.parametrize(
    ("algorithm", "own", "first", "second"),
    [
        # compared as wholes: 5 - 2 = 3 and 1, deviation sqrt(2)
        ({"advantage": "group_centered"}, None, [1, 1, 1, 1], [-1, -1]),
        ({"advantage": "group_normalized"}, None, [1 / (2**0.5 + 1e-6)] * 4, [-1 / (2**0.5 + 1e-6)] * 2),
        ({"advantage": "leave_one_out"}, None, [2, 2, 2, 2], [-2, -2]),
        # rewards to go of 0, 0, -1, -1 + 5
        ({"advantage": "returns"}, None, [3, 3, 3, 4], [1, 1]),
        ({"advantage": "returns"}, 1.0, [3, 3, 3, 4], [1, 1]),
        ({"advantage": "returns", "discount": 0.5}, None, [0.25, 0.5, 1, 4], [0.5, 1]),
        ({"advantage": "returns", "discount": 0.5}, 0.5, [0.25, 0.5, 1, 4], [0.5, 1]),
        # 5 and the penalties under 0.5: -0.375, -0.75, -1.5, -1
        ({"advantage": "returns"}, 0.5, [4.625, 4.25, 3.5, 4], [1, 1]),
        # 5 under 0.5 and the penalties: -2, -2, -2, -1
        ({"advantage": "returns", "discount": 0.5}, 1.0, [-1.375, -0.75, 0.5, 4], [0.5, 1]),
        # less a value of 1 everywhere
        ({"advantage": "gae"}, None, [2, 2, 2, 3], [0, 0]),
        ({"advantage": "gae"}, 0.5, [3.625, 3.25, 2.5, 3], [0, 0]),
        ({"advantage": "gae", "discount": 0.5}, None, [-0.75, -0.5, 0, 3], [-0.5, 0]),
        ({"advantage": "gae", "discount": 0.5}, 1.0, [-2.375, -1.75, -0.5, 3], [-0.5, 0]),
        # errors 0, 0, -1, 3, added up backwards with 0.5
        ({"advantage": "gae", "trace": 0.5}, None, [0.125, 0.25, 0.5, 3], [0, 0]),
        # errors 0.375, 0.75, -0.5, 3 of the token rewards that have those returns: 0.375, 0.75, -0.5, 4
        ({"advantage": "gae", "trace": 0.5}, 0.5, [1, 1.25, 1, 3], [0, 0]),
    ],
)
def test_a_dense_penalty_counts_once_at_its_tokens(
    algorithm: dict[str, Any], own: float | None, first: list[float], second: list[float]
) -> None:
    penalties = {"dense_repetition": {"ngram": 2, "penalty": -1.0, "discount": own}}
    config = RlConfig.model_validate({"steps": 1, "algorithm": algorithm, "penalties": penalties})
    found = advantages(config, ([5, 6, 5, 6], 5.0), ([7, 8], 1.0), value=1.0)
    assert found[0] == pytest.approx(first)
    assert found[1] == pytest.approx(second)


def test_a_loop_in_a_right_response_of_demystify_long_cot() -> None:
    stage = yaml.safe_load((SHIPPED / "demystify_long_cot.yaml").read_text())["stages"]["ppo"]
    config = RlConfig.model_validate({key: value for key, value in stage.items() if key not in ("kind", "start", "data")})
    config = config.model_copy(update={"algorithm": config.algorithm.model_copy(update={"whiten_advantages": False})})
    loop = list(range(5000, 5040))
    [found] = advantages(config, ([*range(1000), *loop * 10, *range(10000, 11000)], 0.0))
    cosine = 1 + (1 + math.cos(math.pi * 2400 / 14336)) / 2
    assert cosine == pytest.approx(1.93, abs=0.01)
    assert found[1400:] == pytest.approx([cosine] * 1000)  # after the loop there is nothing but the reward of length
    # -0.05 for each of 360 tokens, from token 1,040 on
    assert found[1040] == pytest.approx(cosine - 0.05 * (1 - 0.99**360) / 0.01)
    assert found[0] == pytest.approx(cosine - 0.99**1040 * 0.05 * (1 - 0.99**360) / 0.01)


def test_rewards_that_arrive_with_the_last_token_stay_there() -> None:
    penalties = {"repetition": {"ngram": 1, "lowest": -1}, "overlong": {"buffer": 4}, "group_length": 1.0}
    config = RlConfig.model_validate(
        {"steps": 1, "max_response_tokens": 8, "algorithm": {"advantage": "returns", "discount": 0.5}, "penalties": penalties}
    )
    long, short = advantages(config, ([5, 6, 5, 6, 5, 6], 1.0), ([7, 8], 1.0))
    # 1 - 2 / 3 of repetition - 2 / 4 of length - 1 / 2 for the longer one
    assert long == pytest.approx([(1 - 2 / 3 - 1 / 2 - 1 / 2) * 0.5 ** (5 - t) for t in range(6)])
    assert short == pytest.approx([0.75, 1.5])


def test_discounts_without_effect_are_refused() -> None:
    dense = {"dense_repetition": {"discount": 0.9}}
    with pytest.raises(ValueError, match=r"penalties.dense_repetition.discount` has no effect with `advantage: group_normalized`"):
        RlConfig.model_validate({"steps": 1, "penalties": dense})
    with pytest.raises(ValueError, match=r"`kl_discounts` has no effect with `kl_in: loss`"):
        RlConfig.model_validate({"steps": 1, "algorithm": {"advantage": "returns", "kl_discounts": [0.9]}})
    with pytest.raises(ValueError, match=r"`kl_discounts` has no effect with `advantage: leave_one_out`"):
        RlConfig.model_validate({"steps": 1, "algorithm": {"name": "rloo", "kl_discounts": [0.9]}})
