"""Two kills of a run as a user has it; `chaos.py` by itself does as many as it is told, with Ray."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.end_to_end.chaos import run_chaos


@pytest.mark.slow
def test_a_run_that_is_killed_again_and_again_makes_what_it_would_have_made(tmp_path: Path) -> None:
    found = run_chaos(2, seed=2, ray=False, folder=tmp_path, stages=("puzzles", "cold"))
    assert sum(found["kills"].values()) == 2
    assert found["outputs"] > 0
