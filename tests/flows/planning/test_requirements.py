from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from flows.planning import estimate
from flows.planning.plan import Plan
from flows.planning.requirements import TooMuch, require_machine, short_of, wants_of
from flows.recipe.load import load_recipe, shipped
from rl_core.devices import GIB
from tasks.costs.machine import Machine, machine_called
from tasks.costs.models import describe_model
from tasks.kinds import MODEL_KINDS
from tasks.kinds.eval import EvalStage
from tasks.kinds.rl import RlStage
from tasks.kinds.sft import SftStage
from tests.flows.without_smoke import WITHOUT

Planner = Callable[..., Plan]
MINI = Path(__file__).parents[2] / "fixtures" / "mini.yaml"
LAPTOP = Machine(0, cores=2, memory=23 * GIB, packages=frozenset(), label="laptop")


@pytest.fixture
def on(monkeypatch: pytest.MonkeyPatch) -> Callable[[Machine], None]:
    """Plans are made for another machine than the one that runs this."""
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    return lambda machine: monkeypatch.setattr(estimate, "this_machine", lambda: machine)


def refusal(plan: Plan) -> str:
    with pytest.raises(TooMuch) as caught:
        require_machine(plan)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def remedies(message: str) -> list[str]:
    """The changes that a refusal offers."""
    return [part.split()[0].rstrip(",") for part in message.partition("Try ")[2].split("--set ")[1:]]


def test_a_recipe_for_gpus_on_a_laptop(plan_of: Planner, on: Callable[[Machine], None]) -> None:
    on(LAPTOP)
    message = refusal(plan_of(recipe="logic_rl"))
    assert message.startswith(
        "stages.warmup wants 4 GPUs of 80 GB, vllm, deepspeed; here: no GPU, 2 cores, 23 GB of memory, no vllm, no deepspeed; "
        "the package vllm is not installed; the package deepspeed is not installed; without a GPU it needs about "
    )
    assert message.endswith("five, anneal, scores as well. Try --profile smoke, or --anyway")
    require_machine(plan_of(recipe="logic_rl", profile="smoke"))


@pytest.mark.parametrize("name", sorted(shipped().keys() - WITHOUT))
def test_every_recipe_in_the_smoke_profile_does_with_a_laptop(name: str, plan_of: Planner, on: Callable[[Machine], None]) -> None:
    on(LAPTOP)
    require_machine(plan_of(recipe=name, profile="smoke"))


def test_what_runs_on_a_cpu_is_not_refused(plan_of: Planner, on: Callable[[Machine], None]) -> None:
    on(LAPTOP)
    require_machine(plan_of(recipe="quickstart"))
    require_machine(plan_of(recipe="smollm2-gsm8k"))
    on(Machine(0, cores=1, memory=4 * GIB, packages=frozenset()))
    require_machine(plan_of())


def test_more_workers_than_cores_can_start(plan_of: Planner, on: Callable[[Machine], None]) -> None:
    on(LAPTOP)
    resources = "warm.resources={training_workers: 4, rollout_workers: 12, start_timeout: 30}"
    message = refusal(plan_of(resources))
    assert message == (
        f"stages.warm wants 16 workers; here: {LAPTOP}; its 16 workers need about 80 s to start on 2 cores, and start_timeout gives them "
        "30. Try --set warm.resources.training_workers=1 --set warm.resources.rollout_workers=1 --set warm.resources.start_timeout=180.0, "
        "or --profile smoke, or --anyway"
    )
    require_machine(plan_of(resources, *remedies(message)))
    on(Machine(0, cores=16, memory=23 * GIB, packages=frozenset()))
    require_machine(plan_of(resources))


@pytest.mark.follows("Try {}")
@pytest.mark.parametrize(
    ("recipe", "changes", "machine"),
    [
        ("oat_zero", [], "4xh100"),  # half of the devices
        ("simplerl_zoo", [], "8xh200"),
        ("oat_zero", ["dr_grpo.resources.engine_memory=0.15"], "8xa100"),  # no room for the weights in the engine's share
        ("open_r1", ["grpo.resources.zero_stage=1", "model=Qwen/Qwen2.5-7B"], "8xa100"),
        ("unsloth_gsm8k", ["grpo.prompts_per_step=128", "grpo.resources.tokens_per_batch=131072"], "1xrtx4090"),  # activations
    ],
)
def test_a_printed_remedy_works(recipe: str, changes: list[str], machine: str, plan_of: Planner, on: Callable[[Machine], None]) -> None:
    on(machine_called(machine))
    message = refusal(plan_of(*changes, recipe=recipe))
    found = remedies(message)
    assert found, message
    require_machine(plan_of(*changes, *found, recipe=recipe))


