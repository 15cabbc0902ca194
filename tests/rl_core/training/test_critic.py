from __future__ import annotations

from pathlib import Path

import pytest
import torch

from rl_core.config.rl import RlConfig
from rl_core.training.backends.collective import TrainingGroup
from rl_core.training.critic import Critic
from rl_core.training.sequences import TokenSequence


@pytest.mark.parametrize(
    ("aggregation", "wanted"),
    [
        ("token_mean", (2 * 0.5 + 6 * 2.0) / 8),
        ("sequence_mean_token_mean", (0.5 + 2.0) / 2),
        ("sequence_mean_token_sum", (2 * 0.5 + 6 * 2.0) / 2),
        ("sequence_mean_constant_length", (2 * 0.5 + 6 * 2.0) / (2 * 16)),
    ],
)
def test_the_losses_of_tokens_are_aggregated_as_the_recipe_says(tiny_checkpoint: Path, aggregation: str, wanted: float) -> None:
    algorithm = {"name": "ppo", "value_aggregation": aggregation}
    config = RlConfig.model_validate({"steps": 1, "max_response_tokens": 16, "precision": "float32", "algorithm": algorithm})
    critic = Critic(str(tiny_checkpoint), config, TrainingGroup())
    sequences = [TokenSequence([5, 6], [7] * 2), TokenSequence([5, 6], [7] * 6)]
    values = critic.values(sequences)
    assert [row.tolist() for row in values] == [[0.0] * 2, [0.0] * 6]  # a new critic says 0
    # Half the squared error of 1 at each of two tokens, of 2 at each of six.
    targets = [torch.full((2,), 1.0), torch.full((6,), 2.0)]
    assert critic.update([0, 1], sequences, values, targets, 0.0) == pytest.approx(wanted)
