from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from flows.cli.plan_table import print_plan
from flows.planning.checks import check_before_run, check_names
from flows.planning.estimate import estimates
from flows.planning.plan import Plan, _by_name
from flows.recipe.load import shipped
from flows.recipe.schema import RecipeError
from rl_core.data.prompts import Prompt, write_prompts
from rl_core.errors import InputError
from tasks.costs.machine import Machine, machine_called, this_machine
from tasks.stage.fingerprint import fingerprint
from tasks.stage.spec import set_aside
from tasks.workspace import write_record
from tests.flows.without_smoke import WITHOUT

Planner = Callable[..., Plan]
Maker = Callable[..., None]
DATA = Path(__file__).parents[2] / "fixtures" / "data"
EVERYTHING = {"puzzles", "cold", "warm", "scores", "cot", "report"}


def running(plan: Plan) -> set[str]:
    return {stage.spec.stage for stage in plan.to_run}


def reasons(plan: Plan, stage: str) -> list[str]:
    return next(planned.reasons for planned in plan.stages if planned.spec.stage == stage)


@pytest.mark.parametrize("profile", [None, "smoke"])
@pytest.mark.parametrize("name", shipped())
def test_every_shipped_recipe_plans_without_a_hub(name: str, profile: str | None, plan_of: Planner) -> None:
    if profile and name in WITHOUT:
        with pytest.raises(InputError, match="a command has no small size of its own"):
            plan_of(recipe=name, profile=profile)
        return
    plan = plan_of(recipe=name, profile=profile)
    check_names(plan.recipe)
    assert plan.recipe.name == (f"{name}-smoke" if profile else name)
    assert running(plan) == set(plan.recipe.stages)
    costs = estimates(plan.recipe, {stage.spec.stage: stage.spec for stage in plan.stages}, plan.workspace)
    trained = [costs[stage] for stage, settings in plan.recipe.stages.items() if settings.kind in ("sft", "rl")]
    assert all(cost.tokens and cost.disk for cost in trained)


@pytest.fixture
def made(plan_of: Planner, make: Maker) -> Planner:
    """The planner of a workspace in which every stage is done."""
    for stage in plan_of().stages:
        make(stage.spec)
    return plan_of


def test_at_first_everything_runs_and_a_plan_leaves_no_trace(plan_of: Planner, tmp_path: Path) -> None:
    plan = plan_of()
    assert running(plan) == EVERYTHING
    assert reasons(plan, "warm") == ["not run yet"]
    assert list(tmp_path.iterdir()) == []


def test_what_is_done_is_reused(made: Planner) -> None:
    assert running(made()) == set()


