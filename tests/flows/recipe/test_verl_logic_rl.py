"""The files of the recipe for verl, which does not run here: its reward is Logic-RL's, and its prompts have the columns that verl reads."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pyarrow.parquet as pq
import pytest

from flows.recipe.load import SHIPPED, load_recipe
from rl_core.data.knights_knaves import generate
from rl_core.data.prompts import Prompt, write_prompts
from rl_core.rewards.reward import reader, resolve, rules_of, score
from rl_core.rewards.verdict import Verdict
from rl_core.rewards.verify import settle

PROMPT = Prompt("knights_knaves", "Who is what?", json.dumps({"names": ["Zoey", "Oliver"], "roles": ["knight", "knave"]}), "2")
RIGHT, WRONG = "(1) Zoey is a knight\n(2) Oliver is a knave", "(1) Zoey is a knave\n(2) Oliver is a knave"
RESPONSES = {
    f"<think>x</think><answer>{RIGHT}</answer>": 3.0,
    f"<think>x</think>\n<answer> {RIGHT.upper()} </answer> ": 3.0,
    f"<think>x</think><answer>{WRONG}</answer>": -0.5,
    "<think>x</think><answer>Zoey is a knight</answer>": -1.0,
    f"<think>x</think><answer>{RIGHT}, and a knight</answer>": -1.0,
    "<think>x</think><answer>Zoey is the knight, Oliver a knave</answer>": -1.0,
    "<think>x</think><answer></answer>": -1.0,
    f"<think>x<answer>{RIGHT}</answer>": -3.0,
    f"<think>x</think><think></think><answer>{RIGHT}</answer>": -3.0,
    f"</think><think><answer>{RIGHT}</answer>": -3.0,
    f"<think>x</think><answer>{RIGHT}": -3.0,
    "": -3.0,
}


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("verl_logic_rl", SHIPPED / "verl_logic_rl.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("response", "reward"), RESPONSES.items())
def test_the_reward_is_that_of_logic_rl(script: ModuleType, response: str, reward: float) -> None:
    truth = {"solution_text_format": RIGHT}
    assert script.compute_score("kk_logic", response, truth, extra_info={}) == reward
    weights = resolve("logic_rl")
    verdict = settle(PROMPT.task, response, PROMPT.gold, reader(weights), rules_of(weights))
    assert isinstance(verdict, Verdict)
    assert score(weights, response, verdict).reward == reward


def test_prompts_in_the_columns_of_verl(tmp_path: Path) -> None:
    prompts = {split: generate(3, 4, split, seed=0) for split in ("train", "test")}
    for split, rows in prompts.items():
        write_prompts(tmp_path / f"{split}.parquet", rows)
    (tmp_path / "out").mkdir()
    command = [sys.executable, str(SHIPPED / "verl_logic_rl.py"), "--data", str(tmp_path), "--output", str(tmp_path / "out")]
    subprocess.run(command, check=True, cwd=Path(__file__).parents[3])
    for split, rows in prompts.items():
        table = pq.read_table(tmp_path / "out" / f"{split}.parquet").to_pylist()
        assert [list(row) for row in table] == [["data_source", "prompt", "ability", "reward_model", "extra_info"]] * 4
        for index, (row, prompt) in enumerate(zip(table, rows, strict=True)):
            assert (row["data_source"], row["ability"], row["reward_model"]["style"]) == ("kk_logic", "logic", "rule")
            assert [message["role"] for message in row["prompt"]] == ["system", "user"]
            assert prompt.question in row["prompt"][1]["content"]
            assert (row["extra_info"]["split"], row["extra_info"]["index"]) == (split, index)
            gold = json.loads(prompt.gold)
            for number, (name, role) in enumerate(zip(gold["names"], gold["roles"], strict=True), start=1):
                assert f"({number}) {name} is a {role}" in row["reward_model"]["ground_truth"]["solution_text_format"].split("\n")


def test_the_settings_are_those_of_the_script() -> None:
    """main_grpo.sh: what of it reached the command line of today's verl."""
    words = dict(word.split("=", 1) for word in load_recipe("verl_logic_rl").stages["grpo"].run.split() if "=" in word)
    actor, rollout = "actor_rollout_ref.actor", "actor_rollout_ref.rollout"
    wanted = {
        "algorithm.adv_estimator": "grpo",
        f"{actor}.optim.lr": "3e-7",
        "data.train_batch_size": "64",
        f"{rollout}.n": "16",
        "data.max_prompt_length": "400",
        "data.max_response_length": "2048",
        f"{rollout}.temperature": "1.0",
        f"{actor}.kl_loss_coef": "0.001",
        f"{actor}.kl_loss_type": "low_var_kl",
        f"{actor}.ppo_mini_batch_size": "32",
        "trainer.total_epochs": "5",
        "trainer.save_freq": "10",
        f"{rollout}.gpu_memory_utilization": "0.6",
    }
    assert {name: words[name] for name in wanted} == wanted
