"""A sample of what `tests/end_to_end/damage.py` does: an unfinished workspace, made without training, damaged file by file."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from flows.planning.plan import Plan
from flows.runs.record import RunRecord
from rl_core.errors import InputError
from rl_core.files import write_json
from rl_core.training.checkpoint import save_checkpoint
from tasks.stage.digests import Digests
from tasks.stage.spec import StageSpec, at_work
from tests.end_to_end.damage import Workplace, damages, go_on, kind_of, run

MINI = Path(__file__).parents[1] / "fixtures" / "mini.yaml"
TRIALS = 150


@pytest.fixture
def unfinished(plan_of: Callable[..., Plan], make: Callable[..., None]) -> Path:
    """A run that was stopped in its RL stage: with checkpoints, metrics, progress, a lease, notes of servers and schedules."""
    plan = plan_of()
    record = RunRecord.begin(plan)
    for stage in plan.stages[:2]:
        make(stage.spec)
    interrupt(plan.stages[2].spec)
    record.end("stopped")
    servers = plan.workspace.root / ".servers"
    servers.mkdir()
    mark = {"url": "http://127.0.0.1:4200", "mark": {"host": "here", "pid": 2**22 + 1, "born": 1.0}, "started": 1.0}
    for name in ("prefect", "mlflow", "runner"):
        write_json(servers / f"{name}.json", mark)
    return plan.workspace.root


def interrupt(spec: StageSpec) -> None:
    def write(directory: Path) -> None:
        (directory / "model.safetensors").write_bytes(b"weights" * 10)

    with suppress(KeyboardInterrupt), at_work(spec, Digests(spec.workspace / ".digests.json")):
        for step in (1, 2):
            save_checkpoint(spec.directory / "checkpoints", step, write, {"step": step, "mean": 0.5}, keep_last=2, keep_best=True)
        steps = [{"step": step, "reward": 0.5} for step in (1, 2, 3)]
        (spec.directory / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in steps))
        progress = [{"time": 1.0, "step": row["step"], "total": 4, "metrics": row} for row in steps]
        (spec.directory / "progress.jsonl").write_text("".join(json.dumps(row) + "\n" for row in progress))
        write_json(spec.directory / "mlflow.json", {"tracking_uri": "sqlite:///x", "models": {}})
        raise KeyboardInterrupt


@pytest.mark.slow
def test_no_damage_to_an_unfinished_run_ends_in_a_traceback(unfinished: Path, tmp_path: Path) -> None:
    rng = random.Random(17)
    place = Workplace(unfinished, tmp_path / "copy")
    files = [path for path in sorted(place.root.rglob("*")) if path.is_file() and path.suffix in (".json", ".jsonl", ".safetensors")]
    kinds = sorted({kind_of(path) for path in files})
    [stage] = place.root.glob("mini/warm-*")
    commands = [
        ["status"],
        ["lineage", "mini/warm"],
        ["plan", str(MINI)],
        ["gc"],
        ["export", "mini", "--output", str(tmp_path / "mini.tar")],
    ]
    seen = set()
    for number in range(TRIALS):
        kind = kinds[number % len(kinds)]
        path = rng.choice([path for path in files if kind_of(path) == kind])
        damages(path, rng)(path)
        with suppress(InputError):
            list(go_on(stage))
        end, said = run(rng.choice(commands), place.root)
        assert end != "traceback", f"trial {number}, {path}: {said}"
        assert end == "fine" or "\n" not in said, said
        seen.add(end)
        place.restore()
    assert seen == {"fine", "refused"}


@pytest.mark.follows("remove it, and run again to go on")
def test_a_directory_in_the_place_of_metrics(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").mkdir()
    with pytest.raises(InputError, match=r"metrics\.jsonl: Is a directory; remove it, and run again to go on"):
        list(go_on(tmp_path))
    (tmp_path / "metrics.jsonl").rmdir()
    list(go_on(tmp_path))