def test_a_new_benchmark_remakes_the_data_only_where_they_share_problems(plan_of: Planner, make: Maker, tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    rows = {"gsm8k": {"question": "What is 1 + 1?", "answer": "#### 2"}, "aime24": {"problem": "What is $7^2$?", "answer": "49"}}
    for name, row in rows.items():
        (data_dir / name).mkdir(parents=True)
        (data_dir / name / "test.jsonl").write_text(json.dumps(row) + "\n")
    write_prompts(tmp_path / "set.parquet", [Prompt("math", "What is 1+1 ?", "2")])
    for stage in plan_of(data_dir=data_dir).stages:
        make(stage.spec, (tmp_path / "set.parquet").read_bytes() if stage.spec.kind == "data" else "content")

    def planned(benchmark: str) -> Plan:
        return plan_of(f"scores.benchmarks=[{benchmark}]", data_dir=data_dir)

    assert running(planned("aime24")) == {"scores", "cot", "report"}
    assert reasons(planned("gsm8k"), "puzzles") == ["holds 1 problems of gsm8k"]
    assert running(planned("gsm8k")) == EVERYTHING


def test_a_changed_setting_reruns_its_stage_and_what_depends_on_it(made: Planner) -> None:
    plan = made("warm.temperature=0.9")
    assert running(plan) == {"warm", "scores", "cot", "report"}
    assert reasons(plan, "warm") == ["warm.temperature 1.0 -> 0.9"]
    assert reasons(plan, "scores") == ["warm changed"]


def test_the_default_written_out_is_no_change(made: Planner) -> None:
    assert running(made("warm.algorithm.clip_low=0.2", "warm.learning_rate=0.000001", "warm.start=cold", "cold.start=model")) == set()


def test_resources_are_no_part_of_what_a_stage_is(made: Planner) -> None:
    assert running(made("warm.resources={ray: true, threads: 1, tokens_per_batch: 512}")) == set()


def test_seed_and_model_reach_everything_made_with_them(made: Planner) -> None:
    assert running(made("seed=1")) == EVERYTHING
    assert "seed 0 -> 1" in reasons(made("seed=1"), "puzzles")
    assert running(made("model.layers=3")) == EVERYTHING - {"puzzles"}
    assert reasons(made("model.layers=3"), "cold") == ["model.layers 2 -> 3"]


def test_what_held_out_problems_of_its_own_seed_was_made_with_is_made_again(plan_of: Planner, make: Maker) -> None:
    """Stages made with another seed before held-out problems had one of their own measured other problems."""
    for stage in plan_of("seed=1").stages:
        identity = {name: value for name, value in stage.spec.identity.items() if name != "held_out"}
        make(stage.spec.model_copy(update={"identity": identity, "fingerprint": fingerprint(identity)}))
    assert running(plan_of("seed=1")) == EVERYTHING
    assert reasons(plan_of("seed=1"), "puzzles") == ["held_out (absent) -> the same for every seed"]


def test_held_out_problems_that_nobody_drew_are_as_before(plan_of: Planner) -> None:
    whole = ["stages.puzzles={kind: data, task: gsm8k}", "scores.benchmarks=[math500]"]
    assert not any("held_out" in stage.spec.identity for stage in plan_of("seed=1", *whole).stages)
    assert not any("held_out" in stage.spec.identity for stage in plan_of().stages)


def test_going_back_to_old_settings_reuses_the_old_stages(made: Planner, make: Maker) -> None:
    for stage in made("warm.temperature=0.9").to_run:
        make(stage.spec)
    assert running(made("warm.temperature=0.9")) == set()
    assert running(made()) == set()


def test_from_reruns_a_stage_and_what_follows(made: Planner) -> None:
    plan = made(rerun_from="scores")
    assert running(plan) == {"scores", "cot", "report"}
    assert all(stage.anew for stage in plan.to_run)
    assert reasons(plan, "scores") == ["asked for"]


def test_from_refuses_where_an_earlier_stage_would_have_to_run(made: Planner) -> None:
    with pytest.raises(RecipeError) as caught:
        made("warm.temperature=0.9", rerun_from="scores")
    assert str(caught.value) == (
        "--from scores: before it would have to run warm (warm.temperature 1.0 -> 0.9); "
        "start from warm, leave --from out, or undo the change"
    )


def test_from_with_a_changed_setting_of_that_stage(made: Planner) -> None:
    assert running(made("warm.temperature=0.9", rerun_from="warm")) == {"warm", "scores", "cot", "report"}


def test_until_makes_a_stage_and_what_it_needs(plan_of: Planner) -> None:
    assert running(plan_of(until="warm")) == {"puzzles", "cold", "warm"}


def test_from_until(made: Planner) -> None:
    assert running(made(rerun_from="warm", until="scores")) == {"warm", "scores"}
    with pytest.raises(RecipeError, match="cold does not need warm"):
        made(rerun_from="warm", until="cold")


def test_force_reruns_a_stage_and_what_depends_on_it(made: Planner) -> None:
    assert running(made(force=["cold"])) == EVERYTHING - {"puzzles"}
    with pytest.raises(RecipeError, match="--force report: the stage lies outside"):
        made(force=["report"], until="warm")


@pytest.mark.parametrize("option", [{"rerun_from": "wram"}, {"until": "wram"}, {"force": ["wram"]}])
def test_an_unknown_stage_is_named_with_the_nearest(plan_of: Planner, option: dict[str, object]) -> None:
    with pytest.raises(RecipeError, match=r"wram: the recipe has no such stage; did you mean 'warm'\?"):
        plan_of(**option)


@pytest.mark.parametrize("harm", ["change", "remove"])
def test_a_spoiled_output_is_seen(made: Planner, harm: str) -> None:
    warm = made().stages[2].spec
    output = warm.directory / "train.parquet"
    output.write_text("CONTENT") if harm == "change" else output.unlink()  # the same size
    plan = made()
    assert running(plan) == {"warm", "scores", "cot", "report"}
    assert reasons(plan, "warm") == [f"train.parquet {'was changed after it was made' if harm == 'change' else 'is missing'}"]
    assert reasons(plan, "scores") == ["warm runs again"]


def test_a_stage_made_again_with_another_outcome_reruns_its_dependents(made: Planner, make: Maker) -> None:
    warm = made().stages[2].spec
    set_aside(warm.directory)
    make(warm, "another outcome")
    assert reasons(made(), "scores") == ["warm was made again"]


def test_a_stage_made_again_with_the_same_outcome_does_not(made: Planner, make: Maker) -> None:
    warm = made().stages[2].spec
    set_aside(warm.directory)
    make(warm)
    assert running(made()) == set()


def test_an_unfinished_stage_is_continued(made: Planner) -> None:
    warm = made().stages[2].spec
    (warm.directory / "manifest.json").unlink()
    assert [stage.action for stage in made().stages[:3]] == ["reuse", "reuse", "continue"]


def test_the_analysis_runs_again_if_the_workspace_lost_its_warehouse(made: Planner, tmp_path: Path) -> None:
    (tmp_path / "runs" / "warehouse.duckdb").unlink()
    assert running(made()) == {"cot", "report"}


def test_moving_the_workspace_keeps_everything(made: Planner, tmp_path: Path) -> None:
    shutil.move(tmp_path / "runs", tmp_path / "elsewhere")
    assert running(made(workspace=tmp_path / "elsewhere")) == set()


def test_a_local_model_is_what_is_in_its_directory(plan_of: Planner, tiny_checkpoint: Path, tmp_path: Path) -> None:
    here, there = tmp_path / "model", tmp_path / "copy"
    shutil.copytree(tiny_checkpoint, here)
    shutil.copytree(tiny_checkpoint, there)
    first = plan_of(f"model={here}").stages[1].spec
    assert plan_of(f"model={there}").stages[1].spec.fingerprint == first.fingerprint
    (there / "config.json").write_text((there / "config.json").read_text() + "\n")
    assert plan_of(f"model={there}").stages[1].spec.fingerprint != first.fingerprint
    (there / "config.json").unlink()
    with pytest.raises(InputError, match=r"^model: .*copy: no config.json"):
        plan_of(f"model={there}")


def test_a_changed_data_file_is_another_data_stage(plan_of: Planner, tmp_path: Path) -> None:
    folder = tmp_path / "data" / "gsm8k"
    folder.mkdir(parents=True)
    for split in ("train", "test"):
        (folder / f"{split}.jsonl").write_text('{"question": "1 + 1?", "answer": "#### 2"}\n')
    change = "stages.puzzles={kind: data, task: gsm8k}"
    first = plan_of(change, data_dir=tmp_path / "data").stages[0].spec
    assert sorted(first.identity["files"]) == ["gsm8k/test.jsonl", "gsm8k/train.jsonl"]
    (folder / "train.jsonl").write_text('{"question": "1 + 2?", "answer": "#### 3"}\n')
    assert plan_of(change, data_dir=tmp_path / "data").stages[0].spec.fingerprint != first.fingerprint
    (folder / "train.jsonl").unlink()
    with pytest.raises(InputError, match=r"^stages.puzzles: .*train.jsonl: no such file"):
        plan_of(change, data_dir=tmp_path / "data")


def test_training_stages_draw_numbers_of_their_own(plan_of: Planner) -> None:
    seeds = {stage.spec.run_seed for stage in plan_of().stages}
    assert len(seeds) == len(EVERYTHING)
    assert all(0 <= seed < 2**31 for seed in seeds)


def test_estimates_take_the_pace_of_what_was_measured(made: Planner) -> None:
    # `make` says: 100 tokens of the 32 that warm could write, in 2 s. Twice the responses: twice the time.
    plan = made("warm.group_size=4")
    costs = estimates(plan.recipe, {stage.spec.stage: stage.spec for stage in plan.to_run}, plan.workspace)
    assert costs["warm"].tokens == 64
    assert costs["warm"].seconds is not None
    assert costs["warm"].seconds.low < 4.0 < costs["warm"].seconds.high
    assert costs["warm"].basis == "measured: mini/warm"


@pytest.mark.parametrize("what", ["model", "engine", "critic", "machine", "attempts", "another version"])
def test_what_was_measured_elsewhere_is_not_taken_over(what: str, made: Planner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    changes = {
        "model": ["model.hidden_size=128"],
        "engine": ["warm.engine=vllm"],
        "critic": ["warm.algorithm={name: ppo}"],
    }.get(what, ["warm.group_size=4"])
    if what == "machine":
        other = replace(this_machine(), label="another")
        monkeypatch.setattr("flows.planning.estimate.this_machine", lambda: other)
    [directory] = (tmp_path / "runs" / "mini").glob("warm-*")
    if what == "attempts":
        state = json.loads((directory / "state.json").read_text())
        write_record(directory / "state.json", state | {"attempt": 2})
    if what == "another version":
        spec = json.loads((directory / "spec.json").read_text())
        write_record(directory / "spec.json", {key: value for key, value in spec.items() if key != "pace"})
    plan = made(*changes)
    costs = estimates(plan.recipe, {stage.spec.stage: stage.spec for stage in plan.to_run}, plan.workspace)
    assert costs["warm"].basis == "computed"


def test_a_named_machine_is_always_computed(made: Planner) -> None:
    plan = made("warm.group_size=4")
    specs = {stage.spec.stage: stage.spec for stage in plan.to_run}
    assert estimates(plan.recipe, specs, plan.workspace, machine_called("1xh100"))["warm"].basis == "computed"


def test_what_is_not_known_is_said_to_be_unknown(plan_of: Planner) -> None:
    plan = plan_of("model=someone/something", "warm.start=model", "scores.checkpoints=[warm]")
    costs = estimates(plan.recipe, {stage.spec.stage: stage.spec for stage in plan.to_run}, plan.workspace)
    for stage in ("warm", "scores"):
        assert (costs[stage].seconds, costs[stage].memory) == (None, None)
        assert costs[stage].basis == "unknown: nothing tells the model's size"
    guessed = plan_of("model=someone/Tuned-7B")
    costs = estimates(guessed.recipe, {stage.spec.stage: stage.spec for stage in guessed.to_run}, guessed.workspace)
    assert costs["warm"].basis == "computed, the size guessed from the name"


def printed(plan: Plan, machine: Machine | None = None) -> str:
    console = Console(width=160, file=io.StringIO())
    print_plan(plan, console, machine)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_a_plan_says_what_is_wanted_and_what_is_there(plan_of: Planner) -> None:
    text = printed(plan_of(recipe="simplerl_zoo"), machine_called("8xa100"))
    assert "grpo wants 16 GPUs of 40 GB, vllm, deepspeed; there: 8 GPUs of 80 GB" in text
    assert "does not fit: grpo: it asks for 16 GPUs" in text
    assert " on 8 x a100, " in text
    assert "does not fit" not in printed(plan_of(recipe="simplerl_zoo"), machine_called("16xh100"))


def test_half_of_the_devices_take_twice_the_time(plan_of: Planner) -> None:
    plan = plan_of(recipe="dapo", until="dapo")
    specs = {stage.spec.stage: stage.spec for stage in plan.to_run}
    whole, half = (estimates(plan.recipe, specs, plan.workspace, machine_called(name))["dapo"].seconds for name in ("128xh100", "64xh100"))
    assert whole is not None
    assert half is not None
    assert half.low == pytest.approx(2 * whole.low)


def test_a_plan_says_of_what_it_knows_no_time(plan_of: Planner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "http://head:8265")
    text = printed(plan_of(recipe="logic_rl"))
    assert " without warmup, five, anneal, " in text
    assert "warmup, five, anneal want 4 GPUs of 80 GB, vllm, deepspeed; the Ray cluster at http://head:8265 says what it has" in text


def test_a_plan_of_years_says_so(plan_of: Planner, monkeypatch: pytest.MonkeyPatch) -> None:
    laptop = Machine(0, cores=2, memory=23e9, packages=frozenset())
    monkeypatch.setattr("flows.planning.estimate.this_machine", lambda: laptop)
    text = printed(plan_of(recipe="simplerl_zoo"))
    assert "5 of 5 stages run, 0 reused; years, " in text
    assert "grpo wants 16 GPUs of 40 GB, vllm, deepspeed; here: no GPU, 2 cores, 21 GB of memory, no vllm, no deepspeed" in text


def test_a_plan_says_that_workers_take_turns(plan_of: Planner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flows.planning.estimate.this_machine", lambda: Machine(0, cores=2, memory=23e9, packages=frozenset()))
    assert "warm: 4 workers take turns on 2 cores" in printed(plan_of("warm.resources={training_workers: 2, rollout_workers: 2}"))
    assert "take turns" not in printed(plan_of())


@pytest.mark.follows("--data-dir DIR takes the real ones")
def test_a_plan_names_the_problems_that_are_made_up(plan_of: Planner) -> None:
    text = printed(plan_of(recipe="open_r1", profile="smoke"))
    assert "stand-in problems, made up: open_r1, math500, aime24; --data-dir DIR takes the real ones" in text
    with_files = plan_of(recipe="open_r1", profile="smoke", data_dir=DATA)
    assert "stand-in" not in printed(with_files)
    assert "stand-in" not in printed(plan_of(recipe="tinyzero_ppo", profile="smoke"))  # its problems are generated anyway
    math = {plan.stages[0].spec.fingerprint for plan in (with_files, plan_of(recipe="open_r1", profile="smoke"))}
    assert len(math) == 2  # made of other problems, another stage


def test_a_cluster_that_does_not_answer_is_named_before_anything_starts(
    plan_of: Planner, monkeypatch: pytest.MonkeyPatch, free_port: Callable[[], int]
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", address := f"127.0.0.1:{free_port()}")
    with pytest.raises(InputError, match=rf"^stages.warm: no Ray cluster answers at {address} \(.*Connection refused\); start it, or give"):
        check_before_run(plan_of("warm.resources.ray=true"))


def test_own_files_are_known_by_what_tells_them_apart(tmp_path: Path) -> None:
    data = tmp_path / "data"
    inside, first, second, other = data / "gsm8k" / "train.jsonl", Path("/a/x/my.jsonl"), Path("/a/y/my.jsonl"), Path("/a/own.py")
    assert _by_name([inside, first, second, other, first], data) == {
        "gsm8k/train.jsonl": inside,
        "my.jsonl": first,
        "y/my.jsonl": second,
        "own.py": other,
    }
    assert _by_name([inside], None) == {"train.jsonl": inside}
