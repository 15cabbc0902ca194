"""Repetition counted in characters: what counts in words does not see, text without spaces and loops that count up."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SIZE = 16  # characters, a power of two: about four words of English, a clause of Chinese
_NUMBER = re.compile(r"(?<!\d)\d{1,6}(?!\d)")  # a longer one is text of its own, such as 0.333333333
_FACTOR = 0x9E3779B97F4A7C15  # odd, so that no part of a hash is lost


def character_repetition(text: str) -> float:
    """Share of the `SIZE`-grams of characters that have occurred before in the text, from 0 to 1; 0 where it is shorter than one.

    Numbers of up to six digits count as alike, so that a loop with a counter (`Step 1: wait. Step 2: wait.`) is one; so does any white
    space.
    """
    import numpy as np

    alike = " ".join(_NUMBER.sub("0", text).split())
    points = np.frombuffer(alike.encode("utf-32-le", "surrogatepass"), dtype=np.uint32).astype(np.uint64)
    if len(points) < SIZE:
        return 0.0
    grams = np.sort(_hashes(points))  # np.unique takes four times as long
    return float(np.count_nonzero(grams[1:] == grams[:-1])) / len(grams)


def _hashes(points: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Hashes of the `SIZE`-grams [L - SIZE + 1] of the code points [L]: from those of half the size, in turn."""
    import numpy as np

    hashes, size = points, 1
    while size < SIZE:
        mixed = hashes * np.uint64(_FACTOR)  # wraps round
        mixed ^= mixed >> np.uint64(29)
        hashes = mixed[: len(mixed) - size] * np.uint64(_FACTOR) + mixed[size:]
        size *= 2
    return hashes
