import math

import pytest
import torch

from rl_core.config.algorithm import ALGORITHMS
from rl_core.config.rl import RlConfig
from rl_core.training.policy import Experience, Policy, StepSettings, split_by_group, step_rewards
from rl_core.training.sequences import TokenSequence

SETTINGS = StepSettings(learning_rate=1e-3, temperature=0.7, kl_coefficient=0.1, value_learning_rate=1e-3)


def experiences(rewards=(1.0, 0.0, 2.0, 0.0, 1.0, 1.0)) -> list[Experience]:
    """Three groups of two responses of different lengths; the engine's log-probs are those of a uniform guess."""
    lengths = [3 + 2 * n for n in range(len(rewards))]
    return [
        Experience(TokenSequence([5, 6, 7 + n], [20 + n] * length), [-5.0] * length, reward, n // 2)
        for n, (length, reward) in enumerate(zip(lengths, rewards, strict=True))
    ]


def policy(checkpoint, reference=False, **changes) -> Policy:
    settings = {"steps": 1, "max_response_tokens": 16, "precision": "float32"}
    return Policy(str(checkpoint), RlConfig.model_validate(settings | changes), str(checkpoint) if reference else None)


def parameters(trained: Policy) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in trained.backend.model.parameters()])


@pytest.mark.parametrize("name", ALGORITHMS)
def test_a_step_does_not_depend_on_the_micro_batches(tiny_checkpoint, name: str) -> None:
    found = []
    for tokens_per_batch in (1, 100_000):  # one row a batch, all in one
        trained = policy(tiny_checkpoint, algorithm={"name": name, "kl_coefficient": 0.1}, reference=True, updates_per_step=2)
        trained.backend.tokens_per_batch = tokens_per_batch
        before = parameters(trained)
        metrics, advantages, *_ = trained.train(experiences(), SETTINGS)
        assert all(math.isfinite(value) for value in metrics.values())
        assert len(advantages) == 6
        found.append((parameters(trained) - before, metrics))
    (one, one_metrics), (all_rows, all_metrics) = found
    assert one.abs().max() > 1e-4
    # AdamW's first steps divide by the gradient's size, so rounding shows where a gradient is nearly nothing.
    assert (one - all_rows).abs().mean() < 1e-5
    assert one_metrics == pytest.approx(all_metrics, rel=1e-3, abs=1e-5)


def test_responses_without_a_gradient_are_left_out_and_change_nothing(tiny_checkpoint) -> None:
    # The third group's rewards are equal. A tiny entropy bonus makes every response count as used.
    fewer, every = policy(tiny_checkpoint), policy(tiny_checkpoint, algorithm={"entropy_coefficient": 1e-12})
    assert fewer.train(experiences(), SETTINGS).metrics["trained_tokens"] == 3 + 5 + 7 + 9
    assert every.train(experiences(), SETTINGS).metrics["trained_tokens"] == 3 + 5 + 7 + 9 + 11 + 13
    assert (parameters(fewer) - parameters(every)).abs().mean() < 1e-5


def test_nothing_to_learn_changes_nothing(tiny_checkpoint) -> None:
    trained = policy(tiny_checkpoint)
    before = parameters(trained)
    metrics, advantages, *_ = trained.train(experiences((1.0,) * 6), SETTINGS)
    assert advantages == [0.0] * 6
    assert metrics["grad_norm"] == 0
    assert torch.equal(before, parameters(trained))
    assert trained.train([], SETTINGS).advantages == []


def test_the_entropy_bonus_raises_entropy(tiny_checkpoint) -> None:
    trained = policy(tiny_checkpoint, algorithm={"entropy_coefficient": 1.0})
    entropies = [trained.train(experiences((1.0,) * 6), SETTINGS).metrics["entropy"] for _ in range(5)]
    assert entropies[-1] > entropies[0]


@pytest.mark.parametrize("name", ["grpo", "rloo"])  # in the loss, in the reward
def test_kl_is_zero_at_the_reference_and_grows_away_from_it(tiny_checkpoint, name: str) -> None:
    trained = policy(tiny_checkpoint, algorithm={"name": name, "kl_coefficient": 0.1}, reference=True)
    found = [trained.train(experiences(), SETTINGS).metrics["kl"] for _ in range(4)]
    assert found[0] == pytest.approx(0, abs=1e-5)
    assert abs(found[-1]) > 1e-4


def test_the_critic_learns_the_returns(tiny_checkpoint) -> None:
    trained = policy(tiny_checkpoint, algorithm={"name": "ppo", "value_clip": None})
    settings = SETTINGS._replace(learning_rate=0.0, value_learning_rate=3e-3)
    metrics = [trained.train(experiences(), settings).metrics for _ in range(30)]
    assert metrics[0]["value_mean"] == 0  # its head starts at zero
    assert metrics[-1]["value_loss"] < 0.1 * metrics[0]["value_loss"]
    assert metrics[-1]["value_explained_variance"] > 0.8


def test_critic_and_optimizers_continue_bit_for_bit_from_disk(tiny_checkpoint, tmp_path) -> None:
    straight, first = (policy(tiny_checkpoint, algorithm={"name": "ppo"}) for _ in range(2))
    for trained in (straight, first):
        for _ in range(2):
            trained.train(experiences(), SETTINGS)
    first.save(tmp_path)
    second = Policy(str(tiny_checkpoint), first.config, resumed=tmp_path)
    assert straight.train(experiences(), SETTINGS)[:3] == second.train(experiences(), SETTINGS)[:3]
    assert torch.equal(parameters(straight), parameters(second))


def test_groups_stay_whole_in_minibatches() -> None:
    assert split_by_group([4, 4, 1, 1, 2, 2, 9], 2) == [[0, 1, 2, 3], [4, 5, 6]]
    assert split_by_group([1, 1], 2) == [[0, 1]]


def test_rewards_of_a_step_come_by_component_with_their_weights() -> None:
    config = RlConfig.model_validate({"steps": 1, "reward": {"accuracy": 2.0, "tag_count": 0.0}})
    parts = [{"accuracy": 2.0, "tag_count": 0.0, "overlong": -0.5}, {"accuracy": 0.0, "tag_count": 0.0, "overlong": 0.0}]
    sequence = TokenSequence([5], [6])
    rewards = step_rewards([Experience(sequence, [0.0], sum(part.values()), 0, components=part) for part in parts], config)
    assert rewards.components == [(2.0, [1.0, 0.0]), (1.0, [-0.5, 0.0])]
    assert rewards.responses == [1.5, 0.0]
