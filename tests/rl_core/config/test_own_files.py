from pathlib import Path
from typing import Annotated

import pytest

from rl_core.config.base import Settings
from rl_core.config.own_files import FOLDERS, OwnCode, OwnFiles, by_name, code_within, paths_in, split_path
from tasks.stage.fingerprint import meaning


class Example(Settings):
    source: Annotated[str | list[str], OwnFiles()] = "files"
    reward: Annotated[str | dict[str, float], OwnFiles()] = "accuracy"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("rewards.py:brevity", (Path("rewards.py"), "brevity")),
        ("../code/my rewards.py:group.brevity", (Path("../code/my rewards.py"), "group.brevity")),
        ("data/train.jsonl", (Path("data/train.jsonl"), "")),
        ("hub:openai/gsm8k@v1.0#train", None),
        ("package.module:brevity", None),
        ("knights_knaves", None),
        ("generate", None),
    ],
)
def test_what_is_a_path(text: str, found: tuple[Path, str] | None) -> None:
    assert split_path(text) == found


def test_paths_are_found_beside_the_recipe_and_then_beside_what_it_extends(tmp_path: Path) -> None:
    recipe, base = tmp_path / "variant", tmp_path / "base"
    for folder, name in ((recipe, "here.jsonl"), (base, "there.jsonl"), (base, "here.jsonl")):
        folder.mkdir(exist_ok=True)
        (folder / name).touch()
    context = {FOLDERS: [recipe, base]}
    written = {"source": ["here.jsonl", "there.jsonl", "nowhere.jsonl"], "reward": {"accuracy": 1, "../base/own.py:brief": 0.5}}
    found = Example.model_validate(written, context=context)
    assert found.source == [f"{recipe}/here.jsonl", f"{base}/there.jsonl", f"{recipe}/nowhere.jsonl"]
    assert found.reward == {"accuracy": 1, f"{base}/own.py:brief": 0.5}
    assert Example.model_validate(found.model_dump()) == found  # read back without the recipe
    assert paths_in(found.reward) == [base / "own.py"]
    assert paths_in(found.source)[1] == base / "there.jsonl"
    assert meaning(found) == {
        "source": ["here.jsonl", "there.jsonl", "nowhere.jsonl"],
        "reward": {"accuracy": 1, "own.py:brief": 0.5},
    }
    assert by_name("accuracy") == "accuracy"


class Judged(Settings):
    verifier: Annotated[str | dict[str, dict[str, str]], OwnCode()] = "math"


def test_of_a_setting_that_names_code_only_the_names_are_paths(tmp_path: Path) -> None:
    context = {FOLDERS: [tmp_path]}
    assert Judged.model_validate({"verifier": "judge.py:Rhyme"}, context=context).verifier == f"{tmp_path}/judge.py:Rhyme"
    pattern = {"regex": {"pattern": "a.b"}}  # not the file a.b
    assert Judged.model_validate({"verifier": pattern}, context=context).verifier == pattern
    found = Judged.model_validate({"verifier": {"judge.py:Rhyme": {"words": "list.txt"}}}, context=context)
    assert found.verifier == {f"{tmp_path}/judge.py:Rhyme": {"words": "list.txt"}}
    assert meaning(found) == {"verifier": {"judge.py:Rhyme": {"words": "list.txt"}}}
    assert code_within(found.verifier, Path("/copy")) == {"/copy/judge.py:Rhyme": {"words": "list.txt"}}
    assert code_within("package.module:Rhyme", Path("/copy")) == "package.module:Rhyme"
