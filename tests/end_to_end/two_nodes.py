"""A training stage on a Ray cluster of two nodes, one of which is lost in the middle: `python tests/end_to_end/two_nodes.py`.

Both nodes are on this machine, with one CPU each, so that the two training workers are on different nodes. The second node is killed
between two checkpoints and comes back after a while, as a cluster's operator would bring it. Fails unless the stage ends by itself with
every step done once; prints what the loss cost.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from ray.cluster_utils import Cluster

from rl_core.config.jobs import TrainJob
from rl_core.config.model import ScratchModel
from rl_core.config.resources import RlResources
from rl_core.config.rl import RlConfig
from rl_core.data.knights_knaves import generate
from rl_core.data.prompts import write_prompts
from rl_core.model.scratch import make_model, train_tokenizer
from rl_core.training.checkpoint import save_model

STEPS, KILL_AT, EVERY = 40, 15, 10
AWAY = 10.0  # seconds until the lost node is replaced


def make_job(root: Path) -> TrainJob:
    """A job whose model is small enough that starting the workers is what takes time."""
    prompts = generate(2, 40, "train", 0)
    config = ScratchModel(hidden_size=64, intermediate_size=128, layers=2, heads=2, key_value_heads=1, vocabulary=512, context=512)
    tokenizer = train_tokenizer([prompt.question for prompt in prompts], 512, 512)
    model = make_model(config, len(tokenizer), tokenizer.eos_token_id, tokenizer.pad_token_id, seed=0)
    save_model(root / "model", model, tokenizer)
    write_prompts(root / "train.parquet", prompts)
    rl = RlConfig(
        template="plain",
        prompts_per_step=2,
        group_size=2,
        steps=STEPS,
        max_response_tokens=8,
        checkpoint_every=EVERY,
        resources=RlResources(training_workers=2, threads=1),
    )
    return TrainJob(kind="rl", rl=rl, model=str(root / "model"), prompts=[root / "train.parquet"], output=root / "stage")


def progress(output: Path) -> list[dict[str, Any]]:
    """Every step that the trainer has reported, in the order of time."""
    path = output / "progress.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def wait_for(output: Path, step: int, trainer: subprocess.Popen[bytes]) -> None:
    """Return when a step is reported by the trainer."""
    while not any(row["step"] >= step for row in progress(output)):
        if trainer.poll() is not None:
            sys.exit(f"the trainer ended with code {trainer.returncode} before step {step}")
        time.sleep(0.1)


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        job = make_job(root)
        job.output.mkdir()
        (root / "job.json").write_text(job.model_dump_json())
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
        second = cluster.add_node(num_cpus=1)
        environment = os.environ | {"RAY_ADDRESS": cluster.address, "PYTHONUNBUFFERED": "1"}
        trainer = subprocess.Popen([sys.executable, "-m", "rl_core.train", str(root / "job.json")], env=environment)
        try:
            wait_for(job.output, KILL_AT, trainer)
            cluster.remove_node(second, allow_graceful=False)
            lost, before = time.time(), progress(job.output)
            time.sleep(AWAY)
            cluster.add_node(num_cpus=1)
            code = trainer.wait(300)
        finally:
            trainer.kill()
            cluster.shutdown()
        steps = [json.loads(line)["step"] for line in (job.output / "metrics.jsonl").read_text().splitlines()]
        if code or steps != list(range(1, STEPS + 1)):
            sys.exit(f"not recovered: code {code}, steps {steps}")
        again = next(row for row in progress(job.output)[len(before) :] if row["time"] > lost + AWAY and row["step"] % EVERY)
        print(f"the node was lost after step {before[-1]['step']} and came back {AWAY:.0f} s later")
        print(f"step {again['step']}, the first after the checkpoint, was done {again['time'] - lost:.1f} s after the loss")


if __name__ == "__main__":
    main()
