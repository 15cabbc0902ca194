"""What models say of given response tokens: log-probabilities of a language model, values of a critic."""

from typing import Any, NamedTuple

import torch
from torch.utils.checkpoint import checkpoint
from transformers import PreTrainedModel

from rl_core.config.resources import HEAD_BYTES
from rl_core.model.fused import fused
from rl_core.model.logits import hidden_at, logits_of
from rl_core.training.sequences import PaddedBatch

HEAD_STEP = 256  # rows of the output head are padded to multiples of it, for the same reason as `sequences.WIDTH_STEP`


class TokenScores(NamedTuple):
    """Per response token of a batch, in row-major order; N is the number of response tokens."""

    log_probs_N: torch.Tensor  # float32, differentiable
    entropy_N: torch.Tensor  # float32, nats; differentiable where asked for
    greedy_N: torch.Tensor  # bool: the token is the most likely one


def response_scores(model: PreTrainedModel, batch: PaddedBatch, temperature: float, *, entropy_gradient: bool = False) -> TokenScores:
    """Score the response tokens of a batch under softmax(logits / temperature).

    Logits of more than `HEAD_BYTES` are made part by part, and once more in the backward pass, instead of being kept.
    """
    device = model.device
    tokens_BT = batch.tokens_BT.to(device)
    mask_BT = batch.response_mask_BT.to(device)
    positions_N = mask_BT.flatten().nonzero()[:, 0]
    spare = -len(positions_N) % HEAD_STEP
    positions_M = torch.nn.functional.pad(positions_N, (0, spare))
    targets_M = tokens_BT[:, 1:].flatten()[positions_M]
    hidden_MH = hidden_at(model, positions_M, input_ids=tokens_BT[:, :-1], use_cache=False)

    def score(hidden_CH: torch.Tensor, targets_C: torch.Tensor) -> tuple[torch.Tensor, ...]:
        scored: tuple[torch.Tensor, ...] = _Scores.apply(logits_of(model, hidden_CH), targets_C, temperature, entropy_gradient)
        return scored

    rows = rows_at_once(model.config.get_text_config(decoder=True).vocab_size)
    parts = list(zip(hidden_MH.split(rows), targets_M.split(rows), strict=True))
    if len(parts) > 1 and torch.is_grad_enabled():
        scores = [checkpoint(score, *part, use_reentrant=False, preserve_rng_state=False) for part in parts]
    else:
        scores = [score(*part) for part in parts]
    return TokenScores(*(torch.cat(found)[: len(positions_N)] for found in zip(*scores, strict=True)))


def rows_at_once(vocabulary: int) -> int:
    """Positions whose logits are made together."""
    return max(1, HEAD_BYTES // 4 // vocabulary // HEAD_STEP) * HEAD_STEP


class _Scores(torch.autograd.Function):
    """`TokenScores` of logits (C, V), keeping nothing but the logits for the backward pass."""

    @staticmethod
    def forward(
        ctx: Any, logits_CV: torch.Tensor, targets_C: torch.Tensor, temperature: float, entropy_gradient: bool
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        log_probs_C, entropy_C, greedy_C, log_sum_C = fused(_score)(logits_CV, targets_C, temperature)
        ctx.save_for_backward(logits_CV, targets_C, log_sum_C, entropy_C)
        ctx.temperature = temperature
        ctx.set_materialize_grads(False)
        ctx.mark_non_differentiable(greedy_C, *(() if entropy_gradient else (entropy_C,)))
        return log_probs_C, entropy_C, greedy_C

    @staticmethod
    def backward(ctx: Any, log_probs_grad_C: torch.Tensor | None, entropy_grad_C: torch.Tensor | None, _: None) -> tuple[Any, ...]:
        logits_CV, targets_C, log_sum_C, entropy_C = ctx.saved_tensors
        gradients = (log_probs_grad_C, entropy_grad_C)
        return fused(_gradient)(logits_CV, targets_C, log_sum_C, entropy_C, ctx.temperature, *gradients), None, None, None


def _score(
    logits_CV: torch.Tensor, targets_C: torch.Tensor, temperature: float
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Log-probs of the targets, entropies, whether the targets are the most likely tokens, and the logarithms of the sums of exp."""
    scaled_CV = logits_CV.float() / temperature
    log_sum_C = torch.logsumexp(scaled_CV, -1)
    log_probs_C = scaled_CV.gather(-1, targets_C[:, None])[:, 0] - log_sum_C
    mean_C = (scaled_CV - log_sum_C[:, None]).exp_().mul_(scaled_CV).sum(-1)
    return log_probs_C, log_sum_C - mean_C, scaled_CV.argmax(-1) == targets_C, log_sum_C


def _gradient(
    logits_CV: torch.Tensor,
    targets_C: torch.Tensor,
    log_sum_C: torch.Tensor,
    entropy_C: torch.Tensor,
    temperature: float,
    log_probs_grad_C: torch.Tensor | None,
    entropy_grad_C: torch.Tensor | None,
) -> torch.Tensor:
    """Of the logits (C, V): d log p_t / d x_v = [v = t] - p_v; d entropy / d x_v = -p_v (log p_v + entropy)."""
    all_log_probs_CV = (logits_CV.float() / temperature).sub_(log_sum_C[:, None])
    probs_CV = all_log_probs_CV.exp()
    per_prob_CV = torch.zeros((), device=logits_CV.device)
    if entropy_grad_C is not None:
        per_prob_CV = per_prob_CV - entropy_grad_C[:, None] * (all_log_probs_CV + entropy_C[:, None])
    if log_probs_grad_C is not None:
        per_prob_CV = per_prob_CV - log_probs_grad_C[:, None]
    gradient_CV = probs_CV.mul_(per_prob_CV)
    if log_probs_grad_C is not None:
        gradient_CV.scatter_add_(-1, targets_C[:, None], log_probs_grad_C[:, None])
    return gradient_CV.div_(temperature).to(logits_CV.dtype)


def response_values(model: PreTrainedModel, batch: PaddedBatch) -> torch.Tensor:
    """Values (N,), float32, of the states before the response tokens, from a model with one output per position."""
    tokens_BT = batch.tokens_BT.to(model.device)
    mask_BT = batch.response_mask_BT.to(model.device)
    values_BT = model(input_ids=tokens_BT[:, :-1], use_cache=False).logits[..., 0]  # (B, T-1)
    return values_BT[mask_BT].float()
