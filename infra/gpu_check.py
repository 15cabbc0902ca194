"""Is this machine's GPU used well? Trains a random model of 0.5 B parameters with torch and transformers alone.

    python infra/gpu_check.py [--engine transformers|vllm] [--layers 24] [--prompts 16] [--tokens 256] [--steps 3]

Prints, per step, tokens per second of sampling and training, the share of the device's peak arithmetic, seconds until the engine has the
new weights, and memory. Needs neither Ray and DeepSpeed nor a download, and vLLM only if it is asked for: then the engine sleeps while the
policy trains, and reads its weights on the device. With `--layers 1 --prompts 1 --tokens 16` it also runs on a CPU.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from rl_core.config import RlConfig, ScratchModel, TrainJob
from rl_core.data.knights_knaves import generate
from rl_core.data.prompts import write_prompts
from rl_core.model.pretrained import device
from rl_core.model.scratch import make_model, train_tokenizer
from rl_core.trainer import train_rl
from rl_core.training.checkpoint import save_model

TOKENS = 151_936  # rows of Qwen2.5-0.5B's embedding, whose shape the model has
GROUP = 8
COLUMNS = {
    "sampled tokens/s": "rollout_tokens_per_second",
    "trained tokens/s": "train_tokens_per_second",
    "utilisation": "flop_utilisation",
    "seconds of a sync": "seconds/sync",
    "grad norm": "grad_norm",
    "engine - trainer": "rollout_logprob_difference",
}


def make(directory: Path, layers: int) -> None:
    """Write the model and a tokenizer of as many tokens: of most of them nothing is known but that they are there."""
    config = ScratchModel(
        hidden_size=896, intermediate_size=4864, layers=layers, heads=14, key_value_heads=2, vocabulary=1024, context=4096
    )
    tokenizer = train_tokenizer([prompt.question for prompt in generate(3, 200, "train", 0)], config.vocabulary, config.context)
    tokenizer.add_tokens([f"<{number}>" for number in range(TOKENS - len(tokenizer))])
    save_model(directory, make_model(config, len(tokenizer), tokenizer.eos_token_id, tokenizer.pad_token_id, seed=0), tokenizer)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=["transformers", "vllm"], default="transformers")
    parser.add_argument("--layers", type=int, default=24)
    parser.add_argument("--prompts", type=int, default=16, help="per step, each with 8 responses")
    parser.add_argument("--tokens", type=int, default=256, help="of a response, at most")
    parser.add_argument("--steps", type=int, default=3)
    options = parser.parse_args()
    print(f"device: {device()}", flush=True)
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        make(root / "model", options.layers)
        write_prompts(root / "train.parquet", generate(3, options.prompts * options.steps, "train", 0))
        config = RlConfig.model_validate(
            {
                "template": "plain",
                "reward": "logic_rl",
                "engine": options.engine,
                "algorithm": {"entropy_coefficient": 0.001},  # has a gradient though all answers are worth the same
                "prompts_per_step": options.prompts,
                "group_size": GROUP,
                "steps": options.steps,
                "learning_rate": 1e-6,
                "max_response_tokens": options.tokens,
                "checkpoint_every": options.steps,
                "resources": {"ray": False, "gradient_checkpointing": True},
            }
        )
        train_rl(TrainJob(kind="rl", rl=config, model=str(root / "model"), prompts=[root / "train.parquet"], output=root), config)
        steps = [json.loads(line) for line in (root / "metrics.jsonl").read_text().splitlines()]
    memory = sorted(name for name in steps[0] if "memory/" in name)
    print(" | ".join(["step", *COLUMNS, *memory]))
    for step in steps:
        values = [f"{step[name]:.4g}" for name in COLUMNS.values()] + [f"{step[name] / 1e9:.1f} GB" for name in memory]
        print(" | ".join([str(step["step"]), *values]))


if __name__ == "__main__":
    main()
