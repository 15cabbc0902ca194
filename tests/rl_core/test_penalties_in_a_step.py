"""Penalties reach the stored reward and the trainer: whole ones in the reward, dense ones at their tokens."""

import pytest

from rl_core.config import RlConfig
from rl_core.data.prompts import Prompt
from rl_core.outcome import Outcome
from rl_core.rewards.reward import Score
from rl_core.rewards.verdict import Verdict
from rl_core.rollout.engine import Completion
from rl_core.rollout.responses import EncodedPrompt
from rl_core.trainer import _penalized


def test_components_add_up_and_dense_penalties_stay_at_their_tokens() -> None:
    config = RlConfig.model_validate(
        {
            "steps": 1,
            "group_size": 2,
            "max_response_tokens": 8,
            "penalties": {
                "repetition": {"ngram": 1, "lowest": -1},
                "dense_repetition": {"ngram": 2, "penalty": -0.1},
                "overlong": {"buffer": 4},
                "group_length": 1.0,
            },
        }
    )
    encoded = EncodedPrompt(Prompt("gsm8k", "q", "1"), "q", [1])
    completions = [Completion([5, 6], [0.0] * 2, "stop"), Completion([5, 6, 5, 6, 5, 6], [0.0] * 6, "stop")]
    score = Score(1.0, {"accuracy": 1.0}, Verdict(Outcome.CORRECT, "1"))
    short, long = _penalized([(encoded, 0, n, completion, "") for n, completion in enumerate(completions)], [score, score], config)
    assert short.score.components == {"accuracy": 1, "repetition": 0, "dense_repetition": 0, "overlong": 0, "group_length": 0.5}
    assert short.score.reward == 1.5
    # two different tokens of six; four tokens in bigrams that stood before; two of the four tokens before the limit
    assert long.token_rewards == [0, 0, -0.1, -0.1, -0.1, -0.1]
    assert long.score.components == pytest.approx(
        {"accuracy": 1, "repetition": -2 / 3, "dense_repetition": -0.4, "overlong": -0.5, "group_length": -0.5}
    )
    assert long.score.reward == pytest.approx(sum(long.score.components.values()))
