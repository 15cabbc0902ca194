from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tasks.stage.lease import Lease
from tasks.stage.spec import StageSpec


@pytest.fixture
def spec_of(tmp_path: Path) -> Callable[..., StageSpec]:
    """Specs of stages in a workspace of their own."""

    def spec_of(stage: str = "warm", **fields: object) -> StageSpec:
        known = {
            "experiment": "mini",
            "stage": stage,
            "kind": "rl",
            "position": 0,
            "seed": 0,
            "settings": {"steps": 3},
            "identity": {"kind": "rl", "inputs": {}},
            "fingerprint": "0123456789abcdef",
            "workspace": tmp_path,
            "upstream": {},
        }
        return StageSpec.model_validate(known | fields)

    return spec_of


@pytest.fixture
def lease(spec_of: Callable[..., StageSpec]) -> Iterator[Lease]:
    """The lease of a stage's empty directory."""
    directory = spec_of().directory
    directory.mkdir(parents=True)
    lease = Lease(directory)
    lease.take()
    yield lease
    lease.release("done")
