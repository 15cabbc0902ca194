from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from flows.recipe.load import check, load_recipe, resolved, shipped
from flows.recipe.schema import RecipeError
from tasks.kinds.rl import RlStage

MINI = Path(__file__).parents[2] / "fixtures" / "mini.yaml"


@pytest.mark.parametrize("name", shipped())
def test_every_shipped_recipe_reads_and_its_resolved_form_is_the_same_recipe(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    assert check(yaml.safe_load(yaml.safe_dump(resolved(recipe)))) == recipe


OPENRLHF = ((0.9, 0.95), 0.0)  # --adam_betas, --l2 of openrlhf/cli/train_ppo_ray.py
OAT = ((0.9, 0.95), 0.0)  # adam_beta_1, adam_beta_2, l2 of oat/args.py
VERL = ((0.9, 0.999), 0.01)  # actor_optimizer in verl/workers/fsdp_workers.py
TRANSFORMERS = ((0.9, 0.999), 0.0)  # adam_beta1, adam_beta2, weight_decay of TrainingArguments


@pytest.mark.parametrize(
    ("name", "optimizer", "kl_clamp", "prompt"),
    [
        # Betas and weight decay; the clamp of low_var_kl in verl/trainer/ppo/core_algos.py; the longest prompt of the script.
        ("dapo", ((0.9, 0.999), 0.1), None, 2048),
        ("deepscaler", VERL, 10, 1024),
        ("demystify_long_cot", OPENRLHF, None, 2048),
        ("logic_rl", VERL, 10, 400),
        ("oat_zero", OAT, None, 1024),
        ("open_r1", TRANSFORMERS, None, 512),
        ("simplerl", OPENRLHF, None, 1024),
        ("simplerl_zoo", VERL, 10, 1024),
        ("tinyzero_grpo", VERL, 10, 256),
        ("tinyzero_ppo", VERL, None, 256),
        ("unsloth_gsm8k", ((0.9, 0.99), 0.1), None, None),
    ],
)
def test_reproduced_projects_have_the_optimizer_of_their_trainer(
    name: str, optimizer: tuple[tuple[float, float], float], kl_clamp: float | None, prompt: int | None
) -> None:
    stages = [stage for stage in load_recipe(name).stages.values() if isinstance(stage, RlStage)]
    for stage in stages:
        assert stage.max_prompt_tokens == prompt
        assert (stage.adam_betas, stage.weight_decay) == optimizer
        assert stage.adam_epsilon == 1e-8
        assert stage.algorithm.kl_clamp == kl_clamp
        assert "mismatch" in stage.algorithm.model_fields_set  # on purpose not as there, and said
        per_response = optimizer == OPENRLHF and stage.algorithm.advantage == "gae"  # ValueLoss in openrlhf/models/loss.py
        assert stage.algorithm.value_aggregation == ("sequence_mean_token_mean" if per_response else "token_mean")


def test_kl_of_demystify_is_shared_by_the_discounts_of_its_rewards() -> None:
    stage = load_recipe("demystify_long_cot").stages["ppo"]
    assert isinstance(stage, RlStage)
    assert stage.penalties.dense_repetition is not None
    assert stage.algorithm.kl_discounts == [stage.algorithm.discount, stage.penalties.dense_repetition.discount] == [1.0, 0.99]


def test_a_key_given_twice_is_an_error_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "twice.yaml"
    path.write_text("name: twice\nseed: 1\nseed: 2\n")
    with pytest.raises(RecipeError, match=r"twice.yaml, line 3: not valid YAML: the key 'seed' stands here twice"):
        load_recipe(str(path))


@pytest.mark.parametrize("text", ["", "- a\n", "name: [\n", "a: b: c\n", "\x00"])
def test_a_file_that_is_no_recipe(tmp_path: Path, text: str) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(text)
    with pytest.raises(RecipeError, match=r"broken.yaml") as caught:
        load_recipe(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.follows("(or give a path to a .yaml file)")
def test_the_nearest_shipped_recipe_is_offered() -> None:
    with pytest.raises(
        RecipeError, match=r"no recipe is called 'quikstart'; did you mean 'quickstart'\? \(or give a path to a .yaml file\)"
    ):
        load_recipe("quikstart")
    assert load_recipe("quickstart").name == "quickstart"
    assert load_recipe(str(MINI)).name == "mini"


def test_a_change_reaches_into_a_default_and_a_bare_number() -> None:
    warm = load_recipe(str(MINI), ["warm.algorithm.clip_high=0.28", "stages.warm.temperature={start: 1.0, end: 0.5}", "seed=4"]).stages[
        "warm"
    ]
    assert warm.algorithm.clip_high == 0.28  # type: ignore[union-attr]
    assert warm.temperature.end == 0.5  # type: ignore[union-attr]
