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
MERGE_BOMB = "a: &a {x: 1, y: 2}\n" + "\n".join(
    f"{name}: &{name} {{<<: [{', '.join([f'*{before}'] * 9)}]}}" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
DEEP = "a: &a x\n" + "\n".join(  # no line is too deep by itself
    f"{name}: &{name} {'[' * 40}*{before}{']' * 40}" for before, name in zip("ab", "bc", strict=True)
)


@pytest.mark.follows("`<<` stands here twice; write `<<: [*first, *second]`")
def test_several_mappings_are_merged_by_one_key() -> None:
    text = "a: &first {x: 1}\nb: &second {y: 2}\nc:\n  <<: *first\n  <<: *second"
    with pytest.raises(yaml.YAMLError, match="stands here twice"):
        read_yaml(text)
    assert read_yaml(text.replace("  <<: *first\n  <<: *second", "  <<: [*first, *second]"))["c"] == {"x": 1, "y": 2}


# As people write them: Rails' database.yml, docker compose, GitLab CI, DVC's params.yaml, mihomo.
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("shared: &s {a: 1, b: [2]}\none: *s\ntwo: {<<: *s, a: 3}", {"one": {"a": 1, "b": [2]}, "two": {"a": 3, "b": [2]}}),
        ("shared: &s {a: 1}\none:\n  a: 3\n  <<: *s\n  b: 4\n", {"one": {"a": 3, "b": 4}}),  # the place of `<<` does not matter
        ("a: &a {x: 1}\nb: &b {x: 2, y: 2}\none: {<<: [*a, *b], z: 3}", {"one": {"x": 1, "y": 2, "z": 3}}),  # the first counts
        ("a: &a {x: 1, y: 1}\nb: &b {<<: *a, x: 2}\none: {<<: *b, y: 3}", {"b": {"x": 2, "y": 1}, "one": {"x": 2, "y": 3}}),
        ("b: {c: &b {<<: {x: 1}, x: 2}}\none: {<<: [*b]}", {"b": {"c": {"x": 2}}, "one": {"x": 2}}),
        ("one:\n  deep: {kept: 1}\n  <<: {deep: {lost: 2}}", {"one": {"deep": {"kept": 1}}}),  # not mapping by mapping
        ("lr: &lr 1e-3\none: {rates: [*lr, *lr]}", {"one": {"rates": ["1e-3", "1e-3"]}}),
        ("'<<': {a: 1}", {"<<": {"a": 1}}),
    ],
)
def test_aliases_and_merge_keys_repeat_what_is_written_once(text: str, value: dict[str, object]) -> None:
    found = read_yaml(text)
    assert {key: found[key] for key in value} == value


def test_what_an_alias_repeats_can_be_changed_by_itself() -> None:
    found = read_yaml("a: &a {in: {x: 1}, list: [1]}\nb: *a\nc: {<<: *a}")
    found["a"]["in"]["x"] = 2
    found["a"]["list"].append(2)
    assert found["b"] == found["c"] == {"in": {"x": 1}, "list": [1]}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (BOMB, "aliases repeat more than 100,000 values"),
        ("a: &a [*a]", "an alias leads back to what it is in"),
        ("a: &a {b: {c: *a}}", "an alias leads back to what it is in"),
        ("[" * 60 + "]" * 60, f"nested in more than {DEEPEST} levels"),
        ("[" * 100_000, f"nested in more than {DEEPEST} levels"),
        ("{a: 1, a: 2}", "the key 'a' stands here twice"),
        ("a: &a {x: 1, x: 2}\nb: {<<: *a}", "the key 'x' stands here twice"),
        ("a: &a {x: 1}\nb: {<<: *a, <<: *a}", r"`<<` stands here twice; write `<<: \[\*first, \*second\]`"),
        (MERGE_BOMB, "aliases repeat more than 100,000 values"),
        (DEEP, f"nested in more than {DEEPEST} levels"),
        ("a: &a {<<: *a}", "an alias leads back to what it is in"),
        ("a: &a 1\nb: {<<: *a}", "expected a mapping or list of mappings for merging, but found scalar"),
        ("{[1]: 2}", "a key is a single value"),
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
