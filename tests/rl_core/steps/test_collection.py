"""What a step trains on: dynamic sampling, and the penalties on top of the scores."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rl_core.config.rl import RlConfig
from rl_core.data.prompts import Prompt
from rl_core.data.sampler import EpochSampler
from rl_core.data.templates import find_template
from rl_core.model.pretrained import load_tokenizer
from rl_core.outcome import Outcome
from rl_core.rewards.pool import ScoringPool
from rl_core.rewards.reward import Score
from rl_core.rewards.verdict import Verdict
from rl_core.rollout.engine import Completion, Request, Sampling
from rl_core.rollout.responses import EncodedPrompt, encode_prompts
from rl_core.steps.collection import Collected, Collector, Rollout, penalized


class Scripted:
    """Workers whose model answers each problem as often right as its question says, the last request first."""

    def __init__(self, checkpoint: Path, right: list[int]) -> None:
        self.tokenizer = load_tokenizer(str(checkpoint))
        self.prompts = encode_prompts(
            [Prompt("gsm8k", f"{n}: {count}", "7") for n, count in enumerate(right)], find_template("plain"), self.tokenizer
        )

    def generate(self, requests: list[Request], sampling: Sampling) -> Iterator[tuple[int, list[Completion]]]:
        counts = {tuple(encoded.token_ids): int(encoded.prompt.question.split(": ")[1]) for encoded in self.prompts}
        for index, request in reversed(list(enumerate(requests))):
            count = counts[tuple(request.prompt_token_ids)]
            yield index, [self._answer(sample < count) for sample in range(request.samples)]

    def _answer(self, right: bool) -> Completion:
        token_ids = [*self.tokenizer("#### 7" if right else "#### 8").input_ids, self.tokenizer.eos_token_id]
        return Completion(token_ids, [-1.0] * len(token_ids), "stop")


def collect(checkpoint: Path, right: list[int], max_refills: int) -> Collected:
    config = RlConfig.model_validate(
        {
            "steps": 1,
            "template": "plain",
            "reward": {"accuracy": 1.0},
            "prompts_per_step": 2,
            "group_size": 2,
            "algorithm": {"name": "dapo", "max_refills": max_refills},
        }
    )
    workers = Scripted(checkpoint, right)
    with ScoringPool(1, 5.0) as pool:
        collector = Collector(workers, pool, workers.prompts, EpochSampler(len(right), 0), config, seed=0)  # type: ignore[arg-type]
        return collector.collect(1, 1.0, 0)


def test_prompts_without_a_signal_are_replaced_but_kept_as_rollouts(tiny_checkpoint: Path) -> None:
    # In the sampler's order, whatever it is, exactly two of the eight problems have one right and one wrong answer.
    collected = collect(tiny_checkpoint, [0, 2, 1, 0, 2, 1, 0, 2], max_refills=9)
    used = [collected.rollouts[row] for row in collected.used]
    assert sorted(rollout.score.reward for rollout in used) == [0.0, 0.0, 1.0, 1.0]
    assert len({rollout.group for rollout in used}) == 2
    assert len(collected.rollouts) == 2 * collected.drawn
    # Groups are numbered through the refills, and every response belongs to its own prompt.
    assert [rollout.group for rollout in collected.rollouts] == [n // 2 for n in range(len(collected.rollouts))]
    for rollout in collected.rollouts:
        right = rollout.sample < int(rollout.encoded.prompt.question.split(": ")[1])
        assert (rollout.score.verdict.outcome is Outcome.CORRECT) == right


@pytest.mark.parametrize("max_refills", [1, 3])
def test_refills_are_bounded_and_a_smaller_batch_is_said(tiny_checkpoint: Path, capsys, max_refills: int) -> None:
    collected = collect(tiny_checkpoint, [0, 2, 0, 2], max_refills)
    assert collected.used == []
    assert collected.drawn == 2 * (1 + max_refills)
    assert len(collected.rollouts) == 2 * collected.drawn
    assert "warning: step 1 trains on 0 of 2 prompts" in capsys.readouterr().err


def test_without_refills_everything_is_trained_on(tiny_checkpoint: Path, capsys) -> None:
    collected = collect(tiny_checkpoint, [0, 2, 0, 2], max_refills=0)
    assert collected.used == [0, 1, 2, 3]
    assert collected.drawn == 2
    assert "warning" not in capsys.readouterr().err


def test_penalties_add_up_and_dense_ones_stay_at_their_tokens() -> None:
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
    encoded = EncodedPrompt(Prompt("gsm8k", "q", "1"), "q", [1], find_template("plain"))
    completions = [Completion([5, 6], [0.0] * 2, "stop"), Completion([5, 6, 5, 6, 5, 6], [0.0] * 6, "stop")]
    score = Score(1.0, {"accuracy": 1.0}, Verdict(Outcome.CORRECT, "1"))
    group = [Rollout(encoded, 0, n, completion, "", score, score.reward) for n, completion in enumerate(completions)]
    short, long = penalized(group, config)
    assert short.score.components == {"accuracy": 1, "repetition": 0, "dense_repetition": 0, "overlong": 0, "group_length": 0.5}
    assert short.score.reward == 1.5
    # two different tokens of six; four tokens in bigrams that stood before; two of the four tokens before the limit
    assert long.token_penalties is not None
    assert long.token_penalties.tolist() == [0, 0, -0.1, -0.1, -0.1, -0.1]
    assert long.response_reward == pytest.approx(1 - 2 / 3 - 0.5 - 0.5)  # the rest of the reward, and nothing of it twice
    assert long.score.components == pytest.approx(
        {"accuracy": 1, "repetition": -2 / 3, "dense_repetition": -0.4, "overlong": -0.5, "group_length": -0.5}
    )
    assert long.score.reward == pytest.approx(sum(long.score.components.values()))
