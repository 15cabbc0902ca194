"""Does this machine's GPU compute what it should, and is it used well?

    python infra/gpu_check.py [--engine NAME] [--layers 24] [--prompts 16] [--tokens 256] [--steps 3]

First, with tiny models: engine and trainer against the model's own forward pass, for architectures that do more than multiply with their
output head; how much of an update by adapters reaches the engine; and whether float32 stays float32. Each line ends in `right` or `WRONG`,
and the exit status is 1 if one is wrong.

Then a random model of 0.5 B parameters is trained. Printed, per step: tokens per second of sampling and training, the share of the device's
peak arithmetic, seconds until the engine has the new weights, and memory. With `--steps 0` this part is left out.

Needs neither Ray and DeepSpeed nor a download, and vLLM only if it is asked for: then the engine sleeps while the policy trains, and reads
its weights on the device. With `--layers 1 --prompts 1 --tokens 16` it also runs on a CPU.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from transformers import CONFIG_MAPPING, AutoModelForCausalLM, PreTrainedModel

from rl_core.config.jobs import TrainJob
from rl_core.config.model import ScratchModel
from rl_core.config.rl import RlConfig
from rl_core.data.knights_knaves import generate
from rl_core.data.prompts import write_prompts
from rl_core.model.pretrained import device
from rl_core.model.scratch import make_model, train_tokenizer
from rl_core.rollout.engine import Completion, Request, Sampling, generate_all
from rl_core.rollout.engines import DEFAULT, ENGINES
from rl_core.rollout.transformers_engine import TransformersEngine
from rl_core.trainer import train_rl
from rl_core.training.checkpoint import save_model
from rl_core.training.log_probs import response_scores
from rl_core.training.lora import in_format
from rl_core.training.policy import Experience, Policy, StepSettings
from rl_core.training.sequences import TokenSequence, micro_batches
from rl_core.workers.interface import Models
from rl_core.workers.local import LocalWorkers

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

TINY = ScratchModel(hidden_size=64, intermediate_size=128, layers=2, heads=2, key_value_heads=1, vocabulary=512, context=512)
# What some models do after the output head, or in the attention, and others do not: caps low enough, scales far enough from 1, windows
# short enough to show.
ARCHITECTURES: dict[str, dict[str, Any]] = {
    "qwen2": {},
    "llama": {},
    "mistral": {"sliding_window": 8},
    "gemma2": {"final_logit_softcapping": 5.0, "attn_logit_softcapping": 2.0, "sliding_window": 8, "query_pre_attn_scalar": 32},
    "gemma3_text": {"final_logit_softcapping": 5.0, "sliding_window": 8, "query_pre_attn_scalar": 32},
    "granite": {"logits_scaling": 8.0, "embedding_multiplier": 4.0, "residual_multiplier": 0.5, "attention_multiplier": 0.1},
    "cohere": {"logit_scale": 0.25},
    "cohere2": {"logit_scale": 0.25, "sliding_window": 8},
    "phi": {},  # a bias on the head
    "gpt_oss": {  # attention sinks
        "sliding_window": 8,
        "num_local_experts": 4,
        "num_experts_per_tok": 2,
        "rope_parameters": {"rope_type": "default", "rope_theta": 1e4},
    },
}
EXACT, ROUNDED = 1e-4, 0.05  # largest and mean difference of log-probs that count as right, in float32 and in bfloat16
REQUESTS = [Request(list(range(5, 9 + 5 * number)), 2, number) for number in range(3)]
SAMPLING = Sampling(1.0, 24)
STEPS = 10  # of training with a usual rate, over which updates are followed


def make_tiny(directory: Path, kind: str) -> None:
    """Write a tiny model of an architecture, its weights large enough that its log-probs are far from equal."""
    prompts = generate(3, 100, "train", 0)
    tokenizer = train_tokenizer([prompt.question for prompt in prompts], TINY.vocabulary, TINY.context)
    settings = {
        "vocab_size": len(tokenizer),
        "hidden_size": TINY.hidden_size,
        "intermediate_size": TINY.intermediate_size,
        "num_hidden_layers": 4,
        "num_attention_heads": TINY.heads,
        "num_key_value_heads": TINY.key_value_heads,
        "head_dim": TINY.hidden_size // TINY.heads,
        "max_position_embeddings": TINY.context,
        "bos_token_id": None,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(CONFIG_MAPPING[kind](**settings | ARCHITECTURES[kind]), dtype=torch.float32)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim > 1:
                parameter.mul_(3)
            elif name.endswith("bias"):
                parameter.normal_()
    save_model(directory, model, tokenizer)


def rl_config(**changes: Any) -> RlConfig:
    common = {"steps": 1, "max_response_tokens": SAMPLING.max_tokens, "resources": {"ray": False}}
    return RlConfig.model_validate(common | changes)


def sampled(engine: TransformersEngine) -> tuple[list[TokenSequence], list[Completion]]:
    """Responses of an engine, and the sequences that a trainer makes of them."""
    groups = generate_all(engine, REQUESTS, SAMPLING)
    pairs = [(request, completion) for request, completions in zip(REQUESTS, groups, strict=True) for completion in completions]
    return [TokenSequence(request.prompt_token_ids, c.token_ids) for request, c in pairs], [c for _, c in pairs]


def own_log_probs(model: PreTrainedModel, sequences: Sequence[TokenSequence]) -> torch.Tensor:
    """Of the response tokens, by the model's plain forward pass on each sequence alone."""
    found = []
    for sequence in sequences:
        tokens_1T = torch.tensor([sequence.prompt + sequence.response], device=model.device)
        with torch.no_grad():
            log_probs_TV = model(tokens_1T, use_cache=False).logits[0, :-1].float().log_softmax(-1)
        found.append(log_probs_TV.gather(1, tokens_1T[0, 1:, None])[len(sequence.prompt) - 1 :, 0].cpu())
    return torch.cat(found)


