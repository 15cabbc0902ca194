import pytest
import torch

from rl_core.model.pretrained import load_model
from rl_core.training.log_probs import response_scores
from rl_core.training.sequences import WIDTH_STEP, TokenSequence, micro_batches

SEQUENCES = [TokenSequence([5, 6, 7], [8, 9]), TokenSequence([5], [300, 301, 302, 303, 304, 305]), TokenSequence([10, 11], [12, 13, 14])]


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
