"""Rewards and penalties of length and repetition. They look at tokens, never at the text, and take time linear in their number."""

import math
from collections.abc import Sequence

from rl_core.config.penalties import CosineLength, DenseRepetition, Overlong, Repetition


def repetition(token_ids: Sequence[int], settings: Repetition) -> float:
    """(1 - different n-grams / n-grams) times `lowest` (open-r1, rewards.py, over tokens instead of words); 0 for fewer than n tokens."""
    total = len(token_ids) - settings.ngram + 1
    if total < 1:
        return 0.0
    different = len({tuple(token_ids[start : start + settings.ngram]) for start in range(total)})
    return (1 - different / total) * settings.lowest


def dense_repetition(token_ids: Sequence[int], settings: DenseRepetition) -> list[float]:
    """Per token `penalty` where it belongs to an n-gram that stood before (demystify-long-cot, reward/repetition.py), else 0."""
    rewards = [0.0] * len(token_ids)
    seen: set[tuple[int, ...]] = set()
    marked = 0  # tokens before it are settled: each is marked at most once
    for start in range(len(token_ids) - settings.ngram + 1):
        ngram = tuple(token_ids[start : start + settings.ngram])
        if ngram in seen:
            for position in range(max(start, marked), start + settings.ngram):
                rewards[position] = settings.penalty
            marked = start + settings.ngram
        seen.add(ngram)
    return rewards


def cosine_length(tokens: int, correct: bool, limit: int, settings: CosineLength) -> float:
    """Half a cosine wave from the value of an empty response to that of one at the limit (demystify-long-cot, arXiv 2502.03373, eq. 1).

    A response at the limit, or within `margin` of it, gets `exceeded`. Past it the cosine would rise again, so lengths are clamped.
    """
    if tokens + settings.margin >= limit:
        return settings.exceeded
    short, long = (settings.correct_short, settings.correct_long) if correct else (settings.wrong_short, settings.wrong_long)
    return long + (short - long) * (1 + math.cos(math.pi * tokens / limit)) / 2


def overlong(tokens: int, limit: int, settings: Overlong) -> float:
    """0 up to `limit - buffer` tokens, then falling linearly to -`factor` at the limit (DAPO, arXiv 2503.14476, eq. 13)."""
    return -settings.factor * min(1.0, max(0, tokens - (limit - settings.buffer)) / settings.buffer)


def group_length(tokens: Sequence[int], correct: Sequence[bool]) -> list[float]:
    """Kimi k1.5 (arXiv 2501.12599, section 2.3.3) for the responses of one prompt: 0.5 for the shortest to -0.5 for the longest.

    Wrong responses get at most 0. Equal lengths give 0.
    """
    shortest, longest = min(tokens), max(tokens)
    if shortest == longest:
        return [0.0] * len(tokens)
    values = [0.5 - (count - shortest) / (longest - shortest) for count in tokens]
    return [value if right else min(0.0, value) for value, right in zip(values, correct, strict=True)]
