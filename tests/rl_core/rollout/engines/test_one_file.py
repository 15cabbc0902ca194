"""An engine is one file: put into rl_core/rollout/engines of a copy of the packages, or evals/endpoints, it is known everywhere."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch

from evals.config import EvalConfig
from evals.engines import ENGINES
from rl_core.config.rl import RlConfig
from rl_core.errors import InputError
from rl_core.registry import by_name
from rl_core.rollout.description import Engine, Start
from tests.end_to_end.command import ROOT, copied_packages
from tests.source_tree import nodes_outside

PACKAGES = ("flows", "tasks", "evals", "rl_core", "infra")
FIXTURES = ROOT / "tests" / "fixtures"
RECIPE = """
name: toy
model: {hidden_size: 64, intermediate_size: 128, layers: 2, heads: 4, key_value_heads: 2, vocabulary: 512, context: 512}
stages:
  puzzles: {kind: data, task: countdown, numbers: [2], source: generate, train: 8, test: 2}
  taught: {kind: sft, data: puzzles, steps: 1}
  better: {kind: rl, start: taught, data: puzzles, reward: accuracy, steps: 2, prompts_per_step: 2, group_size: 2, max_response_tokens: 8,
           template: plain, engine: echo, resources: {ray: false}}
  scores: {kind: eval, checkpoints: better, benchmarks: [{name: countdown, limit: 2}], engine: echo, max_tokens: 8,
           template: plain, dtype: float32}
"""
# Runs commands of r1flow in one process, and prints what each prints.
LOOK = """
import json, sys
from click.testing import CliRunner
from flows.cli import main
print(json.dumps([CliRunner().invoke(main, command.split()).output for command in sys.argv[1:]]))
"""
LOOKED = {  # commands, and a pattern of what they print
    "plan toy.yaml": "",
    "plan toy.yaml --set better.engine=ecko": "'ecko' is not known; did you mean 'echo'?",
    "plan toy.yaml --set better.engine=oracle": "should be 'echo', 'transformers' or 'vllm', not 'oracle'",
    "plan toy.yaml --set scores.engine=oracle": "engine openai or oracle needs `resources.base_url`",
    "plan toy.yaml --set better.resources.tensor_parallel=2": "`resources.tensor_parallel` needs `engine: vllm`, not echo",
    "doctor": "note +echoes +not installed; where it is wanted: pip install echoes",
    "evaluate --help": r"\[echo\|transformers\|vllm\|openai\|oracle\]",
}


@pytest.mark.slow
def test_a_new_engine_is_one_file_and_no_edit_elsewhere(tmp_path: Path) -> None:
    """Plan with costs, errors, doctor and help; a run that its package is missing for; training, evaluation; and an endpoint."""
    environment = copied_packages(tmp_path)
    shutil.copy(FIXTURES / "toy_engine.py", tmp_path / "rl_core" / "rollout" / "engines" / "echo.py")
    shutil.copy(FIXTURES / "toy_endpoint.py", tmp_path / "evals" / "endpoints" / "oracle.py")
    (tmp_path / "toy.yaml").write_text(RECIPE)

    def r1flow(*arguments: str, code: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "flows.cli", *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    done = subprocess.run([sys.executable, "-c", LOOK, *LOOKED], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    planned, *found = json.loads(done.stdout)
    assert "better, scores want 1 GPU of 16 GB, echoes; here: " in planned
    assert "does not fit: scores: the package echoes is not installed" in planned
    assert re.findall(r"^(\w+) .* <= .* h  ", planned, re.MULTILINE) == ["better", "scores"]  # it takes an hour for a token
    assert [said for said, text in zip(list(LOOKED.values())[1:], found, strict=True) if not re.search(said, text)] == []
    assert "Try --set better.engine=transformers --set scores.engine=transformers" in r1flow("run", "toy.yaml", code=2)
    (tmp_path / "echoes.py").touch()
    assert "4/4 scores" in r1flow("run", "toy.yaml")

    (trained,) = (tmp_path / "runs" / "toy").glob("better-*")
    (evaluated,) = (tmp_path / "runs" / "toy").glob("scores-*")
    rollouts = pq.read_table(trained / "rollouts").to_pylist()
    samples = pq.read_table(evaluated / "samples").to_pylist()
    assert (len(rollouts), len(samples)) == (2 * 2 * 2, 2)
    assert all(row["response"] and row["prompt"].startswith(row["response"]) for row in (*rollouts, *samples))
    (cell,) = json.loads((evaluated / "scores.json").read_text())["cells"]
    assert (cell["engine"]["engine"], cell["engine"]["batch_limits"]) == ("echo", {"tokens": 65536})
    assert "echo: closed" in (evaluated / "log.txt").read_text()

    at = ("--engine", "oracle", "--base-url", "http://localhost:1/v1")
    assert "correct 100.0%" in r1flow("evaluate", "sphinx", *at, "--benchmarks", "gsm8k", "--data-dir", str(FIXTURES / "data"))


class NotThere(Engine):
    name = "absent"
    package = "no_such_package"
    install = "pip install it"


def test_an_engine_without_its_package_says_how_to_get_it() -> None:
    with pytest.raises(InputError, match="engine: absent needs the package no_such_package: pip install it"):
        NotThere().start(Start("nowhere", torch.float32, None, 1, 0.5))


def test_a_copy_that_is_not_renamed_is_refused() -> None:
    with pytest.raises(TypeError, match=r"the engine 'vllm' is that of rl_core.rollout.engines.vllm, too"):
        by_name("engine", [*ENGINES.values(), ENGINES["vllm"]])


ALLOWED = {"flows/history/push.py": "the library that a card of the hub names"}  # where such a text is no engine, and what it is
# The modules that describe engines, and those that run them.
HOMES = (
    "rl_core/rollout/engines/",
    "rl_core/rollout/transformers_engine.py",
    "rl_core/rollout/vllm_",
    "evals/endpoints/",
    "evals/engines/openai",
)


def test_only_their_homes_know_engines_by_name() -> None:
    """No text that is the name of an engine, and none that advises one (`engine: NAME`, `--engine NAME`), outside of these files."""
    advises = re.compile(rf"engine:? (?:{'|'.join(ENGINES)})\b")
    found = set()
    for where, node in nodes_outside(HOMES, PACKAGES):
        text = node.value if isinstance(node, ast.Constant) else None
        if isinstance(text, str) and (text in ENGINES or advises.search(text)):
            found.add(where)
    assert found == set(ALLOWED)


@pytest.mark.parametrize("name", ENGINES)
def test_what_an_engine_says_of_itself_goes_together(name: str) -> None:
    engine = ENGINES[name]
    assert engine.name == name
    assert engine.trains or engine.evaluates
    assert bool(engine.package) == bool(engine.install)
    assert not (engine.endpoint and (engine.trains or engine.package or engine.takes_share))
    for settings, known in ((RlConfig, engine.trains), (EvalConfig, engine.evaluates)):
        assert (name in settings.model_json_schema()["properties"]["engine"]["enum"]) == known
