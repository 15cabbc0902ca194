"""How fast one GPU trains models of Qwen2.5's shapes: `python tests/benchmarks/gpu_training.py`.

Random weights, a whole policy update as in an RL stage (forward, loss, backward, AdamW) on responses of equal length. For each shape,
length and size of a pass: tokens per second, the share of the device's peak, and the peak of memory. The first step is left out; a
setting that does not fit is named and passed over. `--profile` adds the ten kernels that take the most time. `--tiny` tries the script
on a CPU; its numbers mean nothing.
"""

import argparse
import gc
import json
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import torch

VOCABULARY = 151_936
# hidden, intermediate, layers, heads, key-value heads: config.json of Qwen2.5-0.5B, 1.5B and 3B
SHAPES = {"0.5B": (896, 4864, 24, 14, 2), "1.5B": (1536, 8960, 28, 12, 2), "3B": (2048, 11008, 36, 16, 2)}
TINY = (64, 128, 2, 2, 2)
PROMPT = 128  # tokens of each prompt


def write_model(directory: Path, shape: tuple[int, int, int, int, int], vocabulary: int) -> None:
    """A random model with a small tokenizer: rows of the embedding that no token stands for cost the same."""
    from transformers import Qwen2Config, Qwen2ForCausalLM

    from rl_core.data.knights_knaves import generate
    from rl_core.model.pretrained import device
    from rl_core.model.scratch import train_tokenizer

    hidden, intermediate, layers, heads, key_value_heads = shape
    tokenizer = train_tokenizer([prompt.question for prompt in generate(3, 50, "train", 0)], 512, 32768)
    config = Qwen2Config(
        vocab_size=vocabulary,
        hidden_size=hidden,
        intermediate_size=intermediate,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=key_value_heads,
        max_position_embeddings=32768,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.device(device()):
        torch.manual_seed(0)
        model = Qwen2ForCausalLM(config)
    model.to(torch.bfloat16).save_pretrained(directory)  # type: ignore[arg-type]
    tokenizer.save_pretrained(directory)


def make_policy(directory: Path, tokens_per_pass: int, checkpointing: bool, loss_terms: dict[str, Any]) -> Any:
    """The policy of an RL stage, the KL term and entropy off unless `loss_terms` asks for them."""
    from rl_core.config.rl import RlConfig
    from rl_core.training.policy import Policy

    config = RlConfig.model_validate(
        {
            "steps": 1,
            "group_size": 8,
            "prompts_per_step": 1,
            "max_response_tokens": 32768,
            "algorithm": loss_terms,
            "resources": {"ray": False, "tokens_per_batch": tokens_per_pass, "gradient_checkpointing": checkpointing},
        }
    )
    return Policy(str(directory), config)


def experiences(length: int, tokens: int, vocabulary: int) -> list[Any]:
    """Responses of `length` tokens with the prompt, `tokens` in all, in groups of eight with rewards 0 and 1."""
    from rl_core.training.policy import Experience
    from rl_core.training.sequences import TokenSequence

    draw = random.Random(0)
    count = max(8, tokens // length)
    response = length - PROMPT
    return [
        Experience(
            TokenSequence([draw.randrange(vocabulary) for _ in range(PROMPT)], [draw.randrange(vocabulary) for _ in range(response)]),
            [-12.0] * response,
            float(row % 2),
            row // 8,
        )
        for row in range(count)
    ]


def measure(policy: Any, rows: list[Any], steps: int) -> dict[str, float]:
    """Medians over `steps` updates after one that is left out."""
    from rl_core.training.policy import StepSettings

    settings = StepSettings(1e-6, 1.0, 0.0, 0.0)
    cuda = torch.cuda.is_available()
    if cuda:
        torch.cuda.reset_peak_memory_stats()
    seconds = []
    for _ in range(steps + 1):
        began = time.perf_counter()
        trained = policy.train(rows, settings)
        if cuda:
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - began)
    spent = median(seconds[1:])
    return {
        "seconds": spent,
        "first": seconds[0],
        "tokens/s": sum(len(row.sequence) for row in rows) / spent,
        "utilisation": trained.flops / spent / trained.peak_flops,
        "peak GB": torch.cuda.max_memory_allocated() / 1e9 if cuda else 0.0,
        "grad norm": trained.metrics["grad_norm"],
    }


def print_profile(run: Callable[[], object]) -> None:
    """The ten operations that take the most time of the device themselves."""
    from torch.profiler import ProfilerActivity, profile

    activities = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if torch.cuda.is_available() else [])
    with profile(activities=activities) as found:
        run()
    key = "self_cuda_time_total" if torch.cuda.is_available() else "self_cpu_time_total"
    print(found.key_averages().table(sort_by=key, row_limit=10, max_name_column_width=70), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", nargs="*", default=list(SHAPES), choices=list(SHAPES))
    parser.add_argument("--lengths", nargs="*", type=int, default=[2048, 8192], help="tokens of prompt and response")
    parser.add_argument("--passes", nargs="*", type=int, default=[16384, 32768], help="tokens of one forward and backward pass")
    parser.add_argument("--checkpointing", nargs="*", choices=["on", "off"], default=["on"], help="of activations")
    parser.add_argument("--tokens", type=int, default=65536, help="of one update")
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--profile", action="store_true", help="of the first setting of each shape")
    parser.add_argument("--output", type=Path, help="write the rows as JSON lines, too")
    parser.add_argument("--tiny", action="store_true")
    options = parser.parse_args()
    vocabulary = 1024 if options.tiny else VOCABULARY
    print(f"device: {torch.cuda.get_device_name() if torch.cuda.is_available() else 'cpu'}, torch {torch.__version__}", flush=True)
    columns = ("seconds", "first", "tokens/s", "utilisation", "peak GB", "grad norm")
    print(" | ".join(["shape", "length", "tokens a pass", "checkpointing", *columns]), flush=True)
    for name in options.shapes:
        with tempfile.TemporaryDirectory() as directory:
            write_model(Path(directory), TINY if options.tiny else SHAPES[name], vocabulary)
            profiled = not options.profile
            for tokens_per_pass, checkpointing in [(size, mode) for size in options.passes for mode in options.checkpointing]:
                policy = make_policy(Path(directory), tokens_per_pass, checkpointing == "on", {})
                for length in options.lengths:
                    row: dict[str, Any] = {"shape": name, "length": length, "pass": tokens_per_pass, "checkpointing": checkpointing}
                    rows = experiences(length, options.tokens, vocabulary)
                    try:
                        row |= measure(policy, rows, options.steps)
                        print(" | ".join([*map(str, row.values())][:4] + [f"{row[column]:.4g}" for column in columns]), flush=True)
                        if not profiled:
                            from rl_core.training.policy import StepSettings

                            chosen = policy, rows[:8]
                            print_profile(lambda chosen=chosen: chosen[0].train(chosen[1], StepSettings(1e-6, 1.0, 0.0, 0.0)))
                            profiled = True
                    except torch.OutOfMemoryError as error:
                        row["error"] = str(error).splitlines()[0]
                        print(" | ".join([*map(str, row.values())]), flush=True)
                    if options.output:
                        with options.output.open("a") as file:
                            file.write(json.dumps(row) + "\n")
                    if torch.cuda.is_available():
                        torch.cuda.empty_cache()
                del policy
                gc.collect()
                if torch.cuda.is_available():
                    torch.cuda.empty_cache()


if __name__ == "__main__":
    main()
