"""Supervised fine-tuning on worked responses."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from rl_core.algorithms.schedules import value_at
from rl_core.config.jobs import TrainJob
from rl_core.config.model import ScratchModel
from rl_core.config.sft import SftConfig
from rl_core.data.prompts import DataError, Prompt, read_prompts
from rl_core.data.sampler import EpochSampler, growing_pool
from rl_core.data.templates import find_template, render
from rl_core.fence import Fence
from rl_core.model.context import context_length
from rl_core.model.pretrained import load_model, load_tokenizer
from rl_core.model.scratch import make_model, train_tokenizer
from rl_core.training.backends.torch_backend import TorchBackend
from rl_core.training.checkpoint import OPTIMIZER, drop_others, latest_whole, save_checkpoint, save_model
from rl_core.training.journal import Journal, Stopped, StopRequest
from rl_core.training.log_probs import response_scores
from rl_core.training.sequences import PaddedBatch, TokenSequence, micro_batches


def train_sft(job: TrainJob, config: SftConfig) -> None:
    """Run or continue an SFT stage in `job.output`.

    Raises:
        DataError: no prompt has a worked response, or none fits `max_tokens` and the model's context.
        Stopped: after a signal; the checkpoint is written.
    """
    stop = StopRequest()
    fence = Fence(job.lease)
    journal = Journal(job.output, config.steps, fence)
    prompts = _worked(job.prompts)
    resumed = latest_whole(job.output / "checkpoints", before=journal.first_damaged())
    tokenizer, model = _start(job, config, prompts, resumed[0] if resumed else None)
    examples = _encode(prompts, config, tokenizer, context_length(model.config))
    backend = _backend(config, model)
    sampler = EpochSampler(len(examples), job.seed)
    first, tokens = 0, 0
    if resumed:
        backend.load_optimizer_state(load_file(resumed[0] / OPTIMIZER))
        first, sampler.drawn = resumed[1]["step"], resumed[1]["drawn"]
        tokens = resumed[1].get("tokens", 0)  # older versions did not keep it
    journal.rewind(first)
    drop_others(job.output / "checkpoints", first)
    started = time.time()

    def write(directory: Path) -> None:
        save_model(directory, model, tokenizer)
        save_file(backend.optimizer_state(), directory / OPTIMIZER)

    for step in range(first + 1, config.steps + 1):
        began = time.time()
        batch = [examples[index] for index in _rows(config, len(examples), step, job.seed, sampler)]
        learning_rate = value_at(config.learning_rate, step - 1, config.steps)
        metrics = _update(backend, batch, learning_rate)
        seen = sum(len(example) for example in batch)
        tokens += seen
        journal.log(step, metrics | {"learning_rate": learning_rate, "tokens_per_second": seen / (time.time() - began)})
        if step % config.checkpoint_every == 0 or step == config.steps or stop.requested:
            state = {"step": step, "drawn": sampler.drawn, "tokens": tokens}
            keep_last = 1 if step == config.steps else 2  # on the way one more: the newest may turn out to be damaged
            path = save_checkpoint(job.output / "checkpoints", step, write, state, keep_last=keep_last, fence=fence)
        if stop.requested and step < config.steps:
            raise Stopped
    if first == config.steps:
        path = resumed[0] if resumed else path
    relative = str(path.relative_to(job.output))
    journal.finish(
        {
            "checkpoint": relative,
            "checkpoints": [relative],
            "steps": config.steps,
            "examples": len(examples),
            "dropped_examples": len(prompts) - len(examples),
            "tokens": tokens,
            "seconds": time.time() - started,
        }
    )


def _worked(files: list[Path]) -> list[Prompt]:
    prompts = [prompt for path in files for prompt in read_prompts(path) if prompt.trace]
    if not prompts:
        raise DataError(f"{files[0]}: no row has a worked response (column trace), which SFT learns from")
    return prompts


def _rows(config: SftConfig, count: int, step: int, seed: int, sampler: EpochSampler) -> list[int]:
    """Which of so many examples a step takes."""
    if config.shortest_first < 1:
        return growing_pool(count, config.shortest_first, step, config.steps, config.batch_size, seed)
    return sampler.take(config.batch_size)


def _backend(config: SftConfig, model: Any) -> TorchBackend:
    return TorchBackend(
        model,
        weight_decay=config.weight_decay,
        adam_betas=config.adam_betas,
        adam_epsilon=config.adam_epsilon,
        max_grad_norm=config.max_grad_norm,
        tokens_per_batch=config.resources.tokens_per_batch,
        optimizer=config.optimizer,
    )


def _update(backend: TorchBackend, examples: Sequence[TokenSequence], learning_rate: float) -> dict[str, float]:
    """One optimizer step on worked responses; loss and accuracy are means over their tokens."""
    targets = sum(len(example.response) for example in examples)
    sums = {"loss": 0.0, "accuracy": 0.0}

    def loss(batch: PaddedBatch) -> torch.Tensor:
        scores = backend.run(response_scores, batch, 1.0)
        total = -scores.log_probs_N.sum()
        sums["loss"] += float(total.detach())
        sums["accuracy"] += float(scores.greedy_N.sum())
        return total / targets

    norm = backend.update(list(micro_batches(examples, backend.tokens_per_batch)), loss, learning_rate=learning_rate)
    return {name: total / targets for name, total in sums.items()} | {"grad_norm": norm}


def _start(job: TrainJob, config: SftConfig, prompts: list[Prompt], resumed: Path | None) -> tuple[Any, Any]:
    if resumed or isinstance(job.model, str):
        name = str(resumed or job.model)
        return load_tokenizer(name), load_model(name, dtype=torch.float32)
    scratch: ScratchModel = job.model
    texts = [text for prompt in prompts for text in (prompt.question, prompt.trace or "")]
    texts.append(find_template(config.template).system or "")
    tokenizer = train_tokenizer(texts, scratch.vocabulary, scratch.context)
    return tokenizer, make_model(scratch, len(tokenizer), tokenizer.eos_token_id, tokenizer.pad_token_id, job.seed)


def _encode(prompts: list[Prompt], config: SftConfig, tokenizer: Any, context: int | None) -> list[TokenSequence]:
    template = find_template(config.template)
    heads = tokenizer([render(template, prompt, tokenizer) for prompt in prompts], add_special_tokens=False).input_ids
    tails = tokenizer([(prompt.trace or "").removeprefix(template.prefill) for prompt in prompts], add_special_tokens=False).input_ids
    pairs = [TokenSequence(head, [*tail, tokenizer.eos_token_id]) for head, tail in zip(heads, tails, strict=True)]
    limit, why, remedy = config.max_tokens, f"max_tokens ({config.max_tokens:,})", "raise max_tokens"
    if context is not None and context < limit:
        limit, why, remedy = context, f"the model's context ({context:,} tokens)", "take a model with a longer context, or other examples"
    fitting = [pair for pair in pairs if len(pair) <= limit]
    if not fitting:
        raise DataError(f"every example is longer than {why}; the shortest has {min(len(pair) for pair in pairs):,} tokens: {remedy}")
    if len(fitting) < len(pairs):
        left_out = f"{len(pairs) - len(fitting):,} of {len(pairs):,} examples are longer than {why} and are left out"
        print(f"warning: {left_out}; the longest has {max(len(pair) for pair in pairs):,} tokens", file=sys.stderr, flush=True)
    return sorted(fitting, key=len) if config.shortest_first < 1 else fitting
