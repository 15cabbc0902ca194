"""A recipe with a reward function of its own: what a plan says of it, and what is found wrong before a run."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from flows.planning.checks import check_before_run, check_with_data
from flows.planning.plan import Plan, make_plan
from flows.recipe.request import RunRequest
from rl_core.data.prompts import Prompt, write_prompts
from rl_core.errors import InputError
from tests.flows.conftest import MINI

REWARD = "    reward: {knights_knaves: 1, 'my_rewards.py:brevity': 0.2}\n"
CODE = "from helper import length\n\ndef brevity(response, gold):\n    return 1 / (1 + length(response))\n"


class User:
    """A folder with a recipe and the code beside it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder, self.workspace = folder, folder.parent / "runs"
        recipe = MINI.read_text().replace("    prompts_per_step", f"{REWARD}    prompts_per_step")
        (folder / "mine.yaml").write_text(recipe)
        (folder / "my_rewards.py").write_text(CODE)
        (folder / "helper.py").write_text("def length(text):\n    return len(text)\n")

    def edit(self, file: str, old: str, new: str) -> None:
        path = self.folder / file
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    def plan(self, *changes: str) -> Plan:
        request = {"recipe": str(self.folder / "mine.yaml"), "changes": list(changes), "workspace": self.workspace}
        return make_plan(RunRequest.model_validate(request))

    def why(self, *changes: str) -> dict[str, list[str]]:
        return {stage.spec.stage: stage.reasons for stage in self.plan(*changes).to_run}


@pytest.fixture
def user(tmp_path: Path) -> User:
    return User(tmp_path / "user")


@pytest.fixture
def done(user: User, make: Callable[..., None]) -> User:
    for stage in user.plan().stages:
        make(stage.spec)
    return user


def test_a_plan_says_which_code_changed(done: User) -> None:
    assert done.why() == {}
    done.edit("my_rewards.py", "1 /", "2 /")
    assert done.why()["warm"] == ["reward my_rewards.py changed"]
    assert set(done.why()) == {"warm", "scores", "cot", "report"}
    done.edit("helper.py", "len(text)", "len(text.split())")
    assert done.why()["warm"] == ["reward helper.py changed", "reward my_rewards.py changed"]
    done.edit("my_rewards.py", "2 /", "1 /")
    done.edit("helper.py", "len(text.split())", "len(text)")
    assert done.why() == {}  # as it was
    (done.folder / "unused.py").write_text("broken(")
    assert done.why() == {}
    done.edit("mine.yaml", "brevity': 0.2", "brevity': 0.3")
    assert done.why()["warm"] == ["warm.reward.my_rewards.py:brevity 0.2 -> 0.3"]


def test_a_folder_may_be_moved(done: User, tmp_path: Path) -> None:
    shutil.move(done.folder, tmp_path / "elsewhere")
    done.folder = tmp_path / "elsewhere"
    assert done.why() == {}


def test_a_stage_has_the_code_as_it_was_planned(user: User) -> None:
    planned = next(stage.spec for stage in user.plan().stages if stage.spec.stage == "warm")
    user.edit("my_rewards.py", "1 /", "2 /")
    assert planned.code == {"helper.py": (user.folder / "helper.py").read_text(), "my_rewards.py": CODE}
    assert set(planned.identity["reward"]) == {"helper.py", "my_rewards.py"}
    others = [stage.spec for stage in user.plan().stages if stage.spec.stage != "warm"]
    assert not any(spec.code or "reward" in spec.identity for spec in others)


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("mine.yaml", "my_rewards.py:", "my_reward.py:", r"/my_reward.py: no such file; did you mean 'my_rewards.py'\?$"),
        ("mine.yaml", ":brevity", ":brevty", r"my_rewards.py has no function 'brevty'; did you mean 'brevity'\?$"),
        ("my_rewards.py", "def brevity(", "def brevity((", r"/my_rewards.py, line 3: Function parameters cannot be parenthesized"),
        ("helper.py", "return", "retrun", r"/helper.py, line 2: invalid syntax: retrun len\(text\)$"),
        ("mine.yaml", "my_rewards.py:", "no.such.module:", r"no module 'no' \(of no.such.module\); install it"),
    ],
)
def test_a_plan_finds_what_is_not_there(user: User, file: str, old: str, new: str, message: str) -> None:
    user.edit(file, old, new)
    with pytest.raises(InputError, match=rf"^stages.warm.reward: .*{message}"):
        user.plan()


