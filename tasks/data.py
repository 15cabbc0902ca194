"""Data stage: prompt sets as Parquet, made in this process."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from rl_core.config import DataConfig
from tasks.stage import StageSpec


def run(spec: StageSpec) -> dict[str, Any]:
    """Write `train.parquet` and `test.parquet`; returns counts and where the problems came from."""
    from rl_core.data.prepare import prepare

    config: DataConfig = TypeAdapter(DataConfig).validate_python(spec.settings)
    return prepare(config, spec.directory, data_dir=spec.data_dir, seed=spec.seed)
