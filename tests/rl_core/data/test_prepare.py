from pathlib import Path
from typing import Any

import pytest

from rl_core.data.knights_knaves import generate
from rl_core.data.prepare import prepare
from rl_core.data.prompts import DataError, Prompt, read_prompts
from rl_core.data.splits import HELD_OUT_SEED
from rl_core.environments.knights_knaves import ENVIRONMENT as PUZZLES
from rl_core.environments.knights_knaves import KnightsKnavesData
from rl_core.environments.registry import read_settings


def test_generated_split(tmp_path) -> None:
    config = KnightsKnavesData(people=[2, 3], train=20, test=10)
    summary = prepare(config, tmp_path, data_dir=None, seed=3)
    assert summary == {
        "train": 40,
        "test": 20,
        "dropped_overlap": 0,
        "dropped_rows": 0,
        "source": "generated",
        "by_difficulty": {"2": 20, "3": 20},
    }
    assert len(read_prompts(tmp_path / "train.parquet")) == 40
    assert all(prompt.trace for prompt in read_prompts(tmp_path / "test.parquet"))


def both_splits(settings: dict[str, Any], output: Path, data_dir: Path | None, seed: int) -> tuple[list[Prompt], list[Prompt]]:
    output.mkdir()
    prepare(read_settings(settings), output, data_dir=data_dir, seed=seed)
    return read_prompts(output / "train.parquet"), read_prompts(output / "test.parquet")


def check_that_seeds_change_training_only(settings: dict[str, Any], output: Path, data_dir: Path | None) -> None:
    made = [both_splits(settings, output / str(seed), data_dir, seed) for seed in range(4)]
    held_out = made[0][1]
    assert held_out
    assert all(test == held_out for _, test in made)
    assert len({tuple(prompt.prompt_id for prompt in train) for train, _ in made}) == len(made)
    trained_on = {prompt.prompt_id for train, _ in made for prompt in train}
    assert not trained_on & {prompt.prompt_id for prompt in held_out}


@pytest.mark.parametrize(
    "settings",
    [
        {"task": "knights_knaves", "people": [2, 3], "train": 60, "test": 20},
        {"task": "knights_knaves", "people": [3], "source": "generate", "names": 8, "doubt": 0.5, "train": 40, "test": 20},
        {"task": "countdown", "numbers": [3, 4], "train": 60, "test": 20},
    ],
)
def test_no_seed_trains_on_held_out_problems_and_all_hold_out_the_same(settings: dict[str, Any], tmp_path: Path) -> None:
    check_that_seeds_change_training_only(settings, tmp_path, None)


@pytest.mark.parametrize(
    "settings",
    [
        {"task": "knights_knaves", "people": [3, 4], "source": "files", "train": 60, "test": 20},
        {"task": "gsm8k", "train": 60, "test": 20},
        {"task": "countdown", "source": "files", "train": 60, "test": 20},
        {"task": "math", "dataset": "math", "train": 60, "test": 20},
    ],
)
def test_the_same_of_public_files(settings: dict[str, Any], tmp_path: Path, data_dir: Path) -> None:
    check_that_seeds_change_training_only(settings, tmp_path, data_dir)


def test_a_benchmark_is_what_the_data_stage_holds_out(tmp_path: Path) -> None:
    """Generated puzzles of a benchmark are no training problems under any seed, also where their number differs."""
    benchmark = {prompt.prompt_id for prompt in generate(3, 100, "test", HELD_OUT_SEED)}
    for seed in range(3):
        train, test = both_splits({"task": "knights_knaves", "people": [3], "train": 200, "test": 10}, tmp_path / str(seed), None, seed)
        assert not benchmark & {prompt.prompt_id for prompt in train}
        assert {prompt.prompt_id for prompt in test} <= benchmark


def test_public_files_stand_in_where_they_are(tmp_path, data_dir) -> None:
    config = KnightsKnavesData(people=[3], train=50, test=10)
    assert len(PUZZLES.inputs(config, data_dir)) == 2
    assert prepare(config, tmp_path, data_dir=data_dir, seed=0)["source"] == "files"


@pytest.mark.follows("parquet: give --data-dir", "no such file; put it there, or set source: generate")
def test_files_that_are_asked_for_must_be_there(tmp_path) -> None:
    config = KnightsKnavesData(people=[3], source="files")
    with pytest.raises(DataError, match="needs a data directory"):
        PUZZLES.inputs(config, None)
    with pytest.raises(DataError, match=r"3ppl.train.parquet: no such file; put it there, or set source: generate"):
        PUZZLES.inputs(config, tmp_path)
    assert PUZZLES.inputs(KnightsKnavesData(people=[3]), tmp_path) == []
    assert PUZZLES.inputs(KnightsKnavesData(people=[3], source="generate"), tmp_path) == []
    (tmp_path / "kk" / "3ppl").mkdir(parents=True)
    for split in ("train", "test"):
        (tmp_path / "kk" / "3ppl" / f"{split}.parquet").write_bytes(b"")
    assert len(PUZZLES.inputs(config, tmp_path)) == 2
