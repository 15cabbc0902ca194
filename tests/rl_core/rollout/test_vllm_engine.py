"""vLLM's CPU build: its log-probs are those of the training model, before and after weights change."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from rl_core.errors import InputError
from rl_core.model.pretrained import load_model
from rl_core.rollout.engine import Request, Sampling, generate_all
from rl_core.rollout.transformers_engine import TransformersEngine
from rl_core.rollout.vllm_engine import VllmEngine
from rl_core.training.log_probs import response_scores
from rl_core.training.sequences import TokenSequence, micro_batches

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("engines"), pytest.mark.usefixtures("vllm")]

REQUESTS = [Request([5, 6, 7 + n, *range(30, 40 + n)], 3, seed=n) for n in range(6)]


@pytest.fixture(scope="module")
def engine(vllm: None, tiny_checkpoint: Path) -> Iterator[VllmEngine]:
    ended = subprocess.Popen(["true"])
    ended.wait()
    orphan = Path(f"/dev/shm/r1flow-engine-{ended.pid}-left")
    orphan.mkdir(parents=True)
    before = dict(os.environ)
    started = VllmEngine(str(tiny_checkpoint))
    assert not orphan.exists()
    assert any(path.is_socket() for path in started.directory.iterdir())
    assert dict(os.environ) == before
    yield started
    started.close()
    assert not started.directory.exists()


def weights_of(model: Any) -> dict[str, torch.Tensor]:
    return {name: t.to(torch.bfloat16) for name, t in model.state_dict().items() if name not in model.all_tied_weights_keys}


def difference(engine: VllmEngine, model: Any, temperature: float) -> float:
    """Mean |log-prob of the engine - log-prob of the model| over the tokens that the engine draws."""
    groups = generate_all(engine, REQUESTS, Sampling(temperature, 24))
    flat = [(request, completion) for request, completions in zip(REQUESTS, groups, strict=True) for completion in completions]
    [batch] = micro_batches([TokenSequence(request.prompt_token_ids, completion.token_ids) for request, completion in flat], 100_000)
    with torch.no_grad():
        mine_N = response_scores(model, batch, temperature or 1.0).log_probs_N
    theirs_N = torch.tensor([value for index in batch.indices for value in flat[index][1].logprobs])
    return float((mine_N - theirs_N).abs().mean())


def test_it_starts_with_weights_that_are_not_the_checkpoints(engine: VllmEngine, tiny_checkpoint: Path) -> None:
    # Must come first. What a sync that does nothing would look like.
    assert difference(engine, load_model(str(tiny_checkpoint), dtype=torch.float32), 1.0) > 0.1


@pytest.mark.parametrize("temperature", [1.0, 0.7, 0.0])
def test_log_probs_follow_the_weights_through_the_prefix_cache(engine: VllmEngine, tiny_checkpoint: Path, temperature: float) -> None:
    model = load_model(str(tiny_checkpoint), dtype=torch.float32)
    engine.update_weights(weights_of(model))
    assert difference(engine, model, temperature) < 0.01  # bfloat16 against float32
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
    stale = difference(engine, model, temperature)
    engine.sleep()
    engine.wake()
    engine.update_weights(weights_of(model))  # the embedding is tied: the output head changes with it
    fresh = difference(engine, model, temperature)
    assert fresh < 0.03
    assert stale > 3 * fresh


def test_greedy_is_that_of_the_other_engine_and_seeds_repeat(engine: VllmEngine, tiny_checkpoint: Path) -> None:
    engine.update_weights(weights_of(load_model(str(tiny_checkpoint), dtype=torch.float32)))
    other = TransformersEngine(str(tiny_checkpoint))
    ours, theirs = (generate_all(e, REQUESTS, Sampling(0.0, 16)) for e in (engine, other))
    first_tokens = [(a[0].token_ids[0], b[0].token_ids[0]) for a, b in zip(ours, theirs, strict=True)]
    assert sum(a == b for a, b in first_tokens) >= 5  # of 6: a tie in bfloat16 may fall either way
    drawn, again = (generate_all(engine, REQUESTS, Sampling(1.0, 16)) for _ in range(2))
    assert drawn == again
    assert len({tuple(completion.token_ids) for completion in drawn[0]}) == 3


def test_responses_end_at_end_tokens_and_only_known_tokens_are_drawn(engine: VllmEngine, tiny_checkpoint: Path) -> None:
    model = load_model(str(tiny_checkpoint), dtype=torch.float32)
    end = engine.tokenizer.eos_token_id
    with torch.no_grad():  # an output head that likes the end token
        model.model.embed_tokens.weight[end] += 0.02 * model.model.norm.weight
    engine.update_weights(weights_of(model))
    completions = generate_all(engine, [Request([5, 6, 7], 40, 3)], Sampling(1.0, 30))[0]
    stopped = [c for c in completions if c.finish_reason == "stop"]
    assert all(c.token_ids[-1] == end and end not in c.token_ids[:-1] for c in stopped)
    assert all(len(c.token_ids) == 30 and end not in c.token_ids for c in completions if c.finish_reason == "length")
    assert max(token for c in completions for token in c.token_ids) < len(engine.tokenizer)


def test_more_prompt_tokens_than_one_pass_takes(engine: VllmEngine) -> None:
    # A prompt cut in two by a full pass made vLLM's CPU worker fail on requests with a seed.
    requests = [Request([5 + n, *range(20, 170)], 1, seed=n) for n in range(64)]
    groups = generate_all(engine, requests, Sampling(1.0, 4))
    assert [len(completion.token_ids) for [completion] in groups if completion.finish_reason == "length"].count(4) >= 32


def test_a_consumer_that_leaves_early_leaves_nothing_behind(engine: VllmEngine) -> None:
    stream = engine.generate(REQUESTS, Sampling(1.0, 200))
    next(stream)
    stream.close()
    assert not engine.engine.has_unfinished_requests()


def test_what_does_not_fit_the_context_is_said(engine: VllmEngine) -> None:
    with pytest.raises(InputError, match=r"a prompt of 500 tokens and a response of 100 exceed the model's context of 512"):
        next(engine.generate([Request([1] * 500, 1, 0)], Sampling(0.0, 100)))


@pytest.mark.follows("wide; use engine: transformers")
def test_heads_that_a_cpu_does_not_take_are_said(tiny_checkpoint: Path, tmp_path: Path) -> None:
    narrow = tmp_path / "narrow"
    shutil.copytree(tiny_checkpoint, narrow)
    config = json.loads((narrow / "config.json").read_text())
    (narrow / "config.json").write_text(json.dumps(config | {"num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16}))
    with pytest.raises(InputError, match=r"vllm takes heads of \[32, .*\] on a CPU, this model's are 16 wide; use engine: transformers"):
        VllmEngine(str(narrow))
    assert generate_all(TransformersEngine(str(narrow)), REQUESTS[:1], Sampling(0.0, 4))
