"""Order of the training rows: a seeded permutation per epoch that can be continued from any position."""

from __future__ import annotations

import random


class EpochSampler:
    """Endless row indices; every row once per epoch, in an order that is a function of (seed, epoch) alone.

    The state is one number, the count of rows drawn, so a resumed run neither repeats nor skips a row.
    """

    def __init__(self, rows: int, seed: int, drawn: int = 0) -> None:
        if rows < 1:
            raise ValueError("no rows to sample from")
        self.rows = rows
        self.seed = seed
        self.drawn = drawn
        self._epoch = -1
        self._order: list[int] = []

    def take(self, count: int) -> list[int]:
        """The next `count` row indices; crosses epoch boundaries."""
        indices = []
        for _ in range(count):
            epoch, position = divmod(self.drawn, self.rows)
            if epoch != self._epoch:
                self._order = list(range(self.rows))
                random.Random(f"{self.seed}/{epoch}").shuffle(self._order)
                self._epoch = epoch
            indices.append(self._order[position])
            self.drawn += 1
        return indices
