"""Policy losses per token. Sums, not means: the caller divides by a global count, so the gradient does not depend on batching."""

from __future__ import annotations

from typing import NamedTuple

import torch


class PolicyLoss(NamedTuple):
    """Sums over the N tokens given."""

    loss: torch.Tensor  # scalar, differentiable
    clipped: torch.Tensor  # tokens where clipping removed the gradient
    weight: torch.Tensor  # truncated importance weights


def clipped_policy_loss(
    log_probs_N: torch.Tensor,
    old_log_probs_N: torch.Tensor,
    rollout_log_probs_N: torch.Tensor,
    advantages_N: torch.Tensor,
    *,
    clip_low: float,
    clip_high: float,
    importance_cap: float,
) -> PolicyLoss:
    """PPO's clipped surrogate (arXiv 1707.06347, eq. 7) times a truncated importance weight for train/rollout mismatch.

    `old` are the training model's log-probs when the rollouts arrived, `rollout` those that the engine reported: two programs with the
    same weights differ by rounding. The weight min(old / rollout, cap) corrects for it (Yao et al. 2025, "Your efficient RL framework
    secretly brings you off-policy RL training"); it carries no gradient.
    """
    ratio_N = (log_probs_N - old_log_probs_N).exp()
    bounded_N = ratio_N.clamp(1 - clip_low, 1 + clip_high)
    surrogate_N = torch.minimum(ratio_N * advantages_N, bounded_N * advantages_N)
    weight_N = (old_log_probs_N - rollout_log_probs_N).exp().clamp(max=importance_cap).detach()
    clipped = (bounded_N * advantages_N < ratio_N * advantages_N).sum()
    return PolicyLoss(-(weight_N * surrogate_N).sum(), clipped, weight_N.sum())


def kl_k3(log_probs_N: torch.Tensor, reference_log_probs_N: torch.Tensor) -> torch.Tensor:
    """Per-token estimate of KL(policy || reference), never negative: exp(d) - d - 1 with d = reference - policy.

    Source: J. Schulman, "Approximating KL divergence" (2020), estimator k3.
    """
    difference_N = reference_log_probs_N - log_probs_N
    return torch.expm1(difference_N) - difference_N
