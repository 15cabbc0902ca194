"""A kind of stage is one file: put into tasks/kinds of a copy of the packages, it is known everywhere."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rl_core.registry import by_name
from tasks.kinds import KINDS
from tests.end_to_end.command import ROOT, copied_packages
from tests.source_tree import nodes_outside

RECIPE = """
name: toy
model: {hidden_size: 64, intermediate_size: 128, layers: 2, heads: 4, key_value_heads: 2, vocabulary: 512, context: 512}
stages:
  puzzles: {kind: data, task: knights_knaves, people: [2], source: generate, train: 6, test: 2}
  words: {kind: words, of: puzzles}
"""


@pytest.mark.slow
def test_a_new_kind_is_one_file_and_no_edit_elsewhere(databases: Path, tmp_path: Path) -> None:
    """Plan, run that fails, resume, reuse, status, lineage, smoke."""
    environment = copied_packages(tmp_path)
    shutil.copy(ROOT / "tests" / "fixtures" / "toy_kind.py", tmp_path / "tasks" / "kinds" / "words.py")
    (tmp_path / "toy.yaml").write_text(RECIPE)
    shutil.copytree(databases, tmp_path / "runs")

    def r1flow(*arguments: str, code: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "flows.cli", *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    assert "words" in r1flow("plan", "toy.yaml")
    assert "did you mean 'longest'?" in r1flow("plan", "toy.yaml", "--set", "words.longst=4", code=2)
    assert "'words' is a stage of kind words" in r1flow("plan", "toy.yaml", "--set", "stages.more={kind: words, of: words}", code=2)
    assert "open: no such file; make it, and run again" in r1flow("run", "toy.yaml", code=2)
    assert "failed" in r1flow("status")
    (tmp_path / "runs" / "open").touch()
    resumed = r1flow("resume", "toy")
    (made,) = (tmp_path / "runs" / "toy").glob("words-*")
    counts = json.loads((made / "words.json").read_text())
    assert len(counts) == 6
    assert f"{sum(counts):,} words in 6 prompts" in resumed
    assert "2 reused" in r1flow("plan", "toy.yaml")
    assert "words.longest 1000 -> 5" in r1flow("plan", "toy.yaml", "--set", "words.longest=5")
    lineage = r1flow("lineage", "toy/words")
    assert "puzzles" in lineage
    assert "longest" in lineage
    assert "2 of 2 stages run" in r1flow("plan", "toy.yaml", "--profile", "smoke")
    assert "longest: 3 " in r1flow("show", "toy.yaml", "--profile", "smoke")


def test_a_copy_that_is_not_renamed_is_refused() -> None:
    with pytest.raises(TypeError, match=r"tasks.kinds.rl: the kind 'rl' is that of tasks.kinds.rl, too"):
        by_name("kind", [*KINDS.values(), KINDS["rl"]])
    assert by_name("kind", KINDS.values()) == KINDS


def test_only_their_homes_know_kinds_by_name() -> None:
    """No comparison with the name of a kind, and no isinstance with its settings class, outside tasks/kinds."""
    classes = {f"{name.capitalize()}Stage" for name in KINDS}
    found = []
    for where, node in nodes_outside("tasks/kinds/", ("flows", "tasks")):
        names: list[ast.expr] = []
        if isinstance(node, ast.Compare):
            names = [part for side in (node.left, *node.comparators) for part in ast.walk(side)]
        elif isinstance(node, ast.match_case):
            names = [part for part in ast.walk(node.pattern) if isinstance(part, ast.expr)]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "isinstance":
            names = list(ast.walk(node.args[1]))  # type: ignore[arg-type]
        found += [
            f"{where}:{node.lineno if hasattr(node, 'lineno') else '?'}"
            for name in names
            if (isinstance(name, ast.Constant) and name.value in KINDS) or (isinstance(name, ast.Name) and name.id in classes)
        ]
    assert found == []
