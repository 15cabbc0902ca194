from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from rl_core.errors import InputError
from rl_core.own_code.sources import digests, sources, write

FILES = {
    "rewards.py": "import json, numpy\nimport text.words\nfrom shared import limit\n\ndef brief(response):\n    from late import value\n",
    "text/__init__.py": "",
    "text/words.py": "from . import counts\nfrom .deep.most import deepest\nfrom ..outside import nothing\n",
    "text/counts.py": "import text.words  # a circle\n",
    "text/deep/most.py": "from ..helper import help\n",  # a folder without __init__.py
    "text/helper.py": "import sys",
    "text/unused.py": "",
    "shared.py": "",
    "late.py": "import rl_core.errors\n",
    "unused.py": "",
    "rl_core/errors.py": "",  # of ours there is no copy
    "other.py": "def other(response): pass",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(FILES, tmp_path / "mine")
    return tmp_path / "mine"


def test_a_file_comes_with_what_it_imports_from_its_folder(folder: Path) -> None:
    found = sources([f"{folder / 'rewards.py'}:brief"])
    wanted = ["late.py", "rewards.py", "shared.py", "text/__init__.py"]
    assert list(found) == [*wanted, "text/counts.py", "text/deep/most.py", "text/helper.py", "text/words.py"]
    assert found["text/counts.py"] == FILES["text/counts.py"]
    assert list(sources([f"{folder / 'other.py'}:other"])) == ["other.py"]
    assert digests({"a": "x"}) == {"a": hashlib.sha256(b"x").hexdigest()}


def test_a_module_comes_with_its_packages(folder: Path, monkeypatch) -> None:
    monkeypatch.syspath_prepend(folder)
    (folder / "text" / "words.py").write_text("def brief(response): pass")
    assert list(sources(["text.words:brief"])) == ["text/__init__.py", "text/words.py"]


def test_of_an_installed_package_there_is_no_copy_to_import() -> None:
    [place] = sources(["pydantic.functional_validators:field_validator"])
    assert place == "installed/pydantic/functional_validators.py"


def test_what_is_wrong_in_an_imported_file_is_named(folder: Path) -> None:
    (folder / "text" / "helper.py").write_text("x = 1\nx = = 2\n")
    with pytest.raises(InputError, match=r"text/helper.py, line 2: invalid syntax: x = = 2"):
        sources([f"{folder / 'rewards.py'}:brief"])


@pytest.mark.follows("is another one than that of the same name beside it; rename one of them")
def test_two_files_of_one_name_are_refused(folder: Path, tmp_path: Path) -> None:
    write({"first.py": "import shared\ndef first(response): pass", "shared.py": "LIMIT = 2"}, tmp_path / "more")
    names = [f"{folder / 'rewards.py'}:brief", f"{tmp_path / 'more' / 'first.py'}:first"]
    with pytest.raises(InputError, match=r"its file shared.py is another one than that of the same name beside it; rename one of them"):
        sources(names)
    write({"first.py": "import common\ndef first(response): pass", "common.py": "LIMIT = 2"}, tmp_path / "more")
    assert {"first.py", "common.py", "shared.py"} <= sources(names).keys()
