"""On which side of the train/test division a problem falls: a function of its content, whatever sizes and seeds are asked for.

The seed of a run decides what is trained on and in which order, never what is measured: runs with different seeds solve the same problems.
"""

from __future__ import annotations

import hashlib
from typing import Literal

Split = Literal["train", "test"]

HELD_OUT_SEED = 0  # of every choice of held-out problems: benchmarks and the test split of a data stage


def side_of(content: str, held_out: float) -> Split:
    """`test` for a share `held_out` of all contents, by digest."""
    digest = hashlib.sha256(content.encode()).digest()
    return "test" if int.from_bytes(digest[:4], "big") < held_out * 2**32 else "train"
