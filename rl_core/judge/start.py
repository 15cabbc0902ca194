"""The judge of a stage, where it has one. Only then the client of its endpoint is imported."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rl_core.judge.opinions import Opinions
    from rl_core.judge.settings import Judge


def start_judge(settings: Judge | None, replies: Path | None) -> Opinions | None:
    """`replies`: the file in which what it says is kept. Raises InputError for an address that is none."""
    if settings is None:
        return None
    from rl_core.judge.opinions import Opinions

    return Opinions(settings, replies)
