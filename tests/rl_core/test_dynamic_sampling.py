"""DAPO's refills: which prompts are trained on, what is stored, and what happens when there are too few."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from rl_core.config import RlConfig, TrainJob
from rl_core.data.prompts import Prompt
from rl_core.data.sampler import EpochSampler
from rl_core.model.pretrained import load_tokenizer
from rl_core.outcome import Outcome
from rl_core.rewards.reward import Score
from rl_core.rewards.verdict import Verdict
from rl_core.rollout.engine import Completion
from rl_core.rollout.responses import encode_prompts
from rl_core.trainer import _train_step
from rl_core.training.policy import Experience, StepSettings, TrainedStep


class Scripted:
    """Workers whose model answers each problem as its gold says: how many of two samples are right."""

    def __init__(self) -> None:
        self.trained: Sequence[Experience] = []

    def generate(self, requests, sampling):
        return [[Completion([5, 6], [-1.0, -1.0], "stop") for _ in range(request.samples)] for request in requests]

    def score(self, items, components):
        scores = []
        for index, item in enumerate(items):
            right = index % 2 < int(item.gold)
            scores.append(Score(float(right), {"accuracy": float(right)}, Verdict(Outcome.CORRECT if right else Outcome.WRONG, None)))
        return scores

    def train(self, experiences: Sequence[Experience], settings: StepSettings) -> TrainedStep:
        self.trained = experiences
        return TrainedStep({}, [0.5] * len(experiences))

    def sync(self) -> None:
        pass


def step(tmp_path: Path, checkpoint: Path, golds: list[int], max_refills: int):
    config = RlConfig.model_validate(
        {"steps": 1, "template": "plain", "prompts_per_step": 2, "group_size": 2, "algorithm": {"name": "dapo", "max_refills": max_refills}}
    )
    tokenizer = load_tokenizer(str(checkpoint))
    encoded = encode_prompts([Prompt("gsm8k", f"problem {n}", str(gold)) for n, gold in enumerate(golds)], "plain", tokenizer)
    job = TrainJob(kind="rl", rl=config, model="none", prompts=[tmp_path], output=tmp_path)
    workers, sampler = Scripted(), EpochSampler(len(encoded), 0)
    metrics = _train_step(workers, encoded, sampler, config, {"accuracy": 1.0}, tokenizer, job, 1, 1, check=False)
    return workers.trained, metrics, pq.read_table(tmp_path / "rollouts" / "step-000001.parquet").to_pylist(), sampler


def test_prompts_without_a_signal_are_replaced_but_stored(tmp_path: Path, tiny_checkpoint: Path) -> None:
    # In the sampler's order, whatever it is, exactly two of the eight problems have one right and one wrong answer.
    trained, metrics, rows, sampler = step(tmp_path, tiny_checkpoint, [0, 2, 1, 0, 2, 1, 0, 2], max_refills=9)
    assert sorted(experience.reward for experience in trained) == [0.0, 0.0, 1.0, 1.0]
    assert len({experience.group for experience in trained}) == 2
    assert metrics["prompts_used"] == 2
    assert metrics["prompts_sampled"] == sampler.drawn
    assert len(rows) == 2 * sampler.drawn
    assert {(row["group"], row["advantage"]) for row in rows if row["advantage"] != 0} == {(e.group, 0.5) for e in trained}


@pytest.mark.parametrize("max_refills", [1, 3])
def test_refills_are_bounded_and_a_smaller_batch_is_said(tmp_path: Path, tiny_checkpoint: Path, capsys, max_refills: int) -> None:
    trained, metrics, rows, _ = step(tmp_path, tiny_checkpoint, [0, 2, 0, 2], max_refills)
    assert list(trained) == []
    assert metrics["prompts_used"] == 0
    assert metrics["prompts_sampled"] == 2 * (1 + max_refills)
    assert len(rows) == 2 * metrics["prompts_sampled"]
    assert "warning: step 1 trains on 0 of 2 prompts" in capsys.readouterr().err


def test_without_refills_everything_is_trained_on(tmp_path: Path, tiny_checkpoint: Path, capsys) -> None:
    trained, metrics, _, _ = step(tmp_path, tiny_checkpoint, [0, 2, 0, 2], max_refills=0)
    assert len(trained) == 4
    assert metrics["prompts_sampled"] == metrics["prompts_used"] == 2
    assert "warning" not in capsys.readouterr().err
