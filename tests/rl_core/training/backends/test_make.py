"""Settings of the optimizer arrive in it, whatever the backend."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from rl_core.config.rl import RlConfig
from rl_core.model.pretrained import load_model
from rl_core.training.backends.collective import TrainingGroup
from rl_core.training.backends.make import rl_backend


def optimizer_of(checkpoint: Path, **settings: Any) -> torch.optim.Optimizer:
    config = RlConfig.model_validate({"steps": 1, "precision": "float32"} | settings)
    backend = rl_backend(load_model(str(checkpoint), dtype=torch.float32), config, TrainingGroup())
    return backend.optimizers[0] if config.backend == "torch" else backend.engine.optimizer.optimizer  # type: ignore[attr-defined]


@pytest.mark.slow
@pytest.mark.parametrize(
    "layout",
    [
        {"backend": "torch"},
        {"backend": "deepspeed", "resources": {"zero_stage": 2}},
        {"backend": "deepspeed", "resources": {"zero_stage": 2, "offload": "optimizer"}},
        {"backend": "deepspeed", "resources": {"zero_stage": 3, "offload": "all"}},
    ],
)
def test_the_optimizer_has_the_settings_of_the_recipe(tiny_checkpoint: Path, layout: dict[str, Any]) -> None:
    optimizer = optimizer_of(tiny_checkpoint, adam_betas=[0.8, 0.99], adam_epsilon=1e-5, weight_decay=0.03, **layout)
    assert isinstance(optimizer, torch.optim.AdamW)
    groups = optimizer.param_groups
    assert [(group["betas"], group["eps"]) for group in groups] == [((0.8, 0.99), 1e-5)] * 2
    assert [group["weight_decay"] for group in groups] == [0.03, 0.0]  # matrices, vectors


@pytest.mark.slow
def test_the_defaults_are_those_that_stages_were_finished_with(tiny_checkpoint: Path) -> None:
    groups = optimizer_of(tiny_checkpoint).param_groups
    assert [(group["betas"], group["eps"], group["weight_decay"]) for group in groups] == [((0.9, 0.95), 1e-8, 0.0)] * 2
