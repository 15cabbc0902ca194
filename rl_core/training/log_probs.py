"""What models say of given response tokens: log-probabilities of a language model, values of a critic."""

from __future__ import annotations

from typing import NamedTuple

import torch
from transformers import PreTrainedModel

from rl_core.model.logits import logits_at
from rl_core.training.sequences import PaddedBatch

HEAD_STEP = 256  # rows of the output head are padded to multiples of it, for the same reason as `sequences.WIDTH_STEP`


class TokenScores(NamedTuple):
    """Per response token of a batch, in row-major order; N is the number of response tokens."""

    log_probs_N: torch.Tensor  # float32, differentiable
    entropy_N: torch.Tensor  # float32, nats; differentiable where asked for
    greedy_N: torch.Tensor  # bool: the token is the most likely one


def response_scores(model: PreTrainedModel, batch: PaddedBatch, temperature: float, *, entropy_gradient: bool = False) -> TokenScores:
    """Score the response tokens of a batch under softmax(logits / temperature)."""
    device = model.device
    tokens_BT = batch.tokens_BT.to(device)
    mask_BT = batch.response_mask_BT.to(device)
    positions_N = mask_BT.flatten().nonzero()[:, 0]
    spare = -len(positions_N) % HEAD_STEP
    positions_M = torch.nn.functional.pad(positions_N, (0, spare))
    logits_MV = logits_at(model, positions_M, input_ids=tokens_BT[:, :-1], use_cache=False)
    logits_NV = logits_MV[: len(positions_N)].float() / temperature
    all_log_probs_NV = torch.log_softmax(logits_NV, dim=-1)
    targets_N = tokens_BT[:, 1:].flatten()[positions_N]
    with torch.set_grad_enabled(entropy_gradient and torch.is_grad_enabled()):
        entropy_N = -(all_log_probs_NV.exp() * all_log_probs_NV).sum(-1)
    with torch.no_grad():
        greedy_N = all_log_probs_NV.argmax(-1) == targets_N
    return TokenScores(all_log_probs_NV.gather(-1, targets_N[:, None])[:, 0], entropy_N, greedy_N)


def response_values(model: PreTrainedModel, batch: PaddedBatch) -> torch.Tensor:
    """Values (N,), float32, of the states before the response tokens, from a model with one output per position."""
    tokens_BT = batch.tokens_BT.to(model.device)
    mask_BT = batch.response_mask_BT.to(model.device)
    values_BT = model(input_ids=tokens_BT[:, :-1], use_cache=False).logits[..., 0]  # (B, T-1)
    return values_BT[mask_BT].float()
