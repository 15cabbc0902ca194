"""A policy's weights on vLLM's own ways, with all of vLLM's protocol and real engines; only the bytes do not go over a GPU."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from rl_core.config.rl import RlConfig
from rl_core.errors import InputError
from rl_core.model.pretrained import load_tokenizer
from rl_core.rollout.engine import Request, Sampling, generate_all
from rl_core.rollout.transformers_engine import TransformersEngine
from rl_core.rollout.vllm_weights import Form, for_vllm, transfer_of
from rl_core.training.journal import StopRequest
from rl_core.training.policy import Experience, StepSettings
from rl_core.training.sequences import TokenSequence
from rl_core.workers.interface import Models, WorkerLost
from rl_core.workers.local import LocalWorkers

pytestmark = pytest.mark.xdist_group("engines")

WEIGHTS = {"model.embed_tokens.weight": torch.arange(10.0).reshape(5, 2), "model.norm.weight": torch.ones(2)}
STEPS = {"steps": 1, "learning_rate": 1e-3, "max_response_tokens": 24, "engine": "vllm"}


def config(**resources: object) -> RlConfig:
    return RlConfig.model_validate(STEPS | {"resources": resources})


@pytest.mark.parametrize(
    ("resources", "gpus", "expected"),
    [
        ({"placement": "separate"}, True, "nccl"),
        ({"placement": "colocated"}, True, "ipc"),
        ({"placement": "separate", "ray": False}, True, "ipc"),  # one process and its engine
        ({"tensor_parallel": 2, "ray": False}, True, "shared_memory"),  # no process beside the second device
        ({"placement": "separate", "weight_transfer": "copy"}, True, "shared_memory"),
        ({"placement": "separate"}, False, "shared_memory"),
    ],
)
def test_the_way_follows_from_where_engines_are(resources: dict[str, Any], gpus: bool, expected: str) -> None:
    assert transfer_of(config(**resources), gpus=gpus) == expected


def test_the_other_engine_has_no_choice() -> None:
    assert transfer_of(RlConfig.model_validate({"steps": 1}), gpus=True) == "shared_memory"
    with pytest.raises(ValueError, match=r"`resources.weight_transfer` needs `engine: vllm`, not transformers"):
        RlConfig.model_validate({"steps": 1, "resources": {"weight_transfer": "copy"}})


def test_rows_without_a_token_go_and_a_tied_head_becomes_one_of_its_own() -> None:
    form = Form(4, own_head=True)
    found = dict(for_vllm(WEIGHTS.items(), form))
    assert list(found) == ["model.embed_tokens.weight", "model.norm.weight", "lm_head.weight"]
    assert found["model.embed_tokens.weight"].tolist() == found["lm_head.weight"].tolist() == [[0, 1], [2, 3], [4, 5], [6, 7]]
    assert found["model.embed_tokens.weight"].data_ptr() != found["lm_head.weight"].data_ptr()
    head = torch.full((5, 2), 3.0)
    untied = {"lm_head.weight": head, "lm_head.bias": torch.arange(5.0), **WEIGHTS}
    found = dict(for_vllm(untied.items(), form))
    assert found["lm_head.weight"].tolist() == [[3, 3]] * 4
    assert found["lm_head.bias"].tolist() == [0, 1, 2, 3]
    with pytest.raises(InputError, match=r"engine: vllm wants a model whose embedding is called embed_tokens.weight"):
        dict(for_vllm({"transformer.wte.weight": head}.items(), form))


def test_a_model_that_vllm_ties_gets_no_head() -> None:
    assert list(dict(for_vllm(WEIGHTS.items(), Form(4, own_head=False)))) == ["model.embed_tokens.weight", "model.norm.weight"]
    with pytest.raises(InputError, match=r"engine: vllm ties this model's lm_head.weight to its embed_tokens.weight"):
        dict(for_vllm({"lm_head.weight": torch.ones(5, 2), **WEIGHTS}.items(), Form(4, own_head=False)))


@pytest.mark.follows("; use engine: transformers for this one", "the checkpoint does not; use engine: transformers")
def test_the_other_engine_takes_what_vllm_does_not(tiny_checkpoint: Path, tmp_path: Path) -> None:
    """GPT-2 calls its embedding otherwise, and this one has a head of its own."""
    tokenizer = load_tokenizer(str(tiny_checkpoint))
    shape = {"n_embd": 32, "n_layer": 1, "n_head": 2, "n_positions": 64, "tie_word_embeddings": False}
    model = GPT2LMHeadModel(GPT2Config(vocab_size=len(tokenizer), eos_token_id=tokenizer.eos_token_id, bos_token_id=None, **shape))
    weights = dict(model.state_dict())
    with pytest.raises(InputError, match=r"use engine: transformers for this one"):
        dict(for_vllm(weights.items(), Form(len(tokenizer), own_head=True)))
    weights["transformer.embed_tokens.weight"] = weights.pop("transformer.wte.weight")
    with pytest.raises(InputError, match=r"ties this model's lm_head.weight to its embed_tokens.weight, the checkpoint does not"):
        dict(for_vllm(weights.items(), Form(len(tokenizer), own_head=False)))
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    [[completion]] = generate_all(TransformersEngine(str(tmp_path)), [Request([5, 6], 1, 0)], Sampling(0.0, 4))
    assert completion.token_ids


def test_adapters_stay_behind_and_the_weights_under_them_have_their_plain_names() -> None:
    adapted = WEIGHTS | {
        "model.layers.0.mlp.up_proj.base_layer.weight": torch.ones(2, 2),
        "model.layers.0.mlp.up_proj.lora_A.default.weight": torch.ones(1, 2),
        "model.layers.0.mlp.up_proj.lora_B.default.weight": torch.ones(2, 1),
    }
    assert list(dict(for_vllm(adapted.items(), Form(4, own_head=False)))) == [*WEIGHTS, "model.layers.0.mlp.up_proj.weight"]


def largest_difference(workers: Any) -> float:
    """Mean |log-prob of an engine - of the policy| of the request on which they differ most; engines share the requests."""
    requests = [Request([5, 6, 7 + n], 2, seed=n) for n in range(4)]
    answers = dict(workers.generate(requests, Sampling(1.0, 16)))
    differences = []
    for index, completions in answers.items():
        mine = workers.log_probs([TokenSequence(requests[index].prompt_token_ids, c.token_ids) for c in completions], 1.0)
        pairs = [(a, b) for c, row in zip(completions, mine, strict=True) for a, b in zip(c.logprobs, row, strict=True)]
        differences.append(sum(abs(a - b) for a, b in pairs) / len(pairs))
    return max(differences)


def check_that_engines_follow(workers: Any) -> None:
    """Weights arrive, and arrive again after they have changed."""
    workers.sync()
    assert largest_difference(workers) < 0.02
    experiences = [Experience(TokenSequence([5, 6, 7], [20 + n] * 2), [-5.0, -5.0], float(n), 0) for n in range(2)]
    for _ in range(3):
        workers.train(experiences, StepSettings(0.02, 1.0, 0.0, 0.0))
    stale = largest_difference(workers)
    workers.sync()
    assert stale > 0.1 > 0.05 > largest_difference(workers)


@pytest.fixture
def models(vllm: None, tiny_checkpoint: Path, tmp_path: Path) -> Models:
    return Models(str(tiny_checkpoint), None, None, 0, tmp_path)


@pytest.mark.slow
def test_devices_of_several_engines_are_numbered_through(models: Models) -> None:
    from rl_core.rollout.weight_sender import Engines

    calls: list[Any] = []
    engines = Engines(lambda step, arguments: calls.append((step, arguments)), 3, 2)
    engines.init_weight_transfer_engine({"rank_offset": 1, "world_size": 7})
    engines.init_weight_transfer_engine({"packed": True})  # by IPC nobody has a number
    assert [info["init_info"]["rank_offset"] for info in calls[0][1]] == [1, 3, 5]
    assert {info["init_info"]["world_size"] for info in calls[0][1]} == {7}
    assert calls[1] == ("init_weight_transfer_engine", [{"init_info": {"packed": True}}] * 3)


@pytest.mark.slow
@pytest.mark.parametrize("transfer", ["shared_memory", "ipc"])
def test_adapters_arrive_in_an_engine_that_keeps_them_apart(models: Models, monkeypatch: pytest.MonkeyPatch, transfer: str) -> None:
    from rl_core.workers import local
    from tests.rl_core.rollout import without_cuda

    without_cuda.install(monkeypatch.setattr)
    monkeypatch.setattr(local, "transfer_of", lambda *_, **__: transfer)
    changes = {"lora": {"rank": 4, "alpha": 64}, "precision": "bfloat16", "resources": {"ray": False}}
    local = LocalWorkers(models, RlConfig.model_validate(STEPS | changes))
    try:
        check_that_engines_follow(local)
        assert local.engine.engine.list_loras() == {local.engine.adapters.lora_int_id}  # the ones before are gone
    finally:
        local.engine.close()


@pytest.mark.slow
def test_an_engine_reads_the_weights_of_its_own_process(models: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    from rl_core.workers import local
    from tests.rl_core.rollout import without_cuda

    without_cuda.install(monkeypatch.setattr)
    monkeypatch.setattr(local, "transfer_of", lambda *_, **__: "ipc")
    local = LocalWorkers(models, config(ray=False))
    try:
        check_that_engines_follow(local)
    finally:
        local.engine.close()


@pytest.fixture
def ray_workers(models: Models, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Starts workers on Ray that hand weights over as on GPUs."""
    from rl_core.workers import on_ray
    from tests.rl_core.rollout import without_cuda

    started: list[on_ray.RayWorkers] = []

    def start(transfer: str, **resources: object) -> on_ray.RayWorkers:
        monkeypatch.setattr(on_ray, "transfer_of", lambda *_, **__: transfer)
        monkeypatch.setattr(on_ray, "make_engine", without_cuda.make_engine_without_cuda)
        monkeypatch.setattr(on_ray, "make_policy", without_cuda.make_policy_without_cuda)
        started.append(on_ray.RayWorkers(models, config(threads=1, **resources), StopRequest()))
        return started[0]

    yield start
    started[0].close()