def test_a_plan_imports_nothing(user: User) -> None:
    user.edit("helper.py", "def length", "raise RuntimeError('imported')\ndef length")
    plan = user.plan()
    with pytest.raises(InputError, match=r"^stages.warm.reward: my_rewards.py:brevity: RuntimeError: imported \(helper.py, line 1\)$"):
        check_before_run(plan)


@pytest.mark.follows("it is an async function; write it with def")
@pytest.mark.follows("its parameter {} has no name that a call could use: remove the / behind it")
@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ("async def brevity(response, gold)", "it is an async function; write it with def"),
        ("def brevity(response, /, gold)", "its parameter 'response' has no name that a call could use: remove the / behind it"),
    ],
)
def test_a_function_that_is_corrected_is_loaded(user: User, bad: str, message: str) -> None:
    good = "def brevity(response, gold)"
    user.edit("my_rewards.py", good, bad)
    with pytest.raises(InputError, match=message):
        check_before_run(user.plan())
    user.edit("my_rewards.py", bad, good)
    check_before_run(user.plan())


def test_a_function_is_called_as_soon_as_there_are_prompts(user: User) -> None:
    user.edit("my_rewards.py", "1 /", "gold.no_such /")
    plan = user.plan()
    check_before_run(plan)  # no prompts yet: it can be loaded
    puzzles = next(stage.spec for stage in plan.stages if stage.spec.stage == "puzzles")
    puzzles.directory.mkdir(parents=True)
    write_prompts(puzzles.directory / "train.parquet", [Prompt("gsm8k", "2 + 2?", "4")])
    for check in (check_with_data, check_before_run):
        with pytest.raises(
            InputError, match=r"^stages.warm.reward: .*AttributeError: 'str' object has no attribute 'no_such' \(my_rewards.py"
        ):
            check(plan)


def test_a_verifier_of_ones_own_is_part_of_its_data_stage(user: User, make: Callable[..., None]) -> None:
    (user.folder / "judge.py").write_text("from helper import length\nclass Rhyme: pass\n")
    (user.folder / "rhymes.jsonl").write_text('{"question": "with day", "answer": "may"}\n' * 20)
    puzzles = next(line for line in (user.folder / "mine.yaml").read_text().splitlines() if "puzzles:" in line)
    user.edit("mine.yaml", puzzles, "  puzzles: {kind: data, source: rhymes.jsonl, verifier: 'judge.py:Rhyme'}")
    for stage in user.plan().stages:
        make(stage.spec)
    data = next(stage.spec for stage in user.plan().stages if stage.spec.stage == "puzzles")
    assert set(data.code) == {"helper.py", "judge.py"}
    assert data.identity["settings"]["verifier"] == "judge.py:Rhyme"
    user.edit("judge.py", "pass", "name = 'rhyme'")
    assert user.why()["puzzles"] == ["verifier judge.py changed"]
    user.edit("judge.py", "name = 'rhyme'", "pass")
    shutil.move(user.folder, user.folder.parent / "elsewhere")
    user.folder = user.folder.parent / "elsewhere"
    assert user.why() == {}
    user.edit("mine.yaml", "judge.py:Rhyme", "judge.py:Rhymes")
    with pytest.raises(InputError, match=r"^stages.puzzles.verifier: judge.py has no class 'Rhymes'; did you mean 'Rhyme'\?$"):
        user.plan()
