from __future__ import annotations

from rl_core import algorithms
from rl_core.registry import modules_of


def test_every_file_of_a_folder_in_alphabetical_order() -> None:
    names = [module.__name__ for module in modules_of(algorithms)]
    assert names == sorted(names)
    assert names == [f"rl_core.algorithms.{name}" for name in ("advantages", "credit", "losses", "schedules")]
