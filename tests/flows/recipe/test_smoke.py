from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import sympy

from evals.benchmarks import registry
from evals.benchmarks.registry import PROBLEM_SETS
from evals.config import BenchmarkSettings
from flows.recipe.load import check, load_recipe, shipped
from flows.recipe.schema import Recipe
from flows.recipe.smoke import BASE, LONGEST, SMOKE_MODEL, STAND_IN, TEXTS, smoke
from rl_core.data import math_sets
from rl_core.data.contamination import find_hits
from rl_core.data.math_sets import MATH_SETS
from rl_core.environments import gsm8k
from tasks.kind import MODEL
from tasks.kinds.eval import EvalStage
from tasks.kinds.rl import RlStage
from tests.flows.without_smoke import WITHOUT


def rl_stages(recipe: Recipe) -> dict[str, RlStage]:
    return {name: stage for name, stage in recipe.stages.items() if isinstance(stage, RlStage)}


@pytest.mark.parametrize("name", sorted(shipped().keys() - WITHOUT))
def test_a_smoke_recipe_is_the_same_experiment_at_another_size(name: str) -> None:
    full = load_recipe(name)
    small = smoke(full)
    assert full == load_recipe(name)  # nothing was changed in place
    assert (small.name, small.model) == (f"{name}-smoke", SMOKE_MODEL)
    assert set(small.stages) == set(full.stages) | ({BASE} if isinstance(full.model, str) else set())
    stand_in = BASE if isinstance(full.model, str) else MODEL
    for stage_name, before in full.stages.items():
        assert small.stages[stage_name].kind == before.kind
        for role, names in full.references(stage_name).items():
            assert small.references(stage_name)[role] == [stand_in if parent == MODEL else parent for parent in names]
    for stage_name, before in rl_stages(full).items():
        after = rl_stages(small)[stage_name]
        same = ("template", "reward", "weight_decay", "max_grad_norm", "asynchronous")
        assert all(getattr(after, key) == getattr(before, key) for key in same)
        schedules = {"kl_coefficient", "value_learning_rate"}
        assert after.algorithm.model_dump(exclude=schedules) == before.algorithm.model_dump(exclude=schedules)
        assert after.algorithm.uses_reference == before.algorithm.uses_reference
        assert (after.learning_rate.start, after.learning_rate.end) == (before.learning_rate.start, before.learning_rate.end)
        assert [penalty is None for _, penalty in after.penalties] == [penalty is None for _, penalty in before.penalties]
        assert (after.lora is None) == (before.lora is None)
        assert (after.minibatches > 1) == (before.minibatches > 1)
        assert (after.updates_per_step > 1) == (before.updates_per_step > 1)
        assert (after.steps, after.engine, after.backend, after.resources.ray) == (2, "transformers", "torch", False)
        assert after.prompts_per_step * after.group_size * after.max_response_tokens <= 16 * LONGEST


def test_response_lengths_keep_their_order() -> None:
    lengths = [stage.max_response_tokens for stage in rl_stages(smoke(load_recipe("deepscaler"))).values()]
    assert lengths == [64, 128, 192]  # of 8,192, 16,384 and 24,576


def test_what_is_small_already_stays() -> None:
    full = load_recipe(str(Path(__file__).parents[2] / "fixtures" / "mini.yaml"))
    small = smoke(full)
    before, after = rl_stages(full)["warm"], rl_stages(small)["warm"]
    assert (after.prompts_per_step, after.group_size, after.max_response_tokens) == (2, 2, 8)
    assert before.model_dump(exclude={"steps", "resources"}) == after.model_dump(exclude={"steps", "resources"})


def test_changes_come_first() -> None:
    changes = ["warmup.algorithm={name: gspo}", "warmup.penalties={overlong: {buffer: 512}}", "warmup.lora={targets: [q_proj, qkv]}"]
    warmup = rl_stages(smoke(load_recipe("logic_rl", changes)))["warmup"]
    assert (warmup.algorithm.name, warmup.algorithm.ratio) == ("gspo", "sequence")
    assert warmup.penalties.overlong is not None
    assert warmup.penalties.overlong.buffer == warmup.max_response_tokens // 4  # 512 of 2,048
    assert warmup.lora is not None
    assert warmup.lora.targets == ["q_proj"]  # the small model has no layer of the other name


def test_a_recipe_that_only_evaluates_gets_something_to_make_the_model_of() -> None:
    scores = {"kind": "eval", "checkpoints": ["model"], "benchmarks": ["gsm8k"]}
    small = smoke(check({"name": "scores", "model": "a/b-7B", "stages": {"scores": scores}}))
    assert small.order() == [TEXTS, BASE, "scores"]
    stage = small.stages["scores"]
    assert isinstance(stage, EvalStage)
    assert stage.checkpoints == [BASE]
    assert stage.benchmarks == [BenchmarkSettings(name="gsm8k", limit=2)]


@pytest.mark.parametrize("name", MATH_SETS)
def test_every_mathematical_set_has_a_stand_in(name: str) -> None:
    levels = [3, 5] if MATH_SETS[name].level else None
    prompts, left_out, _ = math_sets.load(name, levels, STAND_IN, bare_answers=True)
    assert left_out == 0
    assert len(prompts) == (16 if levels else 40)
    assert all(prompt.trace for prompt in prompts)


@pytest.mark.parametrize("name", PROBLEM_SETS)
def test_every_benchmark_has_a_stand_in_that_shares_nothing_with_training(name: str) -> None:
    problems = registry.load(BenchmarkSettings(name=name), STAND_IN)
    assert len(problems) == 8
    trained = [prompt for known in MATH_SETS for prompt in math_sets.load(known, None, STAND_IN)[0]] + gsm8k.load("train", STAND_IN)
    assert find_hits(trained, problems) == []


def test_the_answers_of_stand_ins_are_right() -> None:
    for prompt in math_sets.load("math", None, STAND_IN)[0]:
        _, formula = re.match(r"(\w+) \$(.+?)\$", prompt.question).groups()  # type: ignore[union-attr]
        assert judge_math(formula if prompt.question.startswith(("Compute", "Simplify", "Write")) else solved(formula), prompt.gold)
    for prompt in gsm8k.load("train", STAND_IN):
        boxes, pens, left = map(int, re.findall(r"\d+", prompt.question))
        assert int(prompt.gold) == boxes * pens + left


def solved(equation: str) -> str:
    """Of x - a = b."""
    a, b = map(int, re.findall(r"\d+", equation))
    return str(a + b)


def judge_math(value: str, gold: str) -> bool:
    plain = [re.sub(r"\\frac\{(\d+)\}\{(\d+)\}", r"Rational(\1,\2)", text).replace(r"\cdot", "*") for text in (value, gold)]
    left, right = (sympy.sympify(re.sub(r"(\d)x", r"\1*x", text)) for text in plain)
    return bool(sympy.simplify(left - right) == 0)


def test_the_stand_ins_are_what_their_program_writes(tmp_path: Path) -> None:
    program = Path(__file__).parents[3] / "infra" / "stand_in_data.py"
    subprocess.run([sys.executable, program, tmp_path], check=True)
    files = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*.*"))
    assert files == sorted(path.relative_to(STAND_IN) for path in STAND_IN.rglob("*.*"))
    for file in files:
        if file.suffix == ".parquet":  # its footer names the version of the library
            assert pq.read_table(tmp_path / file).equals(pq.read_table(STAND_IN / file))
        else:
            assert (tmp_path / file).read_text() == (STAND_IN / file).read_text()
