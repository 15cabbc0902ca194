import pytest
import torch

from rl_core.model.pretrained import load_model
from rl_core.training import log_probs
from rl_core.training.log_probs import response_scores
from rl_core.training.sequences import WIDTH_STEP, TokenSequence, micro_batches

SEQUENCES = [TokenSequence([5, 6, 7], [8, 9]), TokenSequence([5], [300, 301, 302, 303, 304, 305]), TokenSequence([10, 11], [12, 13, 14])]
LONG = [TokenSequence([5, 6, 7], [8 + row + token % 90 for token in range(175)]) for row in range(4)]  # 700 tokens


@pytest.fixture(scope="module")
def model(tiny_checkpoint):
    return load_model(str(tiny_checkpoint), dtype=torch.float32).eval()


def by_sequence(model, tokens_per_batch: int, temperature: float) -> list[list[float]]:
    result: list[list[float]] = [[] for _ in SEQUENCES]
    for batch in micro_batches(SEQUENCES, tokens_per_batch):
        scores = response_scores(model, batch, temperature).log_probs_N.tolist()
        for index in batch.indices:
            count = len(SEQUENCES[index].response)
            result[index], scores = scores[:count], scores[count:]
    return result


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_equal_to_the_plain_model_whatever_the_batch(model, temperature: float) -> None:
    expected = []
    for sequence in SEQUENCES:
        tokens = torch.tensor([sequence.prompt + sequence.response])
        with torch.no_grad():
            log_probs = torch.log_softmax(model(tokens).logits[0, :-1] / temperature, -1)
        chosen = log_probs.gather(1, tokens[0, 1:, None])[:, 0]
        expected.append(chosen[len(sequence.prompt) - 1 :].tolist())
    for tokens_per_batch in (WIDTH_STEP, 2 * WIDTH_STEP, 1000):
        for got, want in zip(by_sequence(model, tokens_per_batch, temperature), expected, strict=True):
            assert got == pytest.approx(want, abs=1e-5)


def test_micro_batches_hold_every_row_once_within_the_budget() -> None:
    batches = list(micro_batches(SEQUENCES, 2 * WIDTH_STEP))
    assert sorted(index for batch in batches for index in batch.indices) == [0, 1, 2]
    assert [tuple(batch.tokens_BT.shape) for batch in batches] == [(2, WIDTH_STEP), (1, WIDTH_STEP)]
    first = batches[0]
    assert first.indices[0] == 1  # the longest first
    assert first.tokens_BT[0].tolist() == [5, 300, 301, 302, 303, 304, 305] + [0] * (WIDTH_STEP - 7)
    assert first.response_mask_BT[0].tolist() == [True] * 6 + [False] * (WIDTH_STEP - 7)
    assert batches[-1].response_mask_BT[-1].tolist().count(True) == len(SEQUENCES[batches[-1].indices[-1]].response)


def scored(model, **entropy: bool) -> tuple[torch.Tensor, ...]:
    """Scores of the response tokens, and the gradient of a sum in which each token weighs something else, its largest entry 1."""
    (batch,) = micro_batches(LONG, 10_000)
    model.zero_grad()
    scores = response_scores(model, batch, 0.7, **entropy)
    weights_N = torch.arange(len(scores.log_probs_N)).cos()
    total = (weights_N * scores.log_probs_N).sum() + (weights_N.flip(0) * scores.entropy_N).sum() * bool(entropy)
    total.backward()
    return *scores, gradient(model)


def gradient(model) -> torch.Tensor:
    found = torch.cat([parameter.grad.flatten() for parameter in model.parameters()])
    return found / found.abs().max()


@pytest.mark.parametrize("entropy", [{}, {"entropy_gradient": True}])
def test_logits_made_in_parts_give_the_same_scores_and_gradients_as_softmax_of_all(tiny_checkpoint, monkeypatch, entropy) -> None:
    model = load_model(str(tiny_checkpoint), dtype=torch.float32).train()
    whole = scored(model, **entropy)
    rows: list[int] = []
    model.lm_head.register_forward_hook(lambda _, inputs, output: rows.append(output.shape[1]))
    monkeypatch.setattr(log_probs, "HEAD_BYTES", 4 * 512 * 300)  # bytes of float32 x vocabulary x rows
    for part, expected in zip(scored(model, **entropy), whole, strict=True):
        torch.testing.assert_close(part, expected, atol=1e-6, rtol=1e-5)
    # One row for the pass that is used for its hidden states, then parts of 256: 700 tokens in 3, made again for the gradient.
    assert rows == [1] + [256] * 3 + [256] * 3

    (batch,) = micro_batches(LONG, 10_000)
    model.zero_grad()
    logits_NV = model(batch.tokens_BT).logits[:, :-1][batch.response_mask_BT] / 0.7
    all_log_probs_NV = torch.log_softmax(logits_NV, -1)
    targets_N = batch.tokens_BT[:, 1:][batch.response_mask_BT]
    entropy_N = -(all_log_probs_NV.exp() * all_log_probs_NV).sum(-1)
    log_probs_N = all_log_probs_NV.gather(1, targets_N[:, None])[:, 0]
    weights_N = torch.arange(700).cos()
    ((weights_N * log_probs_N).sum() + (weights_N.flip(0) * entropy_N).sum() * bool(entropy)).backward()
    plain = (log_probs_N, entropy_N, all_log_probs_NV.argmax(-1) == targets_N, gradient(model))
    for found, expected in zip(whole, plain, strict=True):
        torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize(("vocabulary", "rows"), [(151_936, 1024), (49_152, 3328), (262_144, 512), (10**9, 256)])
def test_parts_have_a_size_in_bytes_not_in_tokens(vocabulary: int, rows: int) -> None:
    assert log_probs.rows_at_once(vocabulary) == rows
    assert vocabulary > 10**8 or 4 * vocabulary * rows <= log_probs.HEAD_BYTES