@pytest.mark.slow
def test_weights_are_broadcast_to_engines_of_their_own_devices(ray_workers: Callable[..., Any]) -> None:
    workers = ray_workers("nccl", placement="separate", rollout_workers=2)
    check_that_engines_follow(workers)
    workers.ray.kill(workers.engines[1])
    with pytest.raises(WorkerLost, match=r"engine 1 died, and with it the group over which weights are sent"):
        largest_difference(workers)
    with pytest.raises(WorkerLost, match="a worker died"):
        workers.sync()


@pytest.mark.slow
def test_each_device_of_an_engine_reads_from_the_process_beside_it_also_after_a_restart(ray_workers: Callable[..., Any]) -> None:
    workers = ray_workers("ipc", training_workers=2, tensor_parallel=2)
    workers.sync()
    workers.ray.kill(workers.engines[0])
    assert largest_difference(workers) < 0.02
    check_that_engines_follow(workers)


def scored(engine: Any, sequences: list[TokenSequence]) -> torch.Tensor:
    """Log-probs of the response tokens of given sequences, by vLLM."""
    from vllm import SamplingParams, TokensPrompt

    for number, sequence in enumerate(sequences):
        tokens = TokensPrompt(prompt_token_ids=sequence.prompt + sequence.response)
        parameters = SamplingParams(max_tokens=1, prompt_logprobs=0, detokenize=False)
        engine.engine.add_request(f"scored {number}", tokens, parameters, lora_request=engine.adapters)
    found: dict[str, list[float]] = {}
    while len(found) < len(sequences):
        for output in engine.engine.step():
            if output.finished:
                pairs = zip(output.prompt_logprobs[1:], output.prompt_token_ids[1:], strict=True)
                found[output.request_id] = [entry[token].logprob for entry, token in pairs]
    rows = (found[f"scored {number}"][len(sequence.prompt) - 1 :] for number, sequence in enumerate(sequences))
    return torch.tensor([value for row in rows for value in row])


