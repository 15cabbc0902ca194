"""Every algorithm in the smoke profile of a shipped recipe, stage after stage in this process; one recipe as a user runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file

from flows.recipe.load import load_recipe
from flows.recipe.smoke import BASE, smoke
from rl_core.config.jobs import TrainJob
from rl_core.config.rl import RlConfig
from rl_core.config.sft import SftConfig
from rl_core.data.prepare import prepare
from rl_core.trainer import train_rl
from rl_core.training.sft import train_sft
from tasks.kinds.rl import RlStage
from tasks.kinds.sft import SftStage
from tests.end_to_end.command import plain_environment

DATA = Path(__file__).parents[1] / "fixtures" / "data"
EDGES = {"kind", "start", "reference", "data"}

pytestmark = pytest.mark.slow

Maker = Callable[[str], tuple[Path, list[Path]]]


@pytest.fixture(scope="module")
def base_of(tmp_path_factory: pytest.TempPathFactory) -> Maker:
    """The small model that the smoke profile puts in front of a recipe, and the prompts; each made once."""
    made: dict[str, tuple[Path, list[Path]]] = {}

    def make(name: str) -> tuple[Path, list[Path]]:
        recipe = smoke(load_recipe(name))
        base = recipe.stages[BASE]
        assert isinstance(base, SftStage)
        root = tmp_path_factory.mktemp(name)
        prompts = []
        for stage in base.data:
            (root / stage).mkdir()
            prepare(recipe.stages[stage], root / stage, data_dir=DATA, seed=recipe.seed)
            prompts.append(root / stage / "train.parquet")
        config = SftConfig.model_validate(base.model_dump(exclude=EDGES))
        output = root / BASE
        output.mkdir()
        train_sft(TrainJob(kind="sft", sft=config, model=recipe.model, prompts=prompts, output=output), config)
        return output / json.loads((output / "result.json").read_text())["checkpoint"], prompts

    def base_of(name: str) -> tuple[Path, list[Path]]:
        if name not in made:
            made[name] = make(name)
        return made[name]

    torch.set_num_threads(1)
    return base_of


@pytest.mark.parametrize(
    ("algorithm", "name", "changes"),
    [
        ("grpo", "logic_rl", []),
        ("dr_grpo", "oat_zero", []),
        ("rloo", "logic_rl", ["warmup.algorithm={name: rloo, kl_coefficient: 0.01}"]),
        ("reinforce_plus_plus", "logic_rl", ["warmup.algorithm={name: reinforce_plus_plus, kl_coefficient: 0.001}"]),
        ("reinforce_plus_plus_baseline", "logic_rl", ["warmup.algorithm={name: reinforce_plus_plus_baseline, kl_coefficient: 0.001}"]),
        ("ppo", "tinyzero_ppo", []),
        ("dapo", "dapo", []),
        ("gspo", "logic_rl", ["warmup.algorithm={name: gspo}"]),
    ],
)
def test_an_algorithm_trains_a_smoke_recipe(algorithm: str, name: str, changes: list[str], base_of: Maker, tmp_path: Path) -> None:
    base, prompts = base_of(name)
    stage = next(stage for stage in smoke(load_recipe(name, changes)).stages.values() if isinstance(stage, RlStage))
    assert stage.algorithm.name == algorithm
    config = RlConfig.model_validate(stage.model_dump(exclude=EDGES))
    train_rl(TrainJob(kind="rl", rl=config, model=str(base), prompts=prompts, output=tmp_path), config)
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["steps"] == 2
    assert len(list((tmp_path / "rollouts").glob("*.parquet"))) == 2
    metrics = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert max(step["grad_norm"] for step in metrics) > 0
    before, after = (load_file(path / "model.safetensors") for path in (base, tmp_path / result["checkpoint"]))
    assert any(not torch.equal(before[key], after[key]) for key in before)


@pytest.mark.usefixtures("with_databases")
def test_a_recipe_with_adapters_runs_whole_without_data_or_hub(tmp_path: Path) -> None:
    environment = plain_environment() | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "empty")}
    command = [sys.executable, "-m", "flows.cli", "run", "smollm2-gsm8k", "--profile", "smoke", "--set", "rl.lora.rank=64"]
    command += ["--workspace", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "profile     smoke" in done.stdout
    assert "stand-in problems, made up: gsm8k, math500" in done.stdout
    [adapter] = tmp_path.glob("smollm2-gsm8k-smoke/rl-*/checkpoints/step-000002/adapter/adapter_config.json")
    assert json.loads(adapter.read_text())["r"] == 8
    [rollouts] = tmp_path.glob("smollm2-gsm8k-smoke/rl-*/rollouts/step-000001.parquet")
    assert pq.read_table(rollouts).num_rows == 16
    assert list(tmp_path.glob("smollm2-gsm8k-smoke/report-*/report.html"))
