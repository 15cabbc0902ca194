"""The workers in one process: who is loaded when, and what is sent."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rl_core.config.rl import RlConfig
from rl_core.workers import local
from rl_core.workers.interface import Models
from rl_core.workers.local import LocalWorkers


@pytest.mark.parametrize(("lora", "syncs"), [(None, ["weights", "weights"]), ({"rank": 4}, ["weights", "adapters", "adapters"])])
def test_memory_is_given_back_before_the_engine_needs_it_and_a_frozen_base_is_sent_once(
    lora: Any, syncs: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []

    def says(name: str, result: Any = None) -> Any:
        return lambda *_: calls.append(name) or result

    policy = SimpleNamespace(train=says("train"), weights=says("weights"), adapters=says("adapters"))
    engine = SimpleNamespace(tokenizer=None, sleep=says("sleep"), wake=says("wake"), update_weights=lambda _: None)
    monkeypatch.setattr(local, "make_policy", says("load policy", policy))
    monkeypatch.setattr(local, "make_engine", says("load engine", engine))
    monkeypatch.setattr(local, "release_memory", says("release"))
    config = RlConfig.model_validate({"steps": 1, "precision": "bfloat16", "resources": {"ray": False}, "lora": lora})
    workers = LocalWorkers(Models("start", None, None, 0, tmp_path), config)
    assert calls == ["load policy", "release", "load engine"]
    calls.clear()
    workers.sync()
    workers.train([], None)  # type: ignore[arg-type]
    workers.sync()
    assert [call for call in calls if call in ("weights", "adapters")] == syncs
    assert calls[-5:-1] == ["sleep", "train", "release", "wake"]
