"""Order of the training rows: seeded, and such that it can be continued from any position."""

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


def growing_pool(rows: int, share: float, step: int, total: int, count: int, seed: int) -> list[int]:
    """`count` different rows for a step, out of the first `share` of the rows at step 1 and out of all from half of the steps on.

    For rows sorted from easy to hard. A function of its arguments alone, so that there is no state to resume.
    """
    grown = min(1.0, share + (1 - share) * (step - 1) / max(1, total // 2))
    pool = max(count, round(grown * rows))
    return random.Random(f"{seed}/{step}").sample(range(min(pool, rows)), min(count, rows))
