from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from flows.recipe.load import load_recipe, resolved
from flows.recipe.schema import RecipeError

BASE = """
name: base
model: some/model
x-shared: &shared {template: plain, max_response_tokens: 8}
stages:
  kk: {kind: data, task: knights_knaves, people: [2], source: generate, train: 40, test: 5}
  one: {<<: *shared, kind: rl, data: kk, steps: 1, group_size: 2, prompts_per_step: 2, resources: {ray: false, threads: 1}}
  two: {<<: *shared, kind: rl, data: kk, steps: 2, group_size: 2, prompts_per_step: 2, start: one}
  scores: {kind: eval, checkpoints: [one, two], benchmarks: [knights_knaves], template: plain}
"""
LARGE = f"x-one: &one [{'1, ' * 300}]\nx-many: [{'*one, ' * 200}]"  # 60,000 values


@pytest.fixture
def variant(tmp_path: Path):
    """Loads a recipe that lies beside base.yaml."""
    (tmp_path / "base.yaml").write_text(BASE)

    def load(text: str, *changes: str):
        (tmp_path / "variant.yaml").write_text(text)
        return load_recipe(str(tmp_path / "variant.yaml"), changes)

    return load


def test_a_variant_names_what_differs(variant) -> None:
    recipe = variant(
        "extends: base.yaml\nname: v\nseed: 7\nstages:\n  two: null\n  one: {steps: 5, resources: {threads: 2}}\n"
        "  scores: {checkpoints: [one, three]}\n  three: {kind: rl, data: kk, start: one, steps: 1, template: plain}\n"
    )
    stages = resolved(recipe)["stages"]
    assert list(stages) == ["kk", "one", "scores", "three"]
    assert (recipe.name, recipe.seed, recipe.model) == ("v", 7, "some/model")
    assert (stages["one"]["steps"], stages["one"]["group_size"], stages["one"]["max_response_tokens"]) == (5, 2, 8)
    assert (stages["one"]["resources"]["threads"], stages["one"]["resources"]["ray"]) == (2, False)
    assert stages["scores"]["checkpoints"] == ["one", "three"]  # a list replaces


def test_defaults_of_a_variant_are_those_of_its_base_too(variant, tmp_path: Path) -> None:
    base = yaml.safe_load(BASE)
    (tmp_path / "shorter.yaml").write_text(yaml.safe_dump(base | {"defaults": {"rl": {"temperature": 0.8, "max_grad_norm": 0.5}}}))
    stages = variant("extends: shorter.yaml\nname: v\ndefaults: {rl: {temperature: 0.6}, eval: {samples: 2}}").stages
    assert (stages["one"].temperature.start, stages["two"].max_grad_norm, stages["scores"].samples) == (0.6, 0.5, 2)
    assert variant("extends: shorter.yaml\nname: v\ndefaults: {rl: null}").stages["one"].temperature.start == 1.0


def test_a_stage_of_another_kind_or_task_is_a_new_one(variant) -> None:
    recipe = variant("extends: base.yaml\nname: v\nstages: {kk: {task: countdown, numbers: [3]}, scores: {kind: analyze, of: [one]}}")
    assert [recipe.stages[name].kind for name in ("kk", "scores")] == ["data", "analyze"]
    assert recipe.stages["kk"].train != 40


def test_a_shipped_recipe_is_extended_by_its_name_and_a_chain_is_followed(variant, tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "middle.yaml").write_text("extends: ../base.yaml\nstages: {one: {steps: 4, group_size: 6}}\n")
    stages = variant("extends: deep/middle.yaml\nname: v\nstages: {one: {steps: 9}}").stages
    assert (stages["one"].steps, stages["one"].group_size) == (9, 6)
    assert variant("extends: quickstart\nname: v\nstages: {five: {steps: 3}}").stages["five"].steps == 3


