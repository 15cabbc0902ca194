"""A run that is killed when everything is made and nobody has heard of its end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.end_to_end.command import ROOT, finish, start

RECIPE = str(ROOT / "tests" / "fixtures" / "mini.yaml")


@pytest.mark.slow
def test_the_next_run_settles_what_was_left_though_it_makes_nothing(tmp_path: Path) -> None:
    finish(start(tmp_path, "run", RECIPE, "--until", "puzzles"))
    [path] = tmp_path.glob("mini/runs/*.json")
    record = json.loads(path.read_text())
    gone = {"pid": 2**22 + 1, "born": 0.0}  # as SIGKILL leaves it
    left = record | {"state": "running", "owner": record["owner"] | gone, "prefect": record["prefect"] | {"settled": False}}
    left["mlflow"] = record["mlflow"] | {"closed": False}
    path.write_text(json.dumps(left))
    finish(start(tmp_path, "run", RECIPE, "--until", "puzzles"))
    settled = json.loads(path.read_text())
    assert settled["prefect"]["settled"]
    assert settled["mlflow"]["closed"]
    assert "nothing has changed since they were made" in finish(start(tmp_path, "run", RECIPE, "--until", "puzzles"))
