"""A GRPO step of ours against one of TRL's GRPOTrainer, end to end on the CPU: `python tests/benchmarks/step_against_trl.py`.

Both take the same random 3.4 M model, Knights and Knaves prompts, group size, token limit, rewards of repetition and optimizer
settings; a step is sampling, reward, update. Each runs in a process of its own, in turns; the first step of each run is left out.
"""

import argparse
import json
import multiprocessing
import os
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from small_model import make_small_model

GROUP = 8


def ours(model: Path, prompts: int, tokens: int, steps: int, results: Any) -> None:
    from rl_core.config.jobs import TrainJob
    from rl_core.config.rl import RlConfig
    from rl_core.data.knights_knaves import generate
    from rl_core.data.prompts import write_prompts
    from rl_core.trainer import train_rl

    with tempfile.TemporaryDirectory() as directory:
        output = Path(directory)
        write_prompts(output / "train.parquet", generate(3, prompts * steps, "train", 0))
        config = RlConfig.model_validate(
            {
                "template": "plain",
                "reward": "logic_rl",
                "penalties": {"repetition": {"ngram": 1}},  # what the answers of a random model differ in
                "prompts_per_step": prompts,
                "group_size": GROUP,
                "steps": steps,
                "learning_rate": 1e-5,
                "max_response_tokens": tokens,
                "checkpoint_every": steps,
                "resources": {"ray": False},
            }
        )
        train_rl(TrainJob(kind="rl", rl=config, model=str(model), prompts=[output / "train.parquet"], output=output), config)
        results.put([json.loads(line)["tokens_per_second"] for line in (output / "metrics.jsonl").read_text().splitlines()])


def trl(model: Path, prompts: int, tokens: int, steps: int, results: Any) -> None:
    import torch
    from datasets import Dataset
    from transformers import TrainerCallback
    from trl import GRPOConfig, GRPOTrainer

    from rl_core.data.knights_knaves import generate
    from rl_core.model.precision import fast_dtype

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    rows = [{"prompt": [{"role": "user", "content": prompt.question}]} for prompt in generate(3, prompts * steps, "train", 0)]
    rates: list[float] = []
    written: list[int] = []

    def reward(completion_ids: list[list[int]], **_: Any) -> list[float]:
        written.append(sum(map(len, completion_ids)))
        return [len(set(ids)) / len(ids) - 1 for ids in completion_ids]

    class Clock(TrainerCallback):
        def on_step_begin(self, *args: Any, **kwargs: Any) -> None:
            self.began = time.perf_counter()

        def on_step_end(self, *args: Any, **kwargs: Any) -> None:
            rates.append(written[-1] / (time.perf_counter() - self.began))

    with tempfile.TemporaryDirectory() as directory:
        settings = GRPOConfig(
            output_dir=directory,
            use_cpu=True,
            bf16=fast_dtype() == torch.bfloat16,
            per_device_train_batch_size=prompts * GROUP,
            num_generations=GROUP,
            max_completion_length=tokens,
            max_steps=steps,
            learning_rate=1e-5,
            lr_scheduler_type="constant",
            beta=0.0,
            loss_type="dapo",
            temperature=1.0,
            gradient_checkpointing=False,
            report_to=[],
            save_strategy="no",
            logging_strategy="no",
            disable_tqdm=True,
        )
        trainer = GRPOTrainer(str(model), reward, args=settings, train_dataset=Dataset.from_list(rows), callbacks=[Clock()])
        trainer.train()
    results.put(rates)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prompts", type=int, default=16, help="per step, each with 8 responses")
    parser.add_argument("--tokens", type=int, default=200, help="of a response, at most")
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    spawn = multiprocessing.get_context("spawn")
    found: dict[str, list[float]] = {"TRL": [], "r1flow": []}
    with tempfile.TemporaryDirectory() as directory:
        make_small_model(Path(directory))
        for _ in range(options.rounds):
            for name, run in (("TRL", trl), ("r1flow", ours)):
                results = spawn.Queue()
                process = spawn.Process(target=run, args=(Path(directory), options.prompts, options.tokens, options.steps, results))
                process.start()
                rates = results.get(timeout=1800)[1:]
                process.join()
                found[name] += rates
                print(f"{name}: {', '.join(f'{rate:.0f}' for rate in rates)} response tokens/s", flush=True)
    for name, rates in found.items():
        print(f"{name}: median {median(rates):.0f} response tokens/s")
    print(f"ratio {median(found['r1flow']) / median(found['TRL']):.2f}")


if __name__ == "__main__":
    main()
