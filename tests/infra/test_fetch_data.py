"""The script, with a directory in the place of the hub."""

import importlib.util
import json
from dataclasses import replace
from pathlib import Path

import pytest

from evals.benchmarks import registry
from evals.config import BenchmarkSettings

_SPEC = importlib.util.spec_from_file_location("fetch_data", Path(__file__).parents[2] / "infra" / "fetch_data.py")
assert _SPEC
assert _SPEC.loader
fetch_data = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(fetch_data)


def test_what_is_fetched_can_be_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    hub = tmp_path / "hub"
    hub.mkdir()
    (hub / "train.jsonl").write_text("".join(json.dumps({"problem": f"What is {n}?", "answer": f"{n:03d}"}) + "\n" for n in range(30)))
    monkeypatch.setitem(registry.PROBLEM_SETS, "aime24", replace(registry.PROBLEM_SETS["aime24"], hub_id=str(hub)))
    assert fetch_data.main([str(tmp_path / "data"), "aime24"]) == 0
    assert "aime24/test.jsonl: 30 rows\nwarning: benchmark aime24: the data" in capsys.readouterr().out
    assert registry.load(BenchmarkSettings(name="aime24"), tmp_path / "data")[7].gold == "7"
    assert fetch_data.main([str(tmp_path / "data"), "aime24"]) == 0
    assert "is there" in capsys.readouterr().out


def test_what_cannot_be_fetched_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fetch_data.main([str(tmp_path), "aime42"]) == 2
    assert "unknown set 'aime42'" in capsys.readouterr().err
