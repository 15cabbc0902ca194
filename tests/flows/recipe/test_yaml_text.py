from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from flows.recipe.load import load_recipe
from flows.recipe.schema import RecipeError
from flows.recipe.yaml_text import DEEPEST, read_yaml

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "\n".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


def test_aliases_and_merge_keys_repeat_what_is_written_once() -> None:
    text = "shared: &shared {a: 1, b: [2]}\none: *shared\ntwo: {<<: *shared, a: 3}"
    assert read_yaml(text) == {"shared": {"a": 1, "b": [2]}, "one": {"a": 1, "b": [2]}, "two": {"a": 3, "b": [2]}}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (BOMB, "aliases repeat more than 100,000 values"),
        ("a: &a [*a]", "an alias leads back to what it is in"),
        ("a: &a {b: {c: *a}}", "an alias leads back to what it is in"),
        ("[" * 60 + "]" * 60, f"nested in more than {DEEPEST} levels"),
        ("[" * 100_000, f"nested in more than {DEEPEST} levels"),
        ("{a: 1, a: 2}", "the key 'a' stands here twice"),
        ("!!python/object/apply:os.system [true]", "could not determine a constructor"),
    ],
)
def test_what_is_refused(text: str, problem: str) -> None:
    with pytest.raises(yaml.YAMLError, match=problem):
        read_yaml(text)


def test_a_recipe_of_nothing_but_aliases_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "bomb.yaml"
    path.write_text(BOMB)
    with pytest.raises(RecipeError, match=r"^.*bomb.yaml, line \d+: not valid YAML: aliases repeat more than 100,000 values$"):
        load_recipe(str(path))