def test_a_missing_engine_has_a_stand_in(plan_of: Planner, on: Callable[[Machine], None]) -> None:
    on(Machine(8, machine_called("h100").device, 80 * GIB, 96, 1000 * GIB, frozenset({"deepspeed"})))
    message = refusal(plan_of(recipe="oat_zero"))
    assert "the package vllm is not installed" in message
    found = remedies(message)
    assert {"dr_grpo.engine=transformers", "scores.engine=transformers"} < set(found)
    require_machine(plan_of(*found, recipe="oat_zero"))
    on(Machine(8, machine_called("h100").device, 80 * GIB, 96, 1000 * GIB, frozenset({"deepspeed", "vllm"})))
    require_machine(plan_of(recipe="oat_zero"))


def test_memory_beside_the_gpus(plan_of: Planner, on: Callable[[Machine], None]) -> None:
    small = Machine(128, machine_called("h100").device, 80 * GIB, 96, 100 * GIB, frozenset({"deepspeed", "vllm"}))
    on(small)
    assert "of memory beside the GPUs" in refusal(plan_of(recipe="dapo"))  # 16 bytes of 32.8 billion parameters


@pytest.mark.parametrize("address", ["http://head:8265", "head:6379"])
def test_what_a_cluster_has_is_for_the_cluster_to_say(
    address: str, plan_of: Planner, on: Callable[[Machine], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    on(LAPTOP)
    monkeypatch.setenv("RAY_ADDRESS", address)
    require_machine(plan_of(recipe="logic_rl", until="anneal"))
    monkeypatch.delenv("RAY_ADDRESS")
    require_machine(plan_of(f"warmup.resources.cluster='{address}'", recipe="logic_rl", until="warmup"))


def test_years_are_refused_though_the_memory_would_do(plan_of: Planner, on: Callable[[Machine], None]) -> None:
    on(Machine(0, cores=2, memory=4000 * GIB, packages=frozenset({"vllm", "deepspeed"})))
    assert "; it would take years; " in refusal(plan_of(recipe="simplerl_zoo", until="grpo")).replace(". Try", "; Try")


def test_an_unknown_model_is_not_refused(plan_of: Planner, on: Callable[[Machine], None]) -> None:
    on(Machine(0, cores=2, memory=4 * GIB, packages=frozenset({"vllm", "deepspeed"})))
    require_machine(plan_of("model=someone/something", "warm.resources={ray: false}", "cold.start=model"))


def test_devices_by_hand() -> None:
    def gpus(recipe: str, stage: str, *changes: str) -> int:
        found = load_recipe(recipe, changes).stages[stage]
        assert isinstance(found, SftStage | RlStage | EvalStage)
        return MODEL_KINDS[found.kind].gpus(found)

    assert gpus("logic_rl", "warmup") == 4
    assert gpus("simplerl", "ppo") == 16 + 16
    assert gpus("demystify_long_cot", "ppo") == 64
    assert gpus("dapo", "dapo") == 128
    assert gpus("dapo", "scores") == 4
    assert gpus("smollm2-gsm8k", "cold_start") == 1


def test_the_size_of_a_gpu_by_hand() -> None:
    recipe = load_recipe("oat_zero")
    stage, model = recipe.stages["scores"], describe_model(recipe.model)
    assert isinstance(stage, EvalStage)
    # Weights of 7.6 billion parameters in bfloat16 and a little cache are 14.5 GB, which are in vLLM's share (0.8) of 24 GB, not of 16.
    assert str(wants_of(stage, model)) == "1 GPU of 24 GB, vllm"
    assert str(wants_of(stage, None)) == "1 GPU, vllm"


def test_a_recipe_fits_what_it_says_it_is_meant_for() -> None:
    for name, machine in (("logic_rl", "4xh100"), ("tinyzero_ppo", "2xh100"), ("oat_zero", "8xa100"), ("simplerl_zoo", "16xh100"),
                          ("open_r1", "8xh100"), ("simplerl", "32xa100"), ("deepscaler", "32xa100"), ("dapo", "128xh100"),
                          ("demystify_long_cot", "64xh100")):  # fmt: skip
        recipe = load_recipe(name)
        model = describe_model(recipe.model)
        for stage_name, stage in recipe.stages.items():
            if isinstance(stage, SftStage | RlStage | EvalStage):
                assert short_of(stage, model, machine_called(machine)) == [], (name, stage_name)


def test_the_colocated_engines_must_fit_beside_the_trainers(plan_of: Planner, on: Callable[[Machine], None], tmp_path: Path) -> None:
    on(Machine(16, machine_called("h100").device, 80 * GIB, 96, 1000 * GIB, frozenset({"deepspeed", "vllm"})))
    recipe = yaml.safe_load(MINI.read_text())
    recipe["stages"]["warm"]["resources"] = {"training_workers": 4, "rollout_workers": 12}
    (tmp_path / "crowd.yaml").write_text(yaml.safe_dump(recipe))
    assert "12 engines of 1 devices do not fit beside 4 training workers" in refusal(plan_of(recipe=str(tmp_path / "crowd.yaml")))
