from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from flows.planning.plan import make_specs
from flows.recipe.load import check, load_recipe, resolved, shipped
from flows.recipe.schema import RecipeError
from tasks.kinds.rl import RlStage
from tasks.stage.digests import Digests
from tasks.workspace import Workspace

RECIPE = """
name: short
model: some/model
defaults:
  data: {task: knights_knaves, source: generate, train: 40}
  rl:
    data: kk
    template: plain
    reward: logic_rl
    algorithm: {name: grpo, kl_coefficient: 0.01}
    prompts_per_step: 4
    group_size: 4
    steps: 3
    temperature: 0.9
    learning_rate: {schedule: cosine, peak: 1e-6}
    max_response_tokens: 64
stages:
  kk: {kind: data, people: [3]}
  other: {kind: data, task: gsm8k}
  one: {kind: rl, learning_rate: 1e-7, algorithm: {clip_high: 0.3}}
  two: {kind: rl, start: one, temperature: {start: 1.0, end: 0.5}, learning_rate: {start: 3e-6}, resources: {threads: 1}}
"""


def load(tmp_path: Path, text: str = RECIPE, *changes: str):
    path = tmp_path / "short.yaml"
    path.write_text(text)
    return load_recipe(str(path), changes)


def rl(recipe: Any, name: str) -> RlStage:
    stage = recipe.stages[name]
    assert isinstance(stage, RlStage)
    return stage


def test_a_stage_takes_what_it_does_not_name(tmp_path: Path) -> None:
    recipe = load(tmp_path)
    one, two = rl(recipe, "one"), rl(recipe, "two")
    assert (one.data, one.group_size, one.algorithm.kl_coefficient.start, one.algorithm.clip_high) == (["kk"], 4, 0.01, 0.3)
    assert (one.learning_rate.schedule, one.learning_rate.start) == ("constant", 1e-7)  # a bare number replaces the schedule
    assert (two.learning_rate.schedule, two.learning_rate.start) == ("cosine", 3e-6)  # `start` is `peak`
    assert (one.temperature.start, two.temperature.start, two.temperature.end) == (0.9, 1.0, 0.5)  # a schedule replaces a bare number


