from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tasks.kinds import KINDS


@pytest.mark.parametrize(
    ("kind", "result", "note"),
    [
        (
            "rl",
            {"steps": 3, "tokens": 900, "prompts": 8, "checkpoint": "checkpoints/step-000003"},
            "3 steps, 900 tokens -> demo/warm/step-000003",
        ),
        (
            "rl",
            {"steps": 3, "tokens": 900, "prompts": 1195, "dropped_prompts": 5, "checkpoint": "checkpoints/step-000003"},
            "3 steps, 900 tokens, left out as too long: 5 of 1,200 prompts -> demo/warm/step-000003",
        ),
        (
            "sft",
            {"steps": 3, "tokens": 900, "examples": 7, "dropped_examples": 1, "checkpoint": "checkpoints/step-000003"},
            "3 steps, 900 tokens, left out as too long: 1 of 8 examples -> demo/warm/step-000003",
        ),
        ("eval", {"tokens": 900, "not_asked": 0}, "900 tokens"),
        ("eval", {"tokens": 900, "not_asked": 2}, "900 tokens, problems not asked as too long: 2"),
    ],
)
def test_what_was_too_long_is_said_where_the_stage_is_done(kind: str, result: dict[str, Any], note: str) -> None:
    assert KINDS[kind].note(SimpleNamespace(experiment="demo", stage="warm", kind=kind), {"result": result}) == note  # type: ignore[arg-type]
