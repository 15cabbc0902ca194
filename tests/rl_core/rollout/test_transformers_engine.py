import math

import pytest
import torch

from rl_core.model.pretrained import load_model
from rl_core.rollout.engine import Request, Sampling, generate_all
from rl_core.rollout.responses import response_text
from rl_core.rollout.transformers_engine import TransformersEngine
from rl_core.training.log_probs import response_scores
from rl_core.training.sequences import TokenSequence, micro_batches

PROMPTS = [[5, 6, 7, 8], [9, 10], [300, 301, 302, 303, 304, 305, 306]]


@pytest.fixture(scope="module")
def engine(tiny_checkpoint) -> TransformersEngine:
    engine = TransformersEngine(str(tiny_checkpoint))
    engine.model.float()  # so that comparisons are not blurred by bfloat16
    return engine


def test_greedy_equals_transformers_generate(engine, tiny_checkpoint) -> None:
    model = load_model(str(tiny_checkpoint), dtype=torch.float32).eval()
    for prompt, [completion] in zip(PROMPTS, generate_all(engine, [Request(p, 1, 0) for p in PROMPTS], Sampling(0, 24)), strict=True):
        expected = model.generate(torch.tensor([prompt]), max_new_tokens=24, do_sample=False)[0, len(prompt) :].tolist()
        assert completion.token_ids == expected


def test_log_probs_are_those_of_the_training_side(engine) -> None:
    sampling = Sampling(0.7, 24)
    for prompt, completions in zip(PROMPTS, generate_all(engine, [Request(p, 3, 1) for p in PROMPTS], sampling), strict=True):
        for completion in completions:
            [batch] = micro_batches([TokenSequence(prompt, completion.token_ids)], 1000)
            expected = response_scores(engine.model, batch, 0.7).log_probs_N.tolist()
            assert completion.logprobs == pytest.approx(expected, abs=1e-4)


def test_samples_do_not_depend_on_the_batch(engine) -> None:
    requests = [Request(prompt, 3, seed) for seed, prompt in enumerate(PROMPTS)]
    together = generate_all(engine, requests, Sampling(1.0, 24))
    alone = [generate_all(engine, [request], Sampling(1.0, 24))[0] for request in requests]
    assert [[c.token_ids for c in group] for group in together] == [[c.token_ids for c in group] for group in alone]
    assert together[0][0].token_ids != together[0][1].token_ids


def test_rows_that_finish_leave_the_batch_unharmed(engine) -> None:
    """Make the first sampled tokens end tokens, so that rows end at many different lengths."""
    ends = engine.end_tokens
    try:
        engine.end_tokens = set(range(100, 200))
        completions = generate_all(engine, [Request(PROMPTS[0], 40, 3)], Sampling(1.0, 30))[0]
    finally:
        engine.end_tokens = ends
    assert {c.finish_reason for c in completions} == {"stop", "length"} or {len(c.token_ids) for c in completions} > {1}
    for completion in completions:
        stopped = completion.token_ids[-1] in range(100, 200)
        assert stopped == (completion.finish_reason == "stop")
        assert not any(token in range(100, 200) for token in completion.token_ids[:-1])
        [batch] = micro_batches([TokenSequence(PROMPTS[0], completion.token_ids)], 1000)
        assert completion.logprobs == pytest.approx(response_scores(engine.model, batch, 1.0).log_probs_N.tolist(), abs=1e-4)


def test_sampling_follows_the_distribution(engine) -> None:
    with torch.no_grad():
        probabilities = torch.softmax(engine.model(torch.tensor([PROMPTS[0]])).logits[0, -1] / 0.5, -1)
    draws = [c.token_ids[0] for c in generate_all(engine, [Request(PROMPTS[0], 4000, 0)], Sampling(0.5, 1))[0]]
    top = int(probabilities.argmax())
    share, expected = draws.count(top) / 4000, float(probabilities[top])
    assert share == pytest.approx(expected, abs=4 * (expected * (1 - expected) / 4000) ** 0.5)


@pytest.mark.follows("lower max_tokens or drop the prompt")
def test_new_weights_and_prompts_that_do_not_fit(engine, tiny_checkpoint) -> None:
    other = TransformersEngine(str(tiny_checkpoint))
    weights = {name: tensor.clone() for name, tensor in other.model.state_dict().items() if name != "lm_head.weight"}
    weights["model.norm.weight"].zero_()
    other.update_weights(weights)
    assert generate_all(other, [Request(PROMPTS[0], 1, 0)], Sampling(0, 3))[0][0].token_ids == [0, 0, 0]
    with pytest.raises(ValueError, match="another architecture"):
        other.update_weights({"model.norm.bias": torch.zeros(1)})
    with pytest.raises(ValueError, match="exceed the model's context of 512"):
        generate_all(other, [Request([1] * 500, 1, 0)], Sampling(0, 100))
    assert generate_all(other, [Request([1] * 500, 1, 0)], Sampling(0, 12))


def test_top_p_draws_from_the_most_probable_tokens(engine) -> None:
    request = Request(PROMPTS[0], 64, 3)
    narrow = generate_all(engine, [request], Sampling(1.0, 1, top_p=0.02))[0]
    wide = generate_all(engine, [request], Sampling(1.0, 1))[0]
    probabilities = {c.token_ids[0]: math.exp(c.logprobs[0]) for c in narrow}
    assert 0.9 < sum(probabilities.values()) <= 1.0001  # of the few that are left nearly all were drawn
    assert len(probabilities) < len({c.token_ids[0] for c in wide}) / 2
    greedy = generate_all(engine, [Request(PROMPTS[0], 1, 3)], Sampling(0.0, 1))[0][0]
    assert greedy.token_ids[0] in probabilities
    only = generate_all(engine, [request], Sampling(1.0, 1, top_p=1e-6))[0]
    assert {c.token_ids[0] for c in only} == {greedy.token_ids[0]}
    assert only[0].logprobs[0] == 0.0


def test_later_samples_are_those_of_a_larger_draw(engine) -> None:
    whole = generate_all(engine, [Request(PROMPTS[1], 5, 3)], Sampling(1.0, 12))[0]
    rest = generate_all(engine, [Request(PROMPTS[1], 3, 3, first=2)], Sampling(1.0, 12))[0]
    assert [c.token_ids for c in rest] == [c.token_ids for c in whole[2:]]


def test_a_stop_text_ends_a_response(engine) -> None:
    free = generate_all(engine, [Request(PROMPTS[0], 1, 3)], Sampling(1.0, 24))[0][0]
    text = engine.tokenizer.decode(free.token_ids[8:11])
    [stopped] = generate_all(engine, [Request(PROMPTS[0], 1, 3)], Sampling(1.0, 24, stop=("never written", text)))[0]
    assert stopped.finish_reason == "stop"
    assert stopped.by_text
    assert stopped.token_ids == free.token_ids[: len(stopped.token_ids)]
    assert len(stopped.token_ids) <= 11
    assert text in response_text(stopped, "", engine.tokenizer)
