"""A family of problems is one file: put into rl_core/environments of a copy of the packages, it is known everywhere."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Literal

import pytest

from evals.benchmarks.registry import BENCHMARKS
from rl_core.environments.countdown import Countdown, CountdownData
from rl_core.environments.registry import ENVIRONMENTS, by_task
from tests.end_to_end.command import ROOT, copied_packages
from tests.source_tree import nodes_outside

RECIPE = """
name: toy
model: {hidden_size: 64, intermediate_size: 128, layers: 2, heads: 4, key_value_heads: 2, vocabulary: 512, context: 512}
stages:
  numbers: {kind: data, task: parity, largest: 50, train: 20}
  taught: {kind: sft, data: numbers, steps: 2}
  better: {kind: rl, start: taught, data: numbers, reward: accuracy, epochs: 1, prompts_per_step: 5}
  scores: {kind: eval, checkpoints: [taught, better], benchmarks: [{name: parity, first: 5}]}
"""
GRADED = [("<answer>odd</answer>", "odd"), ("<answer>even</answer>", "odd"), ("I cannot tell", "even")]
# What the stages of that recipe do with the problems, without the models.
USE = """
import json
from pathlib import Path

from evals.benchmarks import registry
from evals.config import BenchmarkSettings
from evals.grade import grade
from flows.planning.plan import make_specs
from flows.recipe.load import load_recipe
from flows.recipe.smoke import smoke
from rl_core.rewards.pool import ScoreItem, ScoringPool
from tasks.kinds import KINDS
from tasks.stage.digests import Digests
from tasks.workspace import Workspace

recipe, workspace = load_recipe("toy.yaml"), Workspace(Path("runs"))
spec = make_specs(recipe, workspace, None, Digests(workspace.digests))["numbers"]
spec.directory.mkdir(parents=True)
trained = KINDS["data"].run(spec, None)
settings = BenchmarkSettings(name="parity", first=5, limit=4)
with ScoringPool(1, 5.0) as pool:
    scores = pool.score([ScoreItem("parity", "<answer>odd</answer>", gold) for gold in ("odd", "even")], {"accuracy": 2.0})
graded = grade(Path("responses.jsonl"), "parity", Path("graded.jsonl"))
print(json.dumps({
    "prompts": KINDS["data"].prompts(recipe.stages["numbers"]),
    "smoke": smoke(recipe).stages["numbers"].train,
    "trained": {key: trained[key] for key in ("train", "test", "source", "checked", "contaminated", "dropped_contaminated")},
    "rewards": [score.reward for score in scores],
    "problems": len(registry.load(settings, None)),
    "size": registry.size(settings),
    "graded": dict(graded),
    "label": f"{registry.label_of('parity')}, {registry.subset_of('parity', '2')}",
}))
"""


@pytest.mark.slow
def test_a_new_environment_is_one_file_and_no_edit_elsewhere(tmp_path: Path) -> None:
    """Its problems train, are left out where they are held out, are rewarded, evaluated, graded and named in reports."""
    environment = copied_packages(tmp_path)
    shutil.copy(ROOT / "tests" / "fixtures" / "toy_environment.py", tmp_path / "rl_core" / "environments" / "parity.py")
    (tmp_path / "toy.yaml").write_text(RECIPE)
    (tmp_path / "responses.jsonl").write_text("".join(json.dumps({"response": said, "gold": gold}) + "\n" for said, gold in GRADED))

    def python(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True)

    done = python("-c", USE)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "prompts": 20,
        "smoke": 16,
        "trained": {
            "train": 14,  # without 5 to 10
            "test": 5,
            "source": "generated",
            "checked": ["parity"],
            "contaminated": {"parity": 6},
            "dropped_contaminated": 6,
        },
        "rewards": [2.0, 0.0],
        "problems": 4,
        "size": 4,
        "graded": {"correct": 1, "wrong": 1, "unparseable": 1},
        "label": "Even and Odd, 2 digits",
    }
    graded = [json.loads(line)["outcome"] for line in (tmp_path / "graded.jsonl").read_text().splitlines()]
    assert graded == ["correct", "wrong", "unparseable"]
    assert "did you mean 'largest'?" in python("-m", "flows.cli", "plan", "toy.yaml", "--set", "numbers.largst=4").stderr


# Where a family may be named, beside its own modules, and why.
ALLOWED = {
    "rl_core/data/math_sets.py": "names of public sets, and the task of their problems",
}
COMMON = {"choice", "exact", "json", "number", "own", "regex"}  # words that mean something else, too
HOMES = (
    "rl_core/environments/",
    "rl_core/rewards/components/",  # names of rewards, which recipes state
    "evals/benchmarks/",
    "rl_core/data/knights_knaves.py",
)


def test_only_their_homes_know_families_by_name() -> None:
    """No text that is the name of a family, a task or a benchmark, and no settings class of a family, outside of these files."""
    names = {*ENVIRONMENTS, *BENCHMARKS, *(task for found in ENVIRONMENTS.values() for task in found.tasks)} - COMMON
    classes = {found.settings.__name__ for found in ENVIRONMENTS.values() if found.settings}
    found = set()
    for where, node in nodes_outside(HOMES):
        if (isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in names) or (
            isinstance(node, ast.Name | ast.alias) and getattr(node, "id", getattr(node, "name", None)) in classes
        ):
            found.add(where)
    assert found == set(ALLOWED)


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_what_an_environment_says_of_itself_goes_together(name: str) -> None:
    environment = ENVIRONMENTS[name]
    assert environment.name == name
    for setting, field in environment.options.model_fields.items():
        assert field.default is None, f"{setting}: other benchmarks have no value for it"
        assert f"{name} only" in str(field.description)
    assert environment.is_benchmark <= (environment.made_to_order or "source" in environment.options.model_fields)
    assert environment.published is None


class Copy(Countdown):
    """A file that was copied: its name is changed, that of its settings is not."""

    name = "sums"


class SumsData(CountdownData):
    task: Literal["sums"] = "sums"


class Renamed(Copy):
    settings = SumsData


@pytest.mark.follows("too; rename one of them")
def test_a_copy_that_is_not_renamed_is_refused() -> None:
    with pytest.raises(TypeError, match=r"the task 'countdown' is that of rl_core.environments.countdown, too; rename one of them"):
        by_task([Countdown(), Countdown()])
    with pytest.raises(TypeError, match=r"`settings` wants `task` with the default 'sums', `train` and `test`"):
        by_task([Countdown(), Copy()])
    assert by_task([Countdown(), Renamed()]).keys() == {"countdown", "sums"}
