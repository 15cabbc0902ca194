"""Sampling ahead, checkpoints that are kept, and the comparison after the first sync; all in one process."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from rl_core.config.jobs import TrainJob
from rl_core.config.rl import RlConfig
from rl_core.data.knights_knaves import generate
from rl_core.data.prompts import write_prompts
from rl_core.train import main
from rl_core.training.checkpoint import verify

RL = {
    "template": "plain",
    "reward": "logic_rl",
    "penalties": {"repetition": {"ngram": 1}},
    "prompts_per_step": 2,
    "group_size": 3,
    "steps": 5,
    "learning_rate": 1e-3,
    "max_response_tokens": 16,
    "checkpoint_every": 3,
    "resources": {"ray": False, "threads": 1},
}


def run(output: Path, model: Path, **changes: object) -> int:
    output.mkdir(exist_ok=True)
    prompts = output / "prompts.parquet"
    write_prompts(prompts, generate(2, 20, "train", int(changes.pop("data_seed", 0))))
    config = RlConfig.model_validate(RL | changes)
    job = TrainJob(kind="rl", rl=config, model=str(model), prompts=[prompts], output=output, seed=5)
    (output / "job.json").write_text(job.model_dump_json())
    return main([str(output / "job.json")])


def metrics(output: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.slow
def test_one_step_ahead_is_one_step_old_except_after_a_checkpoint(tmp_path: Path, tiny_checkpoint: Path) -> None:
    assert run(tmp_path, tiny_checkpoint, asynchronous=True) == 0
    assert [row["staleness"] for row in metrics(tmp_path)] == [0, 1, 1, 0, 1]
    versions = [pq.read_table(path)["policy_version"][0].as_py() for path in sorted((tmp_path / "rollouts").glob("*.parquet"))]
    assert versions == [0, 0, 1, 3, 3]
    # The importance weights see the older policy: after one update they are no longer those of rounding alone.
    rows = metrics(tmp_path)
    assert rows[1]["rollout_logprob_difference"] > 2 * rows[0]["rollout_logprob_difference"]


@pytest.mark.slow
def test_the_best_checkpoint_outlives_newer_ones(tmp_path: Path, tiny_checkpoint: Path) -> None:
    assert run(tmp_path, tiny_checkpoint, checkpoint_every=1, keep_last=1, keep_best="reward") == 0
    rewards = {row["step"]: row["reward"] for row in metrics(tmp_path)}
    best = max(rewards, key=lambda step: (rewards[step], step))
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["best_checkpoint"] == f"checkpoints/step-{best:06d}"
    assert result["checkpoint"] == "checkpoints/step-000005"
    kept = {path.name for path in (tmp_path / "checkpoints").iterdir()}
    assert kept == {f"step-{best:06d}", "step-000005"}
    assert all(verify(tmp_path / "checkpoints" / name) for name in kept)


@pytest.mark.slow
@pytest.mark.follows("bring those back, or remove the directory")
def test_a_checkpoint_of_other_prompts_is_refused(tmp_path: Path, tiny_checkpoint: Path, capsys) -> None:
    assert run(tmp_path, tiny_checkpoint, steps=3) == 0
    assert run(tmp_path, tiny_checkpoint, data_seed=1) == 2
    assert "its checkpoints were made on other prompts than" in capsys.readouterr().err
    assert run(tmp_path, tiny_checkpoint, steps=3) == 0  # with those of before
    shutil.rmtree(tmp_path)
    assert run(tmp_path, tiny_checkpoint, steps=1, data_seed=1) == 0


@pytest.mark.slow
def test_weights_that_do_not_arrive_stop_the_stage_before_anything_counts(
    tmp_path: Path, tiny_checkpoint: Path, monkeypatch, capfd
) -> None:
    import torch

    from rl_core.rollout.transformers_engine import TransformersEngine

    def corrupt(self: TransformersEngine, weights: dict[str, torch.Tensor]) -> None:
        for parameter in self.model.parameters():
            parameter.data.add_(0.3 * torch.randn(parameter.shape))

    monkeypatch.setattr(TransformersEngine, "update_weights", corrupt)
    assert run(tmp_path, tiny_checkpoint) == 1
    assert "RuntimeError: engine and trainer disagree on the log-probs of the same tokens" in capfd.readouterr().err
    assert not (tmp_path / "rollouts").exists()
