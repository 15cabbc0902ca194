"""The formulas by hand, and against what projects have published of their runs."""

from __future__ import annotations

import pytest

from flows.recipe.load import load_recipe
from tasks.costs.formulas import SPREAD
from tasks.costs.machine import Machine, machine_called
from tasks.costs.models import describe_model
from tasks.kinds.rl import KIND as RL
from tasks.kinds.rl import RlStage, state_bytes, step_seconds
from tasks.kinds.sft import KIND as SFT
from tasks.kinds.sft import SftStage

HOUR = 3600.0


def stage_of(recipe: str, stage: str, *changes: str) -> RlStage:
    found = load_recipe(recipe, changes).stages[stage]
    assert isinstance(found, RlStage)
    return found


def step(recipe: str, stage: str, device: str, *changes: str) -> float:
    found = load_recipe(recipe, changes)
    settings, model = found.stages[stage], describe_model(found.model)
    assert isinstance(settings, RlStage)
    assert model is not None
    seconds = step_seconds(settings, model, machine_called(device))
    assert seconds is not None
    return seconds


# What was published, in seconds, and what is computed for the same work.
PUBLISHED = {
    # README of github.com/hkust-nlp/simpleRL-reason, first version: 120 steps in about 1.5 days on 32 A100 or H100.
    "simplerl": (36 * HOUR, lambda: 120 * step("simplerl", "ppo", "32xa100")),
    # Its README of today: about 100 steps in 15 hours on 16 H100.
    "simplerl_zoo": (15 * HOUR, lambda: 100 * step("simplerl_zoo", "grpo", "16xh100")),
    # arXiv 2503.20783: 27 hours on 8 A100; about 500 steps (github.com/sail-sg/understand-r1-zero, issue 19).
    "oat_zero": (27 * HOUR, lambda: 500 * step("oat_zero", "dr_grpo", "8xa100")),
    # github.com/rllm-org/rllm, issue 29: 394 s a step of the first stage on 8 A100, 360 on 8 H200.
    "deepscaler 8K, A100": (394.0, lambda: step("deepscaler", "context8k", "8xa100")),
    "deepscaler 8K, H200": (360.0, lambda: step("deepscaler", "context8k", "8xh200")),
    # Its blog: 3,800 hours of an A100 for 1,750 steps, the first stage on 8 of them, the others on 32.
    "deepscaler": (
        3800 * HOUR,
        lambda: (
            8 * 1040 * step("deepscaler", "context8k", "8xa100")
            + 32 * 480 * step("deepscaler", "context16k", "32xa100")
            + 32 * 230 * step("deepscaler", "context24k", "32xa100")
        ),
    ),
}


@pytest.mark.parametrize("run", PUBLISHED)
def test_published_times_lie_in_the_range(run: str) -> None:
    published, computed = PUBLISHED[run]
    ratio = published / computed()
    if run == "deepscaler 8K, H200":  # no faster there than on an A100, which neither products nor bandwidth explain
        assert ratio > SPREAD
    else:
        assert 1 / SPREAD <= ratio <= SPREAD


def test_the_quickstart_on_two_cores() -> None:
    """README: 6 minutes for the cold start and 5 for the three RL stages, on two cores."""
    recipe, machine = load_recipe("quickstart"), Machine(0, cores=2)
    model = describe_model(recipe.model)
    assert model is not None
    cold = recipe.stages["cold_start"]
    assert isinstance(cold, SftStage)
    taught = SFT.seconds(cold, model, machine, 0)
    assert taught is not None
    assert 1 / SPREAD < 360 / taught < SPREAD
    rewarded = [RL.seconds(stage, model, machine, 0) or 0 for stage in recipe.stages.values() if isinstance(stage, RlStage)]
    assert 1 / SPREAD < 300 / sum(rewarded) < SPREAD


def test_time_goes_with_model_tokens_and_device() -> None:
    seven = step("simplerl_zoo", "grpo", "16xh100")
    assert step("simplerl_zoo", "grpo", "16xa100") > 1.5 * seven
    assert step("simplerl_zoo", "grpo", "16xh100", "model=Qwen/Qwen2.5-32B") == pytest.approx(seven * 32.8 / 7.6, rel=0.3)
    assert step("simplerl_zoo", "grpo", "16xh100", "grpo.group_size=16") == pytest.approx(2 * seven, rel=0.3)
    assert step("simplerl_zoo", "grpo", "16xh100", "grpo.max_response_tokens=4096") < 0.7 * seven


