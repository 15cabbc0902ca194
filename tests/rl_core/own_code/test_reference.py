from __future__ import annotations

from pathlib import Path

import pytest

from rl_core.errors import InputError
from rl_core.own_code.reference import find, is_own

CODE = """
import re as regular
from helpers import shared
LIMIT: int = 3
try:
    import fast
except ImportError:
    fast = None

def brevity(response):
    pass

class Judge:
    def method(self): pass

if LIMIT:
    def conditional(response): pass
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "my_rewards.py"
    path.write_text(CODE)
    return path


@pytest.mark.parametrize("name", ["brevity", "Judge", "Judge.method", "conditional", "shared", "regular", "fast", "LIMIT"])
def test_names_of_a_file_are_found_without_running_it(file: Path, name: str) -> None:
    found = find(f"{file}:{name}")
    assert (found.name, found.file, found.root, found.member) == (f"my_rewards.py:{name}", file, file.parent, name)
    assert not found.installed


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("my_reward.py:brevity", r"/my_reward.py: no such file; did you mean 'my_rewards.py'\?$"),
        ("nothing/like_it.py:brevity", r"/nothing/like_it.py: no such file$"),
        ("my_rewards.py:brevty", r"^my_rewards.py has no function 'brevty'; did you mean 'brevity'\?$"),
        ("my_rewards.py:other", r"^my_rewards.py has no function 'other'; known: Judge, brevity, conditional$"),
        ("my_rewards.py", r"^my_rewards.py: which function\? write my_rewards.py:NAME; known: Judge, brevity, conditional$"),
        ("broken.py:brevity", r"/broken.py, line 2: invalid syntax: def brevity\(:$"),
        ("binary.py:brevity", r"/binary.py: cannot be read as a text in UTF-8"),
        ("null.py:brevity", r"/null.py(, line \d+)?: source code (string )?cannot contain null bytes"),
        ("folder.py:brevity", r"/folder.py: no such file$"),
    ],
)
def test_what_is_not_there_is_one_line(file: Path, name: str, message: str) -> None:
    (file.parent / "broken.py").write_text("import os\ndef brevity(:\n")
    (file.parent / "binary.py").write_bytes(b"\xff\xfe\x00")
    (file.parent / "null.py").write_text("a = 1\0\n")
    (file.parent / "folder.py").mkdir()
    with pytest.raises(InputError, match=message) as caught:
        find(f"{file.parent}/{name}")
    assert "\n" not in str(caught.value)


def test_the_name_that_is_asked_for_is_found(file: Path) -> None:
    with pytest.raises(InputError, match=r"write my_rewards\.py:NAME"):
        find(str(file))
    assert find(f"{file}:brevity").member == "brevity"


@pytest.mark.follows("put its folder on PYTHONPATH, or name a file: file.py:NAME")
def test_modules_are_found_without_importing_their_packages(tmp_path: Path, monkeypatch) -> None:
    package = tmp_path / "mine" / "inner"
    package.mkdir(parents=True)
    (tmp_path / "mine" / "__init__.py").write_text("raise RuntimeError('imported')")
    (package / "__init__.py").write_text("def here(response): pass")
    (package / "rewards.py").write_text(CODE)
    with pytest.raises(InputError, match=r"^no module 'mine' \(of mine.inner.rewards\); install it, put its folder on PYTHONPATH"):
        find("mine.inner.rewards:brevity")
    monkeypatch.syspath_prepend(tmp_path)
    found = find("mine.inner.rewards:brevity")
    assert (found.name, found.file, found.root) == ("mine.inner.rewards:brevity", package / "rewards.py", tmp_path)
    assert find("mine.inner:here").root == tmp_path
    assert find(f"{package / 'rewards.py'}:brevity").root == package
    with pytest.raises(InputError, match=r"^no module 'mine.inner.other'; install it"):
        find("mine.inner.other:brevity")
    with pytest.raises(InputError, match=r"^mine.inner.rewards has no function 'brevty'; did you mean 'brevity'\?$"):
        find("mine.inner.rewards:brevty")


@pytest.mark.follows("is no module of Python code; name one that is")
def test_installed_packages_and_compiled_modules() -> None:
    assert find("pydantic.functional_validators:field_validator").installed
    with pytest.raises(InputError, match=r"^math is no module of Python code"):
        find("math:sqrt")
    assert is_own("my.py:f")
    assert is_own("my.py")
    assert not is_own("accuracy")