@pytest.mark.follows("has no such setting; add the `task` that it is for to")
def test_defaults_of_data_are_for_stages_of_their_task(tmp_path: Path) -> None:
    stages = resolved(load(tmp_path))["stages"]
    assert (stages["kk"]["task"], stages["kk"]["source"], stages["kk"]["train"]) == ("knights_knaves", "generate", 40)
    assert (stages["other"]["task"], stages["other"]["train"]) == ("gsm8k", None)
    every = load(
        tmp_path, RECIPE.replace("task: knights_knaves, source: generate, ", "").replace("data, people", "data, task: countdown, numbers")
    )
    assert [every.stages[name].train for name in ("kk", "other")] == [40, 40]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("temperature: 0.9", "temprature: 0.9", "defaults.rl.temprature: unknown key; did you mean 'temperature'?"),
        ("temperature: 0.9", "lr: 1e-6", "defaults.rl.lr: unknown key; did you mean 'learning_rate'?"),
        ("temperature: 0.9", "clip_high: 0.3", "defaults.rl.clip_high: unknown key; did you mean 'defaults.rl.algorithm.clip_high'?"),
        ("temperature: 0.9", "temperature: -1", "defaults.rl.temperature: input should be greater than or equal to 0, not -1"),
        ("temperature: 0.9", "temperature: .nan", "defaults.rl.temperature: nan is not a finite number"),
        (
            "temperature: 0.9",
            "temperature: {end: 1, bogus: 2}",
            "defaults.rl.temperature.bogus: unknown key; known: schedule, start, end, warmup",
        ),
        ("name: grpo,", "nam: grpo,", "defaults.rl.algorithm.nam: unknown key; did you mean 'name'?"),
        (
            "algorithm: {name: grpo, kl_coefficient: 0.01}",
            "algorithm: grpo",
            "defaults.rl.algorithm: settings are wanted here (key: value), not 'grpo': write {name: grpo}",
        ),
        ("data: kk\n", "data: kkk\n", "defaults.rl.data: there is no stage 'kkk'; did you mean 'kk'?"),
        ("data: kk\n", "data: [kk, kk]\n", "defaults.rl.data: a stage is named twice"),
        ("  rl:\n", "  rll:\n", "defaults.rll: there is no such kind of stage; did you mean 'rl'?"),
        (
            "  rl:\n",
            "  sft: {steps: many}\n  rl:\n",
            "defaults.sft.steps: input should be a valid integer, unable to parse string as an integer, not 'many'",
        ),  # also where no stage is of the kind
        ("  rl:\n", "  eval: 3\n  rl:\n", "defaults.eval: settings are wanted here (key: value), not 3"),
        ("defaults:\n", "default:\n", "default: unknown key; did you mean 'defaults'?"),
        ("defaults:\n", "_anchors:\n", "_anchors: unknown key; keys that are there for their anchors alone begin with `x-`"),
        (
            "task: knights_knaves,",
            "task: chess,",
            "defaults.data.task: 'chess' is not known; known: countdown, gsm8k, knights_knaves, math, own, reasoning_gym",
        ),
        ("task: knights_knaves, source: generate,", "levls: [3],", "defaults.data.levls: unknown key; did you mean 'levels'?"),
        ("task: knights_knaves,", "", "defaults.data.source: other has no such setting; add the `task` that it is for to defaults.data"),
        ("steps: 3", "steps: 3\n    kind: sft", "defaults.rl.kind: input should be 'rl', not 'sft'"),
        (
            "start: one,",
            "start: one, epochs: 2,",
            "stages.two: `steps` and `epochs` exclude each other: remove one "
            "(`steps` from defaults.rl: the stage may set it otherwise, or to null)",
        ),
        ("{threads: 1}", "{threads: 0}", "stages.two.resources.threads: input should be greater than or equal to 1, not 0"),
    ],
)
def test_what_is_wrong_is_said_where_it_was_written(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in RECIPE
    with pytest.raises(RecipeError) as caught:
        load(tmp_path, RECIPE.replace(old, new, 1))
    assert str(caught.value) == message


def test_a_setting_of_defaults_that_excludes_another_is_taken_away_by_null(tmp_path: Path) -> None:
    two = rl(load(tmp_path, RECIPE.replace("start: one,", "start: one, epochs: 2, steps: null,")), "two")
    assert (two.epochs, two.steps) == (2, None)


@pytest.mark.parametrize("written", ["ppo_trainer", "[ppo_trainer, _self_]"])  # NeMo-RL's, Hydra's
def test_defaults_of_other_tools_are_led_to_extends(tmp_path: Path, written: str) -> None:
    with pytest.raises(RecipeError, match=r"^defaults: settings by kind .*; to build on another recipe write `extends"):
        load(tmp_path, f"name: x\nmodel: y\ndefaults: {written}\nstages: {{}}")


def test_no_defaults_are_no_error(tmp_path: Path) -> None:
    assert list(load(tmp_path, "name: x\nmodel: y\ndefaults:\nstages: {kk: {kind: data, task: gsm8k}}").stages) == ["kk"]


def test_defaults_of_many_stages_are_bounded(tmp_path: Path) -> None:
    words = ", ".join(f"w{number}: x" for number in range(1000))
    stages = "\n".join(f"  a{number}: {{kind: analyze, of: one}}" for number in range(200))
    text = RECIPE.replace("  rl:\n", f"  analyze: {{keywords: {{many: {{patterns: {{{words}}}}}}}}}\n  rl:\n", 1)
    with pytest.raises(RecipeError, match=r"^defaults: written out in every stage they come to more than 100,000 values$"):
        load(tmp_path, f"{text}{stages}")


def test_a_change_of_defaults_reaches_the_stages_that_take_it(tmp_path: Path) -> None:
    recipe = load(tmp_path, RECIPE, "defaults.rl.temperature=0.7", "defaults.rl.learning_rate.end=1e-8")
    assert (rl(recipe, "one").temperature.start, rl(recipe, "two").temperature.start) == (0.7, 1.0)
    assert (rl(recipe, "one").learning_rate.end, rl(recipe, "two").learning_rate.end) == (None, 1e-8)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("defaults.rl.temprature=1", "defaults.rl.temprature: unknown key; did you mean 'temperature'?"),
        ("defaults.rll.steps=1", "defaults.rll: there is no such kind of stage; did you mean 'rl'?"),
        ("defaults.sft.steps=1", "--set defaults.sft.steps=1: defaults.sft would change nothing, for no stage is of this kind"),
        (
            "defaults.rl.learning_rate.start=1",
            "--set defaults.rl.learning_rate.start=1: "
            "defaults.rl.learning_rate.start would "
            "change nothing, for every stage names it itself; "
            "change stages.one.learning_rate.start, stages.two.learning_rate.start",
        ),
        ("defaults.rl=3", "defaults.rl: settings are wanted here (key: value), not 3"),
        ("extends=quickstart", "--set extends=quickstart: a recipe is extended by a file with `extends: RECIPE`"),
    ],
)
def test_a_change_of_defaults_that_does_nothing_is_refused(tmp_path: Path, change: str, message: str) -> None:
    with pytest.raises(RecipeError) as caught:
        load(tmp_path, RECIPE, change)
    assert str(caught.value) == message


