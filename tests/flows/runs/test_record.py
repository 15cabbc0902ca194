from pathlib import Path

from flows.runs.record import unreported
from tasks.process import this_process
from tasks.workspace import Workspace, write_record


def test_runs_that_mlflow_takes_for_open(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    here, gone = this_process(), this_process() | {"pid": 2**22 + 1}
    open_there = {"tracking_uri": workspace.tracking_uri, "run_id": "r"}
    (tmp_path / "mini" / "runs").mkdir(parents=True)
    records = {
        "at work": {"state": "running", "owner": here, "mlflow": open_there},
        "killed": {"state": "running", "owner": gone, "mlflow": open_there},
        "failed while MLflow was away": {"state": "failed", "owner": gone, "mlflow": open_there},
        "closed": {"state": "done", "owner": gone, "mlflow": open_there | {"closed": True}},
        "of another store": {"state": "failed", "owner": gone, "mlflow": open_there | {"tracking_uri": "http://elsewhere"}},
        "all reused": {"state": "done", "owner": gone},
    }
    stage = {"kind": "data", "action": "run", "position": 0, "fingerprint": "0" * 64, "directory": "puzzles-00000000"}
    every = {"experiment": "mini", "run": "x", "started": 0.0, "recipe": {}, "order": {}, "stages": {"puzzles": stage}}
    for name, record in records.items():
        write_record(tmp_path / "mini" / "runs" / f"{name}.json", every | record)
    (tmp_path / "mini" / "runs" / "damaged.json").write_text("{")
    assert {path.stem for path, _ in unreported(workspace, "mlflow")} == {"killed", "failed while MLflow was away"}
