"""On which side of the train/test division a problem falls: a function of its content, whatever sizes and seeds are asked for.

The seed of a run decides what is trained on and in which order, never what is measured: runs with different seeds solve the same problems.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Sequence
from typing import Literal, TypeVar

T = TypeVar("T")
Split = Literal["train", "test"]

HELD_OUT_SEED = 0  # of every choice of held-out problems: benchmarks and the test split of a data stage


def side_of(content: str, held_out: float) -> Split:
    """`test` for a share `held_out` of all contents, by digest."""
    digest = hashlib.sha256(content.encode()).digest()
    return "test" if int.from_bytes(digest[:4], "big") < held_out * 2**32 else "train"


def seed_of(split: Split, seed: int) -> int:
    """Of the choice of problems: held-out ones are the same whatever the seed of the run."""
    return seed if split == "train" else HELD_OUT_SEED


def hold_out(problems: Sequence[T], count: int, content: Callable[[T], str]) -> tuple[list[T], list[T]]:
    """Training problems and the `count` held-out ones, which are those of the smallest digests; both in their order."""
    chosen = sorted(range(len(problems)), key=lambda place: hashlib.sha256(content(problems[place]).encode()).digest())[:count]
    held_out = set(chosen)
    train = [problem for place, problem in enumerate(problems) if place not in held_out]
    return train, [problems[place] for place in sorted(chosen)]


def first_of(problems: list[T], count: int | None, split: Split, seed: int) -> list[T]:
    """The first `count` of a seeded shuffle; all in their order without `count`."""
    if count is None:
        return problems
    random.Random(seed_of(split, seed)).shuffle(problems)
    return problems[:count]