def test_a_name_by_set_will_do(variant) -> None:
    assert variant("extends: base.yaml", "name=other").name == "other"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("extends: base.yaml", "D/variant.yaml: name: is missing; a recipe that extends another one has a name of its own"),
        (
            "extends: base.yaml\nname: base",
            "D/variant.yaml: name: 'base' is the name of D/base.yaml, which this recipe extends; take another one",
        ),
        (
            "extends: base.yaml\nname: v\nstages: {onee: null}",
            "D/variant.yaml: stages.onee: there is no such stage to remove; did you mean 'one'?",
        ),
        ("extends: base.yaml\nname: v\nstages: {one: null}", "stages.two.start: there is no stage 'one'; known: none"),
        ("extends: base.yaml\nname: v\nstages: {one: {stepz: 3}}", "stages.one.stepz: unknown key; did you mean 'steps'?"),
        (
            "extends: base.yaml\nname: v\ndefaults: {rl: {template: boxed}}",
            "D/variant.yaml: defaults.rl.template would change nothing, "
            "for every stage names it itself; change stages.one.template, stages.two.template",
        ),
        (
            "extends: base.yaml\nname: v\ndefaults: {sft: {steps: 3}}",
            "D/variant.yaml: defaults.sft would change nothing, for no stage is of this kind",
        ),
        ("extends: base.yaml\nname: v\ndefaults: {rl: {stepz: 3}}", "defaults.rl.stepz: unknown key; did you mean 'steps'?"),
        ("extends: [base.yaml]\nname: v", "D/variant.yaml: extends: the name of a shipped recipe or a path is wanted, not ['base.yaml']"),
        ("extends:\nname: v", "D/variant.yaml: extends: the name of a shipped recipe or a path is wanted, not None"),
        (
            "extends: quikstart\nname: v",
            "D/variant.yaml: extends: no recipe is called 'quikstart'; did you mean 'quickstart'? (or give a path to a .yaml file)",
        ),
        (
            "extends: nope.yaml\nname: v",
            "D/variant.yaml: extends: D/nope.yaml: no such recipe file; `r1flow recipes` lists those that are shipped",
        ),
        (
            "extends: middle.yaml\nname: v",
            "D/variant.yaml -> D/middle.yaml: extends: D/nope.yaml: no such recipe file; `r1flow recipes` lists those that are shipped",
        ),
        (
            "extends: variant.yaml\nname: v",
            "D/variant.yaml -> D/variant.yaml: these recipes extend each other in a circle; remove one `extends`",
        ),
        (
            "extends: circle.yaml\nname: v",
            "D/variant.yaml -> D/circle.yaml -> D/variant.yaml: these recipes extend each other in a circle; remove one `extends`",
        ),
        ("extends: broken.yaml\nname: v", "D/broken.yaml, line 2: not valid YAML: expected the node content, but found '<stream end>'"),
        ("extends: large.yaml\nname: v\n" + LARGE, "D/variant.yaml -> D/large.yaml: more than 100,000 values in all"),
        ("base_config: base.yaml\nname: v", "base_config: unknown key; a recipe builds on another one with `extends: RECIPE`"),
    ],
)
def test_what_is_wrong_names_the_chain(variant, tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "middle.yaml").write_text("extends: nope.yaml\n")
    (tmp_path / "circle.yaml").write_text("extends: ./variant.yaml\nname: c\n")
    (tmp_path / "broken.yaml").write_text("name: {\n")
    (tmp_path / "large.yaml").write_text("name: large\n" + LARGE)
    with pytest.raises(RecipeError) as caught:
        variant(text)
    assert str(caught.value).replace(str(tmp_path), "D") == message


def test_an_anchor_may_stand_under_a_key_of_its_own(variant) -> None:
    recipe = variant(
        "extends: base.yaml\nname: v\nx-fast: &fast {steps: 1}\nx-none: 3\nstages: {two: {<<: *fast}, one: {<<: *fast, steps: 6}}"
    )
    assert (recipe.stages["two"].steps, recipe.stages["one"].steps) == (1, 6)


@pytest.mark.follows(
    "remove one `extends`", "a recipe that extends another one has a name of its own", "which this recipe extends; take another one"
)
def test_doing_what_the_message_says_makes_a_variant(variant, tmp_path: Path) -> None:
    (tmp_path / "circle.yaml").write_text("extends: variant.yaml\nname: c\n")
    for wrong, says in (
        ("extends: circle.yaml", "remove one `extends`"),
        ("extends: base.yaml", "has a name of its own"),
        ("extends: base.yaml\nname: base", "take another one"),
    ):
        with pytest.raises(RecipeError, match=says):
            variant(wrong)
    assert variant("extends: base.yaml\nname: v").name == "v"
