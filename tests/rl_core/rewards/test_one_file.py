"""A reward is one file: put into rl_core/rewards/components of a copy of the packages, it is known everywhere."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from rl_core.rewards.component import Component, accuracy
from rl_core.rewards.reward import of_modules
from tests.end_to_end.command import ROOT, copied_packages

RECIPE = """
name: toy
model: Qwen/Qwen2.5-0.5B
stages:
  problems: {kind: data, task: math, dataset: math, train: 20}
  better: {kind: rl, data: problems, reward: loud_and_short, epochs: 1, prompts_per_step: 5}
"""
USE = """
import json

from flows.recipe.load import load_recipe
from flows.recipe.smoke import smoke
from rl_core.rewards.pool import ScoreItem, ScoringPool
from rl_core.rewards.reward import resolve

recipe = load_recipe("toy.yaml")
responses = ["RESULT 72!", "so RESULT 71!", "the answer is 72"]
with ScoringPool(1, 5.0) as pool:
    scores = pool.score([ScoreItem("gsm8k", response, "72") for response in responses], resolve(recipe.stages["better"].reward))
print(json.dumps({"rewards": [score.components for score in scores], "taught": smoke(recipe).stages["problems"].answer_form}))
"""


@pytest.mark.slow
def test_a_new_reward_is_one_file_and_no_edit_elsewhere(tmp_path: Path) -> None:
    """Its preset is a reward of recipes, its parts are weighed, its reader finds the answer, and a smoke run teaches the form of it."""
    environment = copied_packages(tmp_path)
    shutil.copy(ROOT / "tests" / "fixtures" / "toy_reward.py", tmp_path / "rl_core" / "rewards" / "components" / "loud.py")
    (tmp_path / "toy.yaml").write_text(RECIPE)

    def python(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True)

    done = python("-c", USE)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "rewards": [{"shouted": 2.0, "few_words": 0.5}, {"shouted": 0.0, "few_words": 1 / 3}, {"shouted": 0.0, "few_words": 0.25}],
        "taught": "RESULT {answer}!",
    }
    wrong = python("-m", "flows.cli", "plan", "toy.yaml", "--set", "better.reward=loud_and_shrt").stderr
    assert "stages.better.reward: unknown reward 'loud_and_shrt'; did you mean 'loud_and_short'?" in wrong


def module(name: str, **content: Any) -> ModuleType:
    made = ModuleType(name)
    vars(made).update(content)
    return made


@pytest.mark.follows("too; rename one of them")
def test_a_copy_that_is_not_renamed_is_refused() -> None:
    first = module("one", COMPONENTS={"a": Component(accuracy, 0.0)}, PRESETS={"p": {"a": 1.0}})
    with pytest.raises(TypeError, match=r"^two: the reward 'a' is that of one, too; rename one of them$"):
        of_modules([first, module("two", COMPONENTS={"a": Component(accuracy, 0.0)})])
    with pytest.raises(TypeError, match=r"^two: the reward 'p' is that of one, too; rename one of them$"):
        of_modules([first, module("two", PRESETS={"p": {"a": 2.0}})])
    with pytest.raises(TypeError, match=r"^two: no component 'b' for the preset 'q'$"):
        of_modules([first, module("two", PRESETS={"q": {"b": 1.0}})])
    renamed = module("two", COMPONENTS={"b": Component(accuracy, 0.0)}, PRESETS={"q": {"b": 1.0, "a": 1.0}})
    assert [list(found) for found in of_modules([first, renamed])] == [["a", "b"], ["p", "q"]]
