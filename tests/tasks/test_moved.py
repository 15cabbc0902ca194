from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import mlflow
import pytest

from rl_core.files import write_json
from tasks.moved import follow_move
from tasks.stage.records import MLFLOW, SPEC
from tasks.stage.spec import StageSpec
from tasks.tracking.experiment_run import Lineage
from tasks.workspace import Workspace, read_json


def files_below(root: Path) -> set[Path]:
    return {path.relative_to(root) for path in root.rglob("*") if path.is_file()}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["copy", "a copy with spaces, ü and %41"])
def test_a_copied_workspace_keeps_to_itself(
    spec_of: Callable[..., StageSpec], databases: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for variable in ("MLFLOW_TRACKING_URI", "MLFLOW_BACKEND_STORE_URI"):
        monkeypatch.delenv(variable, raising=False)
    told: list[str] = []
    first = Workspace.at(tmp_path / "first")
    first.create()
    shutil.copy(databases / "mlflow.db", first.root)
    lineage = Lineage(first, "mini", "one", told.append)
    lineage.describe({"name": "mini"}, {})
    stage = spec_of(workspace=first.root).directory
    stage.mkdir(parents=True)
    write_json(stage / SPEC, {})
    write_json(stage / MLFLOW, {"tracking_uri": lineage.uri, "models": {}})
    assert told == []

    second = Workspace.at(tmp_path / name)
    shutil.copytree(first.root, second.root)
    before = files_below(first.root)
    monkeypatch.delenv("MLFLOW_TRACKING_URI")  # which MLflow sets for its process
    again = Lineage(second, "mini", "two", told.append)
    again.describe({"name": "mini"}, {})
    assert told == [f"this workspace was {first.root} before: what MLflow knows of it is now in {second.root}"]
    assert files_below(first.root) == before  # nothing is written to the old place
    client = mlflow.MlflowClient(again.uri)
    for run in (lineage.run_id, again.run_id):
        assert [entry.path for entry in client.list_artifacts(run)] == ["recipe.yaml"]
    notes = read_json(second.root / stage.relative_to(first.root) / MLFLOW)
    assert notes["tracking_uri"] == again.uri
    assert follow_move(second) == []
    assert follow_move(first) == []
