"""Two workers against one, each with one thread, on Ray: `python tests/benchmarks/workers.py`.

Sampling with two engines, training with two processes of torch and of DeepSpeed (ZeRO 2), on the random 3.4 M model. Runs take turns;
the first step of each is left out.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from small_model import make_small_model

PHASES = ("rollout", "train")
VARIANTS: dict[str, dict[str, Any]] = {
    "one engine, torch x 1": {},
    "two engines, torch x 2": {"training_workers": 2, "rollout_workers": 2},
    "one engine, DeepSpeed x 1": {"backend": "deepspeed"},
    "two engines, DeepSpeed x 2": {"backend": "deepspeed", "training_workers": 2, "rollout_workers": 2},
}


def seconds(root: Path, model: Path, steps: int, backend: str = "torch", **resources: int) -> dict[str, list[float]]:
    """Seconds of each step by phase."""
    from rl_core.config.jobs import TrainJob
    from rl_core.config.rl import RlConfig
    from rl_core.data.knights_knaves import generate
    from rl_core.data.prompts import write_prompts

    write_prompts(root / "train.parquet", generate(3, 16 * steps, "train", 0))
    config = RlConfig.model_validate(
        {
            "template": "plain",
            "reward": "logic_rl",
            "penalties": {"repetition": {"ngram": 1}},  # what the answers of a random model differ in: equal ones train nothing
            "prompts_per_step": 16,
            "group_size": 8,
            "steps": steps,
            "learning_rate": 1e-5,
            "max_response_tokens": 128,
            "checkpoint_every": steps,
            "backend": backend,
            "resources": {"threads": 1, **resources},
        }
    )
    output = root / "output"
    output.mkdir()
    job = TrainJob(kind="rl", rl=config, model=str(model), prompts=[root / "train.parquet"], output=output)
    (root / "job.json").write_text(job.model_dump_json())
    subprocess.run([sys.executable, "-m", "rl_core.train", str(root / "job.json")], check=True)
    metrics = [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()][1:]
    return {phase: [step[f"seconds/{phase}"] for step in metrics] for phase in PHASES}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    found: dict[str, dict[str, list[float]]] = {name: {phase: [] for phase in PHASES} for name in VARIANTS}
    with tempfile.TemporaryDirectory() as model:
        make_small_model(Path(model))
        for _ in range(options.rounds):
            for name, settings in VARIANTS.items():
                with tempfile.TemporaryDirectory() as root:
                    for phase, spent in seconds(Path(root), Path(model), options.steps, **settings).items():
                        found[name][phase] += spent
    medians = {name: {phase: median(spent) for phase, spent in by_phase.items()} for name, by_phase in found.items()}
    for name, by_phase in medians.items():
        print(f"{name:<28}" + "  ".join(f"{phase} {value:6.2f} s" for phase, value in by_phase.items()))
    names = list(VARIANTS)
    for one, two in (names[:2], names[2:]):
        ratios = "  ".join(f"{phase} {medians[one][phase] / medians[two][phase]:.2f}x" for phase in PHASES)
        print(f"{two} against {one}: {ratios}")


if __name__ == "__main__":
    main()
