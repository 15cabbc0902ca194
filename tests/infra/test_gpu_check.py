"""What the script checks on a GPU, on this CPU: the numbers of engine and trainer are those of transformers' own forward pass."""

import importlib.util
from pathlib import Path

import pytest

_SPEC = importlib.util.spec_from_file_location("gpu_check", Path(__file__).parents[2] / "infra" / "gpu_check.py")
assert _SPEC
assert _SPEC.loader
gpu_check = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(gpu_check)


@pytest.mark.slow
@pytest.mark.parametrize("kind", gpu_check.ARCHITECTURES)
def test_engine_and_trainer_have_the_models_own_log_probs(kind: str, tmp_path: Path) -> None:
    gpu_check.make_tiny(tmp_path, kind)
    engine, trainer = gpu_check.disagreement(tmp_path, "float32")
    assert len(engine) == len(trainer) >= 24
    assert float(engine.max()) < 1e-5
    assert float(trainer.max()) < 1e-5


@pytest.mark.parametrize("steps", [1, 3])
def test_adapters_reach_the_engine_from_the_first_step(steps: int, tmp_path: Path) -> None:
    # At usual rates a sum of weight and update in bfloat16 holds 3 to 13 % of the update.
    gpu_check.make_tiny(tmp_path, "qwen2")
    share, change = gpu_check.arriving_share(tmp_path, steps, lora={"rank": 8})
    assert share == pytest.approx(1, abs=0.02)
    assert change > 1e-7


def test_a_wrong_number_is_said_and_ends_in_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    monkeypatch.setattr(gpu_check, "ARCHITECTURES", {"qwen2": {}})
    monkeypatch.setattr(gpu_check, "arriving_share", lambda *_, **__: (0.13, 1e-5))
    assert not gpu_check.check_numbers(tmp_path)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[-1] for line in lines if line.startswith("adapters")] == ["WRONG", "WRONG"]
    assert [line.split()[-1] for line in lines if line.startswith(("qwen2", "precision"))] == ["right"] * 3
