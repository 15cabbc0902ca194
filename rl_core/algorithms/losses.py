"""Policy, value and KL losses per token.

Sums of weighted tokens, not means: the weights (`token_weights`) carry the step's global counts, so the gradient does not depend on how
rows were cut into batches or shared between workers.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch

from rl_core.config.algorithm import Aggregation, KlEstimator, Mismatch, RatioLevel


def token_weights(lengths: Sequence[int], aggregation: Aggregation, constant: int) -> list[float]:
    """The weight of every token of each response, so that the weighted sum over all tokens is the aggregated loss.

    `token_mean`: DAPO (arXiv 2503.14476, eq. 8). `sequence_mean_token_mean`: GRPO (arXiv 2402.03300, eq. 3).
    `sequence_mean_constant_length`: Dr. GRPO (arXiv 2503.20783, listing 1), where `constant` is the longest response allowed.
    """
    responses, tokens = len(lengths), sum(lengths)
    return {
        "token_mean": [1 / tokens] * responses,
        "sequence_mean_token_mean": [1 / (responses * length) for length in lengths],
        "sequence_mean_token_sum": [1 / responses] * responses,
        "sequence_mean_constant_length": [1 / (responses * constant)] * responses,
    }[aggregation]


class PolicyLoss(NamedTuple):
    """Over the N tokens given."""

    loss: torch.Tensor  # scalar, differentiable: weighted sum
    clipped: torch.Tensor  # number of tokens where clipping removed the gradient
    importance_N: torch.Tensor  # factors for train/rollout mismatch, as applied


def clipped_policy_loss(
    log_probs_N: torch.Tensor,
    old_log_probs_N: torch.Tensor,
    rollout_log_probs_N: torch.Tensor,
    advantages_N: torch.Tensor,
    weights_N: torch.Tensor,
    lengths: Sequence[int],
    *,
    clip_low: float,
    clip_high: float,
    dual_clip: float | None,
    ratio: RatioLevel,
    mismatch: Mismatch,
    importance_cap: float,
) -> PolicyLoss:
    """PPO's clipped surrogate (arXiv 1707.06347, eq. 7), corrected for train/rollout mismatch.

    `lengths` says how many of the N tokens belong to each response, in order. With `ratio` "sequence" all tokens of a response share the
    geometric mean of their ratios (GSPO, arXiv 2507.18071, eq. 7). `dual_clip` bounds the loss of a bad token that became much likelier
    (arXiv 1912.09729, eq. 3); different bounds below and above are DAPO's clip-higher (arXiv 2503.14476, eq. 10).
    """
    change_N = log_probs_N - old_log_probs_N
    if ratio == "sequence":
        change_N = _per_sequence(change_N, lengths, mean=True)
    ratio_N = change_N.exp()
    bounded_N = ratio_N.clamp(1 - clip_low, 1 + clip_high)
    surrogate_N = torch.minimum(ratio_N * advantages_N, bounded_N * advantages_N)
    clipped_N = bounded_N * advantages_N < ratio_N * advantages_N
    if dual_clip is not None:
        floor_N = dual_clip * advantages_N
        limited_N = (advantages_N < 0) & (surrogate_N < floor_N)
        surrogate_N = torch.where(limited_N, floor_N, surrogate_N)
        clipped_N = clipped_N | limited_N
    importance_N = importance_factors(old_log_probs_N, rollout_log_probs_N, lengths, mismatch, importance_cap)
    return PolicyLoss(-(weights_N * importance_N * surrogate_N).sum(), clipped_N.sum(), importance_N)


def importance_factors(
    old_log_probs_N: torch.Tensor, rollout_log_probs_N: torch.Tensor, lengths: Sequence[int], mismatch: Mismatch, cap: float
) -> torch.Tensor:
    """Factors that correct for an engine whose probabilities differ from the trainer's by rounding or by an older policy; no gradient.

    `old` are the training model's log-probs when the rollouts arrived, `rollout` those that the engine reported. `truncate`: per token
    min(old / rollout, cap) (Yao et al. 2025, "Your efficient RL framework secretly brings you off-policy RL training").
    `mask_sequence`: the product of a response's ratios where it is at most `cap`, else 0 (as TRL's `sequence_mask`).
    """
    difference_N = (old_log_probs_N - rollout_log_probs_N).detach()
    if mismatch == "off":
        return torch.ones_like(difference_N)
    if mismatch == "truncate":
        return difference_N.exp().clamp(max=cap)
    product_N = _per_sequence(difference_N, lengths, mean=False).exp()
    return torch.where(product_N <= cap, product_N, 0.0)


def _per_sequence(values_N: torch.Tensor, lengths: Sequence[int], *, mean: bool) -> torch.Tensor:
    """The sum or mean over each response, at each of its tokens."""
    counts_S = torch.tensor(lengths, device=values_N.device)
    owner_N = torch.repeat_interleave(torch.arange(len(lengths), device=values_N.device), counts_S)
    sums_S = torch.zeros(len(lengths), device=values_N.device, dtype=values_N.dtype).index_add(0, owner_N, values_N)
    return (sums_S / counts_S if mean else sums_S)[owner_N]


def kl_estimate(
    log_probs_N: torch.Tensor, reference_log_probs_N: torch.Tensor, estimator: KlEstimator, clamp: float | None = None
) -> torch.Tensor:
    """Per-token estimate of KL(policy || reference) for tokens drawn from the policy.

    With d = reference - policy: k1 = -d (unbiased, noisy), k2 = d^2 / 2 (biased), k3 = exp(d) - d - 1 (unbiased, never negative). Source:
    J. Schulman, "Approximating KL divergence" (2020). What is unbiased as a number need not be so as a gradient: that of the KL comes from
    k1 in the reward or k2 in the loss; k1 in the loss has none on average.

    `clamp` bounds the estimate, as verl's and OpenRLHF's do at 10, and takes the gradient of tokens beyond it: a single token that the
    reference finds all but impossible would otherwise outweigh the batch, as k3 grows like the ratio of the probabilities.
    """
    difference_N = reference_log_probs_N - log_probs_N
    if clamp is not None:  # at |d| = clamp + 1 every estimate is past its bound; exp must not overflow, the gradient would be 0 times inf
        difference_N = difference_N.clamp(-clamp - 1, clamp + 1)
    if estimator == "k1":
        estimate_N = -difference_N
    elif estimator == "k2":
        estimate_N = difference_N.square() / 2
    else:
        estimate_N = torch.expm1(difference_N) - difference_N
    return estimate_N if clamp is None else estimate_N.clamp(-clamp, clamp)


def clipped_value_loss(
    values_N: torch.Tensor, old_values_N: torch.Tensor, returns_N: torch.Tensor, weights_N: torch.Tensor, clip: float | None
) -> torch.Tensor:
    """Half the weighted squared error of the critic; with `clip` the worse of the value and its old one moved by at most `clip`.

    Source: the PPO of OpenAI baselines; Huang et al. 2022, "The 37 implementation details of PPO", detail 9.
    """
    error_N = (values_N - returns_N).square()
    if clip is not None:
        bounded_N = old_values_N + (values_N - old_values_N).clamp(-clip, clip)
        error_N = torch.maximum(error_N, (bounded_N - returns_N).square())
    return (weights_N * error_N).sum() / 2
