"""Three kills of a run as a user has it; `chaos.py` by itself does as many as it is told, with Ray."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

spec = importlib.util.spec_from_file_location("chaos", Path(__file__).with_name("chaos.py"))
assert spec
assert spec.loader
chaos = importlib.util.module_from_spec(spec)
sys.modules["chaos"] = chaos
spec.loader.exec_module(chaos)


@pytest.mark.slow
def test_a_run_that_is_killed_again_and_again_makes_what_it_would_have_made(tmp_path: Path) -> None:
    found = chaos.run_chaos(3, seed=0, ray=False, folder=tmp_path, stages=("puzzles", "cold"))
    assert sum(found["kills"].values()) == 3
    assert found["outputs"] > 0