def disagreement(checkpoint: Path, precision: str) -> tuple[torch.Tensor, torch.Tensor]:
    """|log-prob - that of the model's own forward pass with its own attention, float32|, token by token: of the engine, of the trainer."""
    own = AutoModelForCausalLM.from_pretrained(checkpoint, attn_implementation="eager", dtype=torch.float32).eval().to(device())
    config = rl_config(precision=precision)
    policy = Policy(str(checkpoint), config)
    engine = TransformersEngine(str(checkpoint), dtype=policy.dtype)
    sequences, completions = sampled(engine)
    expected = own_log_probs(own, sequences)
    of_engine = torch.tensor([value for completion in completions for value in completion.logprobs])
    of_trainer = torch.tensor([value for row in policy.log_probs(sequences, 1.0) for value in row])
    return (of_engine - expected).abs(), (of_trainer - expected).abs()


def arriving_share(checkpoint: Path, steps: int, **changes: Any) -> tuple[float, float]:
    """What of a policy's update its engine has after some steps of training in bfloat16.

    Regression of the change of the engine's log-probs on that of the trainer's, with the weights of each run in float32: in bfloat16 both
    would show the rounding of their own sums, too. Also returns the mean change.
    """
    config = rl_config(precision="bfloat16", max_grad_norm=0.1, **changes)
    workers = LocalWorkers(Models(str(checkpoint), None, None, 0, checkpoint), config)
    workers.sync()
    sequences, completions = sampled(workers.engine)

    def log_probs(model: PreTrainedModel) -> torch.Tensor:
        exact = in_format(deepcopy(model), torch.float32)
        [batch] = micro_batches(sequences, 1 << 20)
        with torch.no_grad():
            return response_scores(exact, batch, 1.0).log_probs_N.cpu()

    models = workers.engine.model, workers.policy.backend.model
    before = [log_probs(model) for model in models]
    for step in range(1, steps + 1):
        experiences = [
            Experience(sequence, completion.logprobs, float((row + step) % 2), row // 2)
            for row, (sequence, completion) in enumerate(zip(sequences, completions, strict=True))
        ]
        workers.train(experiences, StepSettings(5e-6 * min(1, step / 25), 1.0, 0.0, 0.0))
    workers.sync()
    engine_N, trainer_N = (log_probs(model) - old for model, old in zip(models, before, strict=True))
    return float((engine_N * trainer_N).sum() / trainer_N.square().sum()), float(trainer_N.abs().mean())


def check_numbers(root: Path) -> bool:
    """Print the table of the checks with tiny models; whether all are right."""
    rights = []

    def line(what: str, value: str, right: bool) -> None:
        rights.append(right)
        print(f"{what:58} {value:26} {'right' if right else 'WRONG'}", flush=True)

    print(f"{'log-probs against the forward pass of transformers':58} engine, trainer")
    for kind in ARCHITECTURES:
        make_tiny(root / kind, kind)
        exact = [float(difference.max()) for difference in disagreement(root / kind, "float32")]
        line(f"{kind}, float32, largest difference", ", ".join(f"{value:.1e}" for value in exact), max(exact) < EXACT)
        rounded = [float(difference.mean()) for difference in disagreement(root / kind, "bfloat16")]
        line(f"{kind}, bfloat16, mean difference", ", ".join(f"{value:.1e}" for value in rounded), max(rounded) < ROUNDED)
    for steps in (1, STEPS):
        share, change = arriving_share(root / "qwen2", steps, lora={"rank": 64})
        line(f"adapters, bfloat16, share of the update after {steps} step(s)", f"{share:.4f} of {change:.1e}", 0.98 <= share <= 1.02)
    share, change = arriving_share(root / "qwen2", STEPS)
    line(f"all weights, bfloat16, the same after {STEPS} steps", f"{share:.4f} of {change:.1e}", True)  # of interest, not a fault
    workers = LocalWorkers(Models(str(root / "qwen2"), None, None, 0, root), rl_config(precision="float32"))
    workers.sync()
    formats = {parameter.dtype for model in (workers.engine.model, workers.policy.backend.model) for parameter in model.parameters()}
    line("precision: float32, formats of all weights", ", ".join(sorted(map(str, formats))), formats == {torch.float32})
    return all(rights)


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
    parser.add_argument("--engine", choices=ENGINES, default=DEFAULT)
    parser.add_argument("--layers", type=int, default=24)
    parser.add_argument("--prompts", type=int, default=16, help="per step, each with 8 responses")
    parser.add_argument("--tokens", type=int, default=256, help="of a response, at most")
    parser.add_argument("--steps", type=int, default=3, help="of the large model; 0: only the checks with tiny ones")
    options = parser.parse_args()
    print(f"device: {device()}", flush=True)
    with tempfile.TemporaryDirectory() as directory:
        right = check_numbers(Path(directory))
    if options.steps:
        print()
        measure(options)
    sys.exit(0 if right else 1)


def measure(options: argparse.Namespace) -> None:
    """Train the large model and print what each step took."""
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
