import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from evals.benchmarks import registry
from evals.config import BenchmarkSettings, EvalConfig
from rl_core.data.prepare import prepare
from rl_core.data.prompts import DataError, Prompt, read_prompts
from rl_core.environments.reasoning_gym import ReasoningGymData
from rl_core.environments.registry import ENVIRONMENTS
from rl_core.errors import InputError
from rl_core.outcome import Outcome
from rl_core.rewards.verify import verify
from tests.end_to_end.command import ROOT

GYM = ENVIRONMENTS["reasoning_gym"]


def check(**settings: Any) -> None:
    GYM.check(ReasoningGymData(**settings))


@pytest.mark.slow
def test_a_data_stage_of_a_mixture(tmp_path: Path) -> None:
    config = ReasoningGymData(
        dataset={"leg_counting": 2, "graph_color": 1},
        config={"leg_counting": {"max_animals": 2, "min_animals": 2}},
        attribute_levels={"graph_color": {"num_vertices": 0}},
        train=30,
        test=6,
    )
    described = prepare(config, tmp_path, data_dir=None, seed=0)
    assert (described["train"], described["test"], described["source"]) == (30, 6, "generated")
    train, test = (read_prompts(tmp_path / f"{split}.parquet") for split in ("train", "test"))
    assert not {prompt.prompt_id for prompt in train} & {prompt.prompt_id for prompt in test}
    assert {prompt.domain for prompt in train} == {"leg_counting", "graph_color"}
    for prompt in train:
        if prompt.domain == "leg_counting":
            assert prompt.difficulty == "num_animals 2, num_instances 1 to 15"
            assert GYM.in_words(prompt.gold) in str(prompt.trace)
            assert verify("reasoning_gym", str(prompt.trace), prompt.gold).outcome is Outcome.CORRECT
        else:
            assert prompt.difficulty in {f"num_vertices {count}, num_colors 5" for count in range(6, 11)}
            assert (prompt.trace, GYM.in_words(prompt.gold)) == (None, "any that its scorer accepts")
    other = GYM.problems(config, None, 1)
    assert other.test == test
    assert other.train != train


@pytest.mark.slow
def test_a_benchmark_has_as_many_problems_as_are_asked_for() -> None:
    def load(**settings: Any) -> list[Prompt]:
        return registry.load(BenchmarkSettings(name="reasoning_gym", dataset="chain_sum", **settings), None)

    ten = load(size=10)
    assert len(ten) == 10
    assert load(size=10, limit=4) == ten[:4]
    assert {prompt.trace for prompt in ten} == {None}
    assert load(size=3, config={"max_terms": 2}) != ten[:3]
    sizes = [registry.size(BenchmarkSettings(name="reasoning_gym", dataset="chain_sum", size=size, limit=limit))
             for size, limit in ((None, None), (10, None), (None, 4), (10, 40), (800, 600))]  # fmt: skip
    assert sizes == [500, 10, 4, 10, 600]


@pytest.mark.follows("no `dataset`; add one, such as {name: {}, dataset: chain_sum}")
@pytest.mark.follows("is a setting of {} only; remove it")
def test_settings_of_the_benchmark_that_are_wrong() -> None:
    def files(**settings: Any) -> list[Path]:
        return registry.local_files(BenchmarkSettings(**settings), None)

    with pytest.raises(
        DataError, match=r"^benchmark reasoning_gym: no `dataset`; add one, such as \{name: reasoning_gym, dataset: chain_sum\}"
    ):
        files(name="reasoning_gym")
    assert files(name="reasoning_gym", dataset="chain_sum") == []
    with pytest.raises(DataError, match="benchmark reasoning_gym: reasoning-gym has no data set 'chain_sums'; did you mean 'chain_sum'"):
        files(name="reasoning_gym", dataset="chain_sums")
    with pytest.raises(DataError, match="benchmark reasoning_gym: chain_sum: max_terms must be >= min_terms"):
        files(name="reasoning_gym", dataset="chain_sum", config={"max_terms": 1})
    with pytest.raises(DataError, match="benchmark countdown: `dataset` is a setting of reasoning_gym only; remove it"):
        files(name="countdown", dataset="chain_sum")


def test_settings_of_a_data_stage_that_are_wrong() -> None:
    check(dataset={"chain_sum": 1, "leg_counting": 0.5}, config={"chain_sum": {"max_terms": 3}})
    for wrong, message in [
        ({"dataset": "chain_sums"}, "did you mean 'chain_sum'"),
        ({"dataset": {"chain_sum": 1}, "config": {"chain_sun": {}}}, "none of `dataset`; did you mean 'chain_sum'"),
        (
            {"dataset": {"chain_sum": 1}, "config": {"max_terms": 3}},
            "`config` of several data sets is by data set, and 'max_terms' is none",
        ),
        ({"dataset": {"chain_sum": 1}, "config": {"chain_sum": 3}}, "`config` of chain_sum must be an object of names and values, not 3"),
    ]:
        with pytest.raises(InputError) as error:
            check(**wrong)
        assert message in str(error.value)
    with pytest.raises(ValidationError, match="greater than 0"):
        ReasoningGymData(dataset={"chain_sum": 0})


@pytest.mark.follows("is listed twice: use one entry, or give one of them a `label`")
def test_one_evaluation_has_several_data_sets_and_settings_under_names_of_their_own() -> None:
    sums, hard = {"name": "reasoning_gym", "dataset": "chain_sum"}, {"attribute_levels": {"*": 3}}
    with pytest.raises(
        ValueError, match=r"benchmark 'reasoning_gym\.chain_sum' is listed twice: use one entry, or give one of them a `label`"
    ):
        EvalConfig.model_validate({"benchmarks": [sums, sums | hard]})
    config = EvalConfig.model_validate({"benchmarks": [sums, sums | hard | {"label": "hard"}, sums | {"dataset": "leg_counting"}, "gsm8k"]})
    names = ["reasoning_gym.chain_sum", "reasoning_gym.chain_sum.hard", "reasoning_gym.leg_counting", "gsm8k"]
    assert [benchmark.shown for benchmark in config.benchmarks] == names
    assert [registry.label_of(name) for name in names] == [
        "reasoning-gym: chain sum", "reasoning-gym: chain sum: hard", "reasoning-gym: leg counting", "GSM8K",
    ]  # fmt: skip
    assert registry.subset_of("knights_knaves.few", "3") == "3 people"
    assert registry.subset_of("reasoning_gym.chain_sum", "num_terms 2") is None


def test_reasoning_gym_is_imported_by_nobody_who_does_not_use_it() -> None:
    code = "import sys; import flows.cli, rl_core.rewards.pool, evals.benchmarks.registry; print('reasoning_gym' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout == "False\n"
