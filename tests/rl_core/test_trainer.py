"""The whole loop on a tiny model: what it writes, that it resumes bit for bit, in one process and on Ray."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from rl_core.config.jobs import TrainJob
from rl_core.config.rl import RlConfig
from rl_core.config.sft import SftConfig
from rl_core.data.knights_knaves import generate
from rl_core.data.prompts import write_prompts
from rl_core.rollout.records import ROLLOUT_SCHEMA
from rl_core.train import main

# Metrics that are readings of clocks and meters, not results.
MEASURED = ("seconds/", "tokens_per", "rollout_tokens_per", "train_tokens_per", "train_flops_per", "flop_utilisation", "memory/")

RL = {
    "template": "plain",
    "reward": "logic_rl",
    "prompts_per_step": 3,
    "group_size": 4,
    "steps": 4,
    "learning_rate": 1e-3,
    "max_response_tokens": 24,
    "checkpoint_every": 2,
    "algorithm": {"kl_coefficient": 0.01},
    "resources": {"ray": False, "threads": 1},
}


@pytest.fixture(scope="module")
def prompts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "train.parquet"
    write_prompts(path, generate(2, 20, "train", 0))
    return path


def run(output: Path, prompts: Path, model: str, **changes: object) -> int:
    kind = "sft" if "batch_size" in changes else "rl"
    config = SftConfig.model_validate(changes) if kind == "sft" else RlConfig.model_validate(RL | changes)
    job = TrainJob.model_validate({"kind": kind, kind: config, "model": model, "prompts": [prompts], "output": output, "seed": 5})
    output.mkdir(exist_ok=True)
    (output / "job.json").write_text(job.model_dump_json())
    return main([str(output / "job.json")])


def content(output: Path) -> tuple[bytes, list[dict[str, object]], list[list[dict[str, object]]], int]:
    result = json.loads((output / "result.json").read_text())
    weights = (output / result["checkpoint"] / "model.safetensors").read_bytes()
    metrics = [
        {name: value for name, value in json.loads(line).items() if not name.startswith(MEASURED)}
        for line in (output / "metrics.jsonl").read_text().splitlines()
    ]
    return weights, metrics, [pq.read_table(path).to_pylist() for path in sorted((output / "rollouts").glob("*.parquet"))], result["tokens"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["grpo", "ppo"])
def test_four_steps_are_two_and_two_after_a_crash(
    tmp_path: Path, prompts: Path, tiny_checkpoint: Path, monkeypatch, capfd, name: str
) -> None:
    changes = {"algorithm": {"name": name, "kl_coefficient": 0.01}, "updates_per_step": 2}
    assert run(tmp_path / "straight", prompts, str(tiny_checkpoint), **changes) == 0
    straight = content(tmp_path / "straight")
    assert [row["step"] for row in straight[1]] == [1, 2, 3, 4]

    import rl_core.trainer as trainer

    write = trainer.write_rollouts

    def crash(output: Path, step: int, rows: list[dict[str, object]]) -> None:
        write(output, step, rows)
        if step == 3:
            raise RuntimeError("killed")

    monkeypatch.setattr(trainer, "write_rollouts", crash)
    assert run(tmp_path / "broken", prompts, str(tiny_checkpoint), **changes) == 1
    assert "RuntimeError: killed" in capfd.readouterr().err
    assert not (tmp_path / "broken" / "result.json").exists()
    monkeypatch.setattr(trainer, "write_rollouts", write)
    assert run(tmp_path / "broken", prompts, str(tiny_checkpoint), **changes) == 0
    assert content(tmp_path / "broken") == straight

    rollouts = pq.read_table(tmp_path / "broken" / "rollouts" / "step-000004.parquet")
    assert rollouts.schema.equals(ROLLOUT_SCHEMA)
    assert rollouts.num_rows == 12
    assert {row["group"]: 0 for row in rollouts.to_pylist()}.keys() == {0, 1, 2}


@pytest.mark.slow
def test_sft_resumes_bit_for_bit_and_lowers_its_loss(tmp_path: Path, prompts: Path, tiny_checkpoint: Path, monkeypatch, capfd) -> None:
    sft = {"template": "plain", "steps": 8, "batch_size": 4, "checkpoint_every": 2, "resources": {"threads": 1}}
    assert run(tmp_path / "straight", prompts, str(tiny_checkpoint), **sft) == 0

    import rl_core.training.sft as module

    save = module.save_checkpoint

    def crash(root: Path, step: int, *args: object, **kwargs: object) -> Path:
        if step == 8:
            raise RuntimeError("killed")
        return save(root, step, *args, **kwargs)

    monkeypatch.setattr(module, "save_checkpoint", crash)
    assert run(tmp_path / "broken", prompts, str(tiny_checkpoint), **sft) == 1
    assert "RuntimeError: killed" in capfd.readouterr().err
    monkeypatch.setattr(module, "save_checkpoint", save)
    newest = tmp_path / "broken" / "checkpoints" / "step-000006" / "model.safetensors"
    newest.write_bytes(newest.read_bytes()[:-1] + b"x")  # damaged: the one before it is gone on from
    assert run(tmp_path / "broken", prompts, str(tiny_checkpoint), **sft) == 0
    assert [path.name for path in (tmp_path / "broken" / "checkpoints").iterdir()] == ["step-000008"]
    steps = [json.loads(line)["step"] for line in (tmp_path / "broken" / "progress.jsonl").read_text().splitlines()]
    assert steps == [1, 2, 3, 4, 5, 6, 7, 8, 5, 6, 7, 8]
    weights = [(tmp_path / name / "checkpoints" / "step-000008" / "model.safetensors").read_bytes() for name in ("straight", "broken")]
    assert weights[0] == weights[1]
    tokens = [json.loads((tmp_path / name / "result.json").read_text())["tokens"] for name in ("straight", "broken")]
    assert tokens[0] == tokens[1]  # of the whole stage, not of what came after the crash
    losses = [json.loads(line)["loss"] for line in (tmp_path / "broken" / "metrics.jsonl").read_text().splitlines()]
    assert len(losses) == 8
    assert losses[-1] < losses[0]


@pytest.mark.xdist_group("engines")
@pytest.mark.slow
def test_ray_stops_on_sigterm_with_the_numbers_of_one_process(tmp_path: Path, prompts: Path, tiny_checkpoint: Path) -> None:
    config = RlConfig.model_validate(RL | {"steps": 500, "resources": {"ray": True, "threads": 1}})
    output = tmp_path / "ray"
    output.mkdir()
    job = TrainJob(kind="rl", rl=config, model=str(tiny_checkpoint), prompts=[prompts], output=output, seed=5)
    (output / "job.json").write_text(job.model_dump_json())
    process = subprocess.Popen([sys.executable, "-m", "rl_core.train", str(output / "job.json")], start_new_session=True)
    deadline = time.time() + 120
    while not list(output.glob("rollouts/step-000004*")) and time.time() < deadline:
        time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 75
    assert not (output / "result.json").exists()
    stopped_at = max(int(path.name[-6:]) for path in (output / "checkpoints").glob("step-*"))
    assert stopped_at >= 4
    assert len((output / "metrics.jsonl").read_text().splitlines()) == stopped_at
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)

    assert run(tmp_path / "local", prompts, str(tiny_checkpoint), steps=stopped_at) == 0
    (output / "result.json").write_text((tmp_path / "local" / "result.json").read_text())
    assert content(output) == content(tmp_path / "local")


def test_bad_input_is_one_line(tmp_path: Path, prompts: Path, tiny_checkpoint: Path, capsys) -> None:
    assert run(tmp_path / "a", tmp_path / "nowhere.parquet", str(tiny_checkpoint)) == 2
    assert "nowhere.parquet: no such prompt file" in capsys.readouterr().err
    assert run(tmp_path / "b", prompts, str(tmp_path / "no-model")) == 2
    assert "no such model directory" in capsys.readouterr().err
    assert run(tmp_path / "c", prompts, str(tiny_checkpoint), reward="logic_lr") == 2
    assert "did you mean 'logic_rl'?" in capsys.readouterr().err


def test_with_float32_the_engine_is_exact_too(tmp_path: Path, prompts: Path, tiny_checkpoint: Path) -> None:
    changes = {"precision": "float32", "temperature": 1.1, "steps": 1, "checkpoint_every": 1}
    assert run(tmp_path, prompts, str(tiny_checkpoint), **changes) == 0
    [step] = content(tmp_path)[1]
    assert isinstance(step["rollout_logprob_difference"], float)
    assert 0 < step["rollout_logprob_difference"] < 1e-5  # in bfloat16 1e-4 to 1e-3
