from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.recipe.load import check, load_recipe
from flows.recipe.schema import RecipeError
from tasks.kinds.sft import SftStage

MINI = Path(__file__).parents[2] / "fixtures" / "mini.yaml"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("name=cells", "name: a workspace keeps this name for a folder of its own; take another one, not 'cells'"),
        ('warm.learning_rate={"a\\nb": 1}', r"stages.warm.learning_rate.'a\nb': unknown key; known: schedule, start, end, warmup"),
        ("warm.temprature=1", "stages.warm.temprature: unknown key; did you mean 'temperature'?"),
        ("warm.steps=many", "stages.warm.steps: input should be a valid integer, unable to parse string as an integer, not 'many'"),
        ("warm.group_size=0", "stages.warm.group_size: input should be greater than or equal to 1, not 0"),
        ("warm.group_size=1", "stages.warm: `group_size: 1` leaves nothing to compare for `algorithm: grpo`; give 2 or more"),
        ("warm.temperature=-1", "stages.warm.temperature: input should be greater than or equal to 0, not -1"),
        ("warm.learning_rate=.inf", "stages.warm.learning_rate: inf is not a finite number"),
        ("warm.algorithm.nam=grpo", "stages.warm.algorithm.nam: unknown key; did you mean 'name'?"),
        ("warm.algorithm=grpo", "stages.warm.algorithm: settings are wanted here (key: value), not 'grpo': write {name: grpo}"),
        ("warm.algorithm.name=dr-grpo", "stages.warm.algorithm.name: 'dr-grpo' is not known; did you mean 'dr_grpo'?"),
        (
            "warm.algorithm.aggregation=token-mean",
            "stages.warm.algorithm.aggregation: 'token-mean' is not known; did you mean 'token_mean'?",
        ),
        ("warm.penalties=overlong", "stages.warm.penalties: settings are wanted here (key: value), not 'overlong'"),
        ("warm.kind=rll", "stages.warm.kind: 'rll' is not known; did you mean 'rl'?"),
        ("warm.kind=null", "stages.warm.kind: 'None' is not known; known: analyze, command, data, eval, report, rl, sft"),
        ("warm.steps=null", "stages.warm: give `steps` or `epochs`"),
        ("warm.start=colt", "stages.warm.start: there is no stage 'colt'; did you mean 'cold'?"),
        ("warm.start=puzzles", "stages.warm.start: 'puzzles' is a stage of kind data, wanted is command or rl or sft: cold"),
        (
            "warm.start=model",
            "stages.warm.start: the model of this recipe is made from nothing by an sft stage; name one of cold",
        ),
        (
            "cold.start=warm",
            "stages.cold: the stages need each other in a circle: cold -> warm -> cold; remove one of these references",
        ),
        ("scores.checkpoints=[cold, cold]", "stages.scores.checkpoints: a stage is named twice"),
        ("scores.benchmarks=[{nam: gsm8k}]", "stages.scores.benchmarks.0.nam: unknown key; did you mean 'name'?"),
        (
            "puzzles.task=chess",
            "stages.puzzles.task: 'chess' is not known; known: countdown, gsm8k, knights_knaves, math, own, reasoning_gym",
        ),
        ("warm.resources.tensor_parallel=2", "stages.warm: `resources.tensor_parallel` needs `engine: vllm`, not transformers"),
        (
            "warm.resources={ray: false, training_workers: 2}",
            "stages.warm: more than one worker needs Ray: remove `resources.ray: false`, or ask for one",
        ),
        ("warm.resources.offload=optimizer", "stages.warm: `resources.offload` needs `backend: deepspeed`, not torch"),
        ("warm.resources.zero_stage=3", "stages.warm: `resources.zero_stage` needs `backend: deepspeed`, not torch"),
        ("warm.resources.engine_memory=0.9", "stages.warm: `resources.engine_memory` needs `engine: vllm`, not transformers"),
        ("warm.lora={rank: 0}", "stages.warm.lora.rank: input should be greater than or equal to 1, not 0"),
        ("puzzles.people=[9]", "stages.puzzles.people.0: input should be less than or equal to 8, not 9"),
        (
            "stages.puzzles={kind: data, task: knights_knaves, people: [2], doubt: 0.1}",
            "stages.puzzles: `names` and `doubt` are settings of generated puzzles: add `source: generate`",
        ),
        ("report.of=[scores]", "stages.report.of: a report reads the database of one analyze stage, 0 are named"),
        ("cot.of=[warm]", "stages.report.of: 'scores' is not in the database; add it to stages.cot.of"),
        ("model.layer=3", "model.layer: unknown key; did you mean 'layers'?"),
        ("model.heads=5", "model: hidden_size must be a multiple of heads, and heads a multiple of key_value_heads"),
        ("stages.Hot={kind: data}", "stages.Hot: 'Hot' is no name; use a-z, 0-9, _ and -, a letter first"),
        ("stages.model={kind: analyze, of: [warm]}", "stages.model: `model` names the recipe's model; call the stage otherwise"),
        ("wram.steps=3", "--set wram.steps=3: the recipe has no stage 'wram'; did you mean 'warm'?"),
        ("warm.steps", "--set warm.steps: write path=value, such as stages.five.temperature=0.9"),
        ("nmae=x", "nmae: unknown key; did you mean 'name'?"),
        ("warm.lr=1e-6", "stages.warm.lr: unknown key; did you mean 'learning_rate'?"),
        ("warm.algorithm.lr=1e-6", "stages.warm.algorithm.lr: unknown key; did you mean 'stages.warm.learning_rate'?"),
        ("warm.beta=0.04", "stages.warm.beta: unknown key; did you mean 'stages.warm.algorithm.kl_coefficient'?"),
        ("warm.actor.optim.lr=1e-6", "stages.warm.actor: unknown key; did you mean 'learning_rate'?"),
        ("warm.clip_high=0.3", "stages.warm.clip_high: unknown key; did you mean 'stages.warm.algorithm.clip_high'?"),
        ("warm.resources.engine=vllm", "stages.warm.resources.engine: unknown key; did you mean 'stages.warm.engine'?"),
        ("warm.seed=3", "stages.warm.seed: unknown key; did you mean 'seed', of the whole recipe?"),
        ("warm.top_k=5", "stages.warm.top_k: unknown key; training samples from the model's own distribution; there is `temperature`"),
        ("lr=1e-6", "lr: unknown key; did you mean 'stages.cold.learning_rate' or 'stages.warm.learning_rate'?"),
        (
            "actor_rollout_ref.rollout.n=8",
            "--set actor_rollout_ref.rollout.n=8: the recipe has no stage 'actor_rollout_ref'; "
            "did you mean 'stages.warm.group_size' or 'stages.scores.samples'?",
        ),
        ("cold.bogus=1", f"stages.cold.bogus: unknown key; known: {', '.join(SftStage.model_fields)}"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_with_its_path(change: str, message: str) -> None:
    with pytest.raises(RecipeError) as caught:
        load_recipe(str(MINI), [change])
    assert str(caught.value) == message


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from([None, "kind", "task", "start", "data", "benchmarks", "learning_rate", "of", "resources", "people"])


def one_line_or_recipe(read: Callable[[], object]) -> None:
    message = ""
    try:
        read()
    except RecipeError as error:
        message = str(error)
    assert "\n" not in message


@given(VALUES, st.sampled_from(["name", "model", "seed", "stages", "warm", "cold", "cot"]), KEYS)
def test_whatever_stands_somewhere_it_is_a_recipe_or_one_line(value: object, place: str, key: str | None) -> None:
    document = yaml.safe_load(MINI.read_text())
    if place in document and key is None:
        document[place] = value
    elif place in document["stages"]:
        document["stages"][place] = value if key is None else document["stages"][place] | {key: value}
    one_line_or_recipe(lambda: check(document))


@given(VALUES, st.sampled_from([None, "data", "sft", "rl", "eval", "analyze"]) | st.text(max_size=3), KEYS)
def test_whatever_stands_in_defaults_it_is_a_recipe_or_one_line(value: object, kind: str | None, key: str | None) -> None:
    document = yaml.safe_load(MINI.read_text())
    document["defaults"] = value if kind is None else {kind: value if key is None else {key: value}}
    one_line_or_recipe(lambda: check(document))


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["extends", "defaults", "stages", "x-a", "best"]) | st.text(max_size=3), VALUES, max_size=3))
def test_whatever_a_variant_holds_it_is_a_recipe_or_one_line(variant: dict[str, object]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "variant.yaml"
        path.write_text(yaml.safe_dump({"extends": str(MINI), "name": "variant"} | variant, allow_unicode=True))
        one_line_or_recipe(lambda: load_recipe(str(path), ["defaults.rl.temperature=0.5", "warm.steps=2"]))
