from __future__ import annotations

from pathlib import Path

import yaml

from flows.recipe.load import check, load_recipe

MINI = Path(__file__).parents[2] / "fixtures" / "mini.yaml"


def test_stages_come_after_what_they_need_and_data_first() -> None:
    document = yaml.safe_load(MINI.read_text())
    document["stages"] = dict(reversed(document["stages"].items())) | {"late": document["stages"]["puzzles"]}
    assert check(document).order() == ["puzzles", "late", "cold", "warm", "scores", "cot", "report"]


def test_ancestors_and_descendants() -> None:
    recipe = load_recipe(str(MINI))
    assert recipe.ancestors("warm") == {"cold", "puzzles"}
    assert recipe.descendants("warm") == {"scores", "cot", "report"}
    assert recipe.ancestors("puzzles") == set()