def test_the_start_counts_once() -> None:
    recipe = load_recipe("oat_zero")
    model, machine = describe_model(recipe.model), machine_called("8xa100")
    assert model is not None
    stage = stage_of("oat_zero", "dr_grpo")
    one, two = (RL.seconds(stage.model_copy(update={"steps": steps}), model, machine, 0) for steps in (1, 2))
    assert one is not None
    assert two is not None
    assert two - one == pytest.approx(step("oat_zero", "dr_grpo", "8xa100"))


@pytest.mark.parametrize(
    ("recipe", "stage", "changes", "expected"),
    [
        # 16 bytes a parameter over 4 workers, and the reference in bfloat16.
        ("logic_rl", "warmup", [], 16 / 4 + 2 / 4),
        ("logic_rl", "warmup", ["warmup.resources.training_workers=8"], 16 / 8 + 2 / 8),
        # ZeRO 2 shares gradients and moments (12 of 16 bytes), and each process has the reference whole.
        ("logic_rl", "warmup", ["warmup.resources.zero_stage=2"], 4 + 12 / 4 + 2),
        # The critic is as large as the policy.
        ("logic_rl", "warmup", ["warmup.algorithm={name: ppo, kl_coefficient: 0.001}"], 2 * 16 / 4 + 2 / 4),
        ("logic_rl", "warmup", ["warmup.resources.offload=optimizer"], (16 - 12) / 4 + 2 / 4),
        ("logic_rl", "warmup", ["warmup.resources.offload=all"], 2 / 4),
        # The frozen policy of adapters is its own reference.
        ("unsloth_gsm8k", "grpo", ["grpo.algorithm.kl_coefficient=0.1"], 2),
        ("unsloth_gsm8k", "grpo", ["grpo.algorithm.kl_coefficient=0.1", "grpo.reference=model"], 2),
        ("unsloth_gsm8k", "grpo", ["grpo.algorithm.kl_coefficient=0.1", "grpo.lora=null"], 16 + 2),
    ],
)
def test_bytes_of_a_parameter_by_hand(recipe: str, stage: str, changes: list[str], expected: float) -> None:
    assert state_bytes(stage_of(recipe, stage, *changes)) == pytest.approx(expected)


def test_memory_by_hand() -> None:
    model = describe_model("Qwen/Qwen2.5-7B")
    assert model is not None
    stage = stage_of("simplerl_zoo", "grpo")
    memory = RL.memory(stage, model, gpus=True)
    # 16 processes, ZeRO 3; the reference is apart.
    assert memory.states == pytest.approx(model.parameters * (16 + 2) / 16)
    # Logits a part of 640 MiB at a time, and checkpoints of 28 layers 3,584 wide in bfloat16; beside them one layer's activations.
    logits = 3.9 * 640 * 2**20
    kept = 28 * 2 * 16384 * 3584
    assert logits + kept < memory.working < logits + kept + 4e9
    # bfloat16 weights and the cache of one response, on two devices: 28 layers x 2 x 4 heads x 128.
    cache = 2 * 28 * 2 * 4 * 128 * (200 + 8192)
    assert memory.engine == pytest.approx((2 * model.parameters + cache) / 2)


@pytest.mark.parametrize(
    ("model", "tokens", "checkpointing", "gigabytes"),
    [  # peaks of one H100, updates on responses of 2,048 tokens: tests/benchmarks/README.md
        ("Qwen/Qwen2.5-0.5B", 16384, False, 27.4),
        ("Qwen/Qwen2.5-0.5B", 16384, True, 11.4),
        ("Qwen/Qwen2.5-0.5B", 32768, False, 44.2),
        ("Qwen/Qwen2.5-0.5B", 32768, True, 13.1),
        ("Qwen/Qwen2.5-1.5B", 16384, False, 65.1),
    ],
)
def test_memory_is_what_was_measured(model: str, tokens: int, checkpointing: bool, gigabytes: float) -> None:
    described = describe_model(model)
    assert described is not None
    resources = f"{{ray: false, tokens_per_batch: {tokens}, gradient_checkpointing: {str(checkpointing).lower()}}}"
    changes = ["grpo.backend=torch", f"grpo.resources={resources}", "grpo.max_response_tokens=1848", "grpo.algorithm={name: dr_grpo}"]
    memory = RL.memory(stage_of("simplerl_zoo", "grpo", *changes), described, gpus=True)
    assert (memory.states + memory.working) / 1e9 == pytest.approx(gigabytes, rel=0.1)