@pytest.mark.slow
def test_what_training_changes_of_adapters_reaches_vllm_from_the_first_step(models: Models) -> None:
    from rl_core.rollout.vllm_engine import VllmEngine
    from rl_core.training.log_probs import response_scores
    from rl_core.training.lora import in_format
    from rl_core.training.policy import Policy
    from rl_core.training.sequences import micro_batches

    lora = {"lora": {"rank": 16}, "precision": "bfloat16", "resources": {"ray": False}}
    policy = Policy(models.start, RlConfig.model_validate(STEPS | lora))
    # In float32, where sums are exact: in bfloat16 either side shows the rounding of its own activations, which is larger than a step.
    engine = VllmEngine(models.start, dtype=torch.float32, longest=64, lora=policy.config.lora)
    draw = random.Random(0)
    sequences = [TokenSequence([5, 6, 7 + n], [draw.randrange(20, 300) for _ in range(30)]) for n in range(8)]

    def by_trainer() -> torch.Tensor:
        [batch] = micro_batches(sequences, 1 << 20)
        with torch.no_grad():
            rows = response_scores(in_format(deepcopy(policy.backend.model), torch.float32), batch, 1.0).log_probs_N.split(30)
        return torch.cat([rows[batch.indices.index(index)] for index in range(len(sequences))])

    try:
        engine.update_weights(policy.weights())
        before = scored(engine, sequences), by_trainer()
        for step in (1, 2, 3):
            policy.train(
                [Experience(s, [-6.0] * 30, float(n % 2), n // 2) for n, s in enumerate(sequences)], StepSettings(1e-4, 1.0, 0.0, 0.0)
            )
            engine.update_weights(policy.weights())
            engine_N, trainer_N = scored(engine, sequences) - before[0], by_trainer() - before[1]
            slope = float((engine_N * trainer_N).sum() / trainer_N.square().sum())
            assert 0.98 <= slope <= 1.02, step
    finally:
        engine.close()
