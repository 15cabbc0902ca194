"""GRPO on GSM8K with TRL: a script as one writes it without r1flow, which the recipe `trl_gsm8k` runs.

It reads problems from a Parquet file with the columns `question` and `gold`. Below --output it leaves what TRL writes (`checkpoint-N`,
`completions/`, `trainer_state.json`), and the trained model in `final`. Started again on the same output, it goes on from the last
checkpoint.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import torch
from datasets import Dataset
from transformers.trainer_utils import get_last_checkpoint
from trl import GRPOConfig, GRPOTrainer  # type: ignore[attr-defined]

SYSTEM = "Please reason step by step, and put your final answer within \\boxed{}."


def accuracy_reward(completions: list[list[dict[str, str]]], gold: list[str], **columns: object) -> list[float | None]:
    """1 where the number in the last box is the right one."""
    rewards: list[float | None] = []
    for completion, right in zip(completions, gold, strict=True):
        boxes = re.findall(r"\\boxed\{([^{}]*)\}", completion[0]["content"])
        answer = boxes[-1].replace(",", "").replace("$", "").strip() if boxes else ""
        rewards.append(float(re.fullmatch(r"-?\d+(\.\d+)?", answer) is not None and float(answer) == float(right.replace(",", ""))))
    return rewards


def main() -> None:
    """Train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--prompts", type=int, default=32, help="prompts of a step")
    parser.add_argument("--generations", type=int, default=8, help="responses to each")
    parser.add_argument("--max-tokens", type=int, default=512)
    parser.add_argument("--learning-rate", type=float, default=1e-6)
    parser.add_argument("--save-every", type=int, default=50)
    given = parser.parse_args()
    problems = Dataset.from_parquet(str(given.data)).select_columns(["question", "gold"])
    problems = problems.map(
        lambda row: {"prompt": [{"role": "system", "content": SYSTEM}, {"role": "user", "content": row["question"]}]},
        remove_columns="question",
    )
    gpu = torch.cuda.is_available()
    settings = GRPOConfig(
        output_dir=str(given.output),
        seed=given.seed,
        max_steps=given.steps,
        per_device_train_batch_size=given.generations,
        gradient_accumulation_steps=given.prompts,
        num_generations=given.generations,
        max_completion_length=given.max_tokens,
        learning_rate=given.learning_rate,
        save_steps=given.save_every,
        save_total_limit=2,
        logging_steps=1,
        log_completions=True,  # completions/completions_00001.parquet
        num_completions_to_print=1,
        report_to=[],
        disable_tqdm=True,
        use_cpu=not gpu,
        bf16=gpu,
    )
    trainer = GRPOTrainer(given.model, accuracy_reward, args=settings, train_dataset=problems)
    trainer.train(resume_from_checkpoint=get_last_checkpoint(str(given.output)))
    trainer.save_state()
    trainer.save_model(str(given.output / "final"))


if __name__ == "__main__":
    main()
