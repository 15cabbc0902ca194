import pytest

from rl_core.algorithms.credit import rediscounted, token_advantages
from rl_core.config import Algorithm

REWARDS, GROUPS = [1.0, 0.0, 3.0, 3.0], [0, 0, 1, 1]
NOTHING = [[0.0, 0.0], [0.0], [0.0], [0.0, 0.0, 0.0]]


def advantages(dense=NOTHING, values=None, **settings):
    return token_advantages(Algorithm.model_validate(settings), REWARDS, GROUPS, dense, values)


def test_a_group_shares_its_baseline_and_a_response_its_advantage() -> None:
    assert advantages(name="dr_grpo")[0] == [[0.5, 0.5], [-0.5], [0.0], [0.0, 0.0, 0.0]]
    assert advantages(name="rloo")[0] == [[1.0, 1.0], [-1.0], [0.0], [0.0, 0.0, 0.0]]


def test_token_rewards_count_as_a_whole_where_responses_are_compared() -> None:
    # 1 - 0.5 - 0.5 = 0 equals the other response of the group
    assert advantages(dense=[[-0.5, -0.5], [0.0], [0.0], [-1.0, 0.0, 0.0]], name="dr_grpo")[0] == [[0.0, 0.0], [0.0], [0.5], [-0.5] * 3]


def test_rewards_to_go_then_whitened_over_all_tokens() -> None:
    found = advantages(dense=[[-1.0, 0.0], [0.0], [0.0], [0.0, 0.0, 0.0]], name="reinforce_plus_plus", whiten_advantages=False)[0]
    assert found == [[0.0, 1.0], [0.0], [3.0], [3.0, 3.0, 3.0]]
    flat = [value for row in advantages(name="reinforce_plus_plus")[0] for value in row]
    # rewards at the tokens 1 1 0 3 3 3 3: mean 2, population variance 10 / 7
    assert flat == pytest.approx([value / (10 / 7) ** 0.5 for value in (-1, -1, -2, 1, 1, 1, 1)])


def test_gae_gives_the_critic_its_targets() -> None:
    values = [[0.5, 0.5], [0.25], [3.0], [1.0, 2.0, 2.0]]
    found, targets = advantages(values=values, name="ppo", whiten_advantages=False)
    assert found == [[0.5, 0.5], [-0.25], [0.0], [2.0, 1.0, 1.0]]
    assert targets == [[1.0, 1.0], [0.0], [3.0], [3.0, 3.0, 3.0]]


def test_whitened_rewards() -> None:
    # mean 1.75, deviation 1.299: group means 0.5 and 3 move alike
    found = advantages(name="dr_grpo", whiten_rewards=True)[0]
    assert found[0] == pytest.approx([0.5 / 1.299038] * 2, rel=1e-5)


def test_a_discount_of_its_own_by_hand() -> None:
    # To go under 0.5: [0 + 0.5 * 3, 2 + 0.5 * 2, 2]; each less the next, under 1.
    assert rediscounted([0.0, 2.0, 2.0], 0.5, 1.0) == [-1.5, 1.0, 2.0]
    assert rediscounted([1.0, 2.0], 0.9, 0.9) == [1.0, 2.0]


def test_penalty_and_correctness_each_under_its_discount() -> None:
    penalties = [0.0, -1.0, 0.0, -1.0]
    own = rediscounted(penalties, 0.9, 1.0)
    settings = Algorithm(advantage="returns", whiten_advantages=False)
    [found], _ = token_advantages(settings, [5.0], [0], [own])
    assert found == pytest.approx([5 - 0.9 - 0.9**3, 5 - 1 - 0.9**2, 5 - 0.9, 5 - 1])