def test_a_change_of_a_stage_is_one_of_the_result(tmp_path: Path) -> None:
    whole = load(tmp_path, RECIPE, "one.algorithm={name: dr_grpo}")
    assert (rl(whole, "one").algorithm.name, rl(whole, "one").algorithm.kl_coefficient.start) == ("dr_grpo", 0.0)
    part = load(tmp_path, RECIPE, "one.algorithm.clip_low=0.1", "two.learning_rate.start=1e-5")
    assert (rl(part, "one").algorithm.clip_low, rl(part, "one").algorithm.kl_coefficient.start) == (0.1, 0.01)
    assert (rl(part, "two").learning_rate.schedule, rl(part, "two").learning_rate.start) == ("cosine", 1e-5)
    new = load(tmp_path, RECIPE, "stages.three={kind: rl, start: two}")
    assert rl(new, "three").group_size == 4


def test_the_record_of_a_run_has_no_defaults_to_change(tmp_path: Path) -> None:
    recipe = load(tmp_path)
    assert "defaults" not in resolved(recipe)
    with pytest.raises(RecipeError, match=r"would change nothing, for every stage names it itself; change stages.one.temperature"):
        load(tmp_path, yaml.safe_dump(resolved(recipe)), "defaults.rl.temperature=0.5")


def shortened(document: dict[str, Any]) -> dict[str, Any]:
    """A recipe with the settings that all stages of a kind share in `defaults`."""
    defaults: dict[str, Any] = {}
    for kind in {stage["kind"] for stage in document["stages"].values()}:
        alike = [stage for stage in document["stages"].values() if stage["kind"] == kind]
        defaults[kind] = {key: value for key, value in alike[0].items() if key != "kind" and all(s.get(key) == value for s in alike)}
    stages = document["stages"].items()
    own = {name: {key: value for key, value in stage.items() if key not in defaults[stage["kind"]]} for name, stage in stages}
    return document | {"stages": own, "defaults": defaults}


@pytest.mark.parametrize("name", shipped())
def test_a_recipe_with_defaults_or_extended_has_the_fingerprints_of_the_one_written_out(name: str, tmp_path: Path) -> None:
    def fingerprints(recipe: Any) -> dict[str, str]:
        specs = make_specs(recipe, Workspace.at(tmp_path), None, Digests(tmp_path / "digests.json"))
        return {stage: spec.fingerprint for stage, spec in specs.items()}

    written_out = check(resolved(load_recipe(name)))
    with_defaults = shortened(resolved(written_out))
    assert sum(len(stage) for stage in with_defaults["stages"].values()) < sum(len(s) for s in resolved(written_out)["stages"].values())
    variant = tmp_path / "variant.yaml"
    variant.write_text(f"extends: {name}\nname: variant\n")
    expected = fingerprints(load_recipe(name))
    assert fingerprints(written_out) == fingerprints(check(with_defaults)) == expected
    assert fingerprints(load_recipe(str(variant))) == expected
    assert resolved(load_recipe(str(variant))) == resolved(written_out) | {"name": "variant"}
