"""A handful of events in a short run; `python -m tests.end_to_end.chaos` does as many as it is told, with all stages and with Ray."""

from __future__ import annotations

import random
import subprocess
import tempfile
import time
from pathlib import Path

import psutil
import pytest

from tests.end_to_end.chaos import outcome
from tests.end_to_end.chaos.between import NAMES, flip, move
from tests.end_to_end.chaos.outcome import check_nothing_left, differences, without_lost
from tests.end_to_end.chaos.site import Broken, Missed, Site
from tests.end_to_end.chaos.trial import run_chaos


@pytest.mark.slow
@pytest.mark.follows("run again to go on from the last checkpoint")
def test_a_run_that_is_struck_again_and_again_makes_what_it_would_have_made(tmp_path: Path) -> None:
    report = run_chaos(3, seed=340, ray=False, folder=tmp_path, stages=("puzzles", "cold"))
    assert not report.faults, report.faults
    assert len(report.events) == 3
    assert {event.kind for event in report.events} >= {"kill", "flip a bit"}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    site = Site(tmp_path, ("puzzles",), ray=False)
    (site.workspace / "chaos" / "puzzles-0123abcd").mkdir(parents=True)
    return site


def test_a_flip_changes_one_bit_of_one_finished_file(site: Site) -> None:
    with pytest.raises(Missed):
        flip(site, random.Random(0))
    path = site.workspace / "chaos" / "puzzles-0123abcd" / "manifest.json"
    path.write_bytes(bytes(100))
    assert "manifest.json" in flip(site, random.Random(0))
    assert sum(byte.bit_count() for byte in path.read_bytes()) == 1
    assert len(path.read_bytes()) == 100


def test_only_an_older_checkpoint_that_was_damaged_may_be_missing(site: Site) -> None:
    for step in (2, 4):
        folder = site.workspace / "chaos" / "warm-0123abcd" / "checkpoints" / f"step-{step:06}"
        folder.mkdir(parents=True)
        (folder / "model.safetensors").write_bytes(bytes(100))
    while ("warm", 2) not in site.damaged:
        flip(site, random.Random())
    assert site.damaged == {("warm", 2)}
    assert site.has_checkpoint("warm", 2)
    assert not site.has_checkpoint("warm", 6)
    wanted = {
        "warm/content": "a",
        "scores/inputs": {"warm": "a"},
        "scores": [0.5],
        "warm/checkpoints/step-000002/model.safetensors": "b",
        "warm/checkpoints/step-000004/model.safetensors": "c",
        "DuckDB's checkpoints": ["('chaos/warm-0123abcd', 'chaos', 'warm', 2)", "('chaos/warm-0123abcd', 'chaos', 'warm', 4)"],
    }
    found = {
        "warm/content": "d",
        "scores/inputs": {"warm": "d"},
        "scores": [0.5],
        "warm/checkpoints/step-000004/model.safetensors": "c",
        "DuckDB's checkpoints": ["('chaos/warm-0123abcd', 'chaos', 'warm', 4)"],
    }
    assert len(differences(wanted, found)) == 4
    assert differences(without_lost(wanted, set()), without_lost(found, set())) == differences(wanted, found)
    assert differences(without_lost(wanted, {("warm", 2)}), without_lost(found, {("warm", 2)})) == []
    assert differences(without_lost(wanted, {("warm", 2)}), without_lost(found | {"scores": [0.4]}, {("warm", 2)})) == ["scores"]


def test_a_moved_workspace_has_what_it_had(site: Site) -> None:
    (site.workspace / "kept").write_text("this")
    old, done = site.workspace, set()
    for seed in range(30):
        site.started = seed
        done.add(move(site, random.Random(seed)).split()[0])
        assert (site.workspace / "kept").read_text() == "this"
        assert site.workspace != old
        assert site.workspace.name.removesuffix(f" {seed}") in NAMES
        old = site.workspace
    assert done == {"renamed", "copied", "linked"}


def test_what_outlives_a_run_is_found(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcome, "AFTERWARDS", 0)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    check_nothing_left(site)
    with subprocess.Popen(["sleep", "60"]) as process:
        started = psutil.Process(process.pid)
        while not "".join(started.cmdline()):  # empty for a moment after its start
            time.sleep(0.01)
        site.processes.add(started)
        with pytest.raises(Broken, match=r"left behind: \['sleep 60'\]"):
            check_nothing_left(site)
        process.kill()
    check_nothing_left(site)
    for path in (tmp_path / "shared", tmp_path / "ray" / f"session_2026-01-01_00-00-00_0_{process.pid}"):
        path.mkdir(parents=True)
        site.shared.add(str(tmp_path / "shared"))
        with pytest.raises(Broken, match=path.name):
            check_nothing_left(site)
        path.rmdir()


def test_what_is_missing_or_other_differs() -> None:
    assert differences({"a": 1, "b": [2]}, {"a": 1, "b": [2]}) == []
    assert differences({"a": 1, "b": [2]}, {"b": [3], "c": 4}) == ["a", "b", "c"]
