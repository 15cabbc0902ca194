from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from rl_core.config.own_files import FOLDERS
from rl_core.config.sft import SftConfig
from rl_core.templates.own import OwnTemplate


def read(template: Any, *folders: Path) -> Any:
    return SftConfig.model_validate({"steps": 1, "template": template}, context={FOLDERS: list(folders)}).template


def wrong(template: Any, *folders: Path) -> str:
    with pytest.raises(ValidationError) as error:
        read(template, *folders)
    return str(error.value)


def test_a_name_or_ones_own(tmp_path: Path) -> None:
    assert read("boxed") == "boxed"
    own = OwnTemplate(user="{question} Think first.", think=("<thought>", "</thought>"))
    assert read({"user": "{question} Think first.", "think": ["<thought>", "</thought>"]}) == own
    (tmp_path / "mine.yaml").write_text("user: '{question} Think first.'\nthink: [<thought>, </thought>]\n")
    assert read("mine.yaml", tmp_path) == own.model_copy(update={"name": "mine"})
    assert read(str(tmp_path / "mine.yaml")).name == "mine"


@pytest.mark.follows("write it where the problem belongs", "write its text into `user`")
def test_what_is_wrong_with_ones_own(tmp_path: Path) -> None:
    assert "{question} has to stand in it once: write it where the problem belongs in place of {problem}" in wrong(
        {"user": "Solve {problem}"}
    )
    assert "in place of {{ prompt }}" in wrong({"user": "Solve {{ prompt }}"})
    assert "has to stand in it once" in wrong({"user": "{question} {question}"})
    assert f"a file with a template is wanted ({tmp_path}/nowhere.yaml: No such file or directory)" in wrong("nowhere.yaml", tmp_path)
    (tmp_path / "list.yaml").write_text("- user\n")
    assert "list.yaml: a mapping with `user` is wanted" in wrong("list.yaml", tmp_path)
    (tmp_path / "broken.yaml").write_text("user: '{question}\n")
    assert "broken.yaml: while scanning a quoted scalar" in wrong("broken.yaml", tmp_path)
    assert "a raw template has no system message: write its text into `user`" in wrong({"system": "Think.", "raw": True})
    assert "two different marks" in wrong({"think": ["|", "|"]})
    assert "Extra inputs are not permitted" in wrong({"usr": "{question}"})
    (tmp_path / "mine.yaml").write_text("user: '{question}'\n")
    assert read("mine.yaml", tmp_path).user == read({"user": "Solve {question}", "raw": True}).user.removeprefix("Solve ") == "{question}"
