import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rl_core.data.prepare import prepare
from rl_core.data.prompts import DataError, read_prompts
from rl_core.environments.countdown import CountdownData, generate, number_set, read_public, split_of
from rl_core.outcome import Outcome
from rl_core.rewards.verify import verify


def test_generated_problems_can_be_solved_and_repeat_with_the_seed() -> None:
    problems = generate(3, 20, "train", 7)
    assert problems == generate(3, 20, "train", 7)
    assert len({problem.prompt_id for problem in problems}) == 20
    for problem in problems:
        gold = json.loads(problem.gold)
        assert len(gold["numbers"]) == 3
        assert 10 <= gold["target"] <= 100
        assert split_of(gold["numbers"]) == "train"
        assert f"equals {gold['target']}" in problem.question
        assert problem.difficulty == "3"
        assert problem.trace is not None
        assert verify("countdown", problem.trace, problem.gold).outcome is Outcome.CORRECT


@pytest.mark.follows("were found to {} on; ask for fewer")
def test_asking_for_more_than_there_are_ends() -> None:
    with pytest.raises(DataError, match=r"only [0-9]+ different problems of 2 numbers were found to test on; ask for fewer"):
        generate(2, 3000, "test", 0)
    assert len(generate(2, 3, "test", 0)) == 3


def test_train_and_test_share_no_set_of_numbers(tmp_path: Path) -> None:
    described = prepare(CountdownData(numbers=[3], train=60, test=10), tmp_path, data_dir=None, seed=0)
    train, test = (read_prompts(tmp_path / f"{split}.parquet") for split in ("train", "test"))
    assert (len(train), len(test)) == (described["train"], described["test"]) == (60, 10)
    assert not {number_set(prompt) for prompt in train} & {number_set(prompt) for prompt in test}


@pytest.mark.follows("lacks nums or target; repair or remove it")
def test_public_files_and_their_errors(tmp_path: Path) -> None:
    folder = tmp_path / "countdown"
    folder.mkdir()
    pq.write_table(pa.table({"nums": [[4, 2, 3], [1, 2, 3, 4], [5, 5, 1]], "target": [24, 10, 24]}), folder / "train.parquet")
    pq.write_table(pa.table({"nums": [[3, 2, 4]], "target": [9]}), folder / "test.parquet")
    prepare(CountdownData(numbers=[3], source="files"), tmp_path, data_dir=tmp_path, seed=0)
    assert [json.loads(prompt.gold) for prompt in read_prompts(tmp_path / "train.parquet")] == [{"numbers": [5, 5, 1], "target": 24}]

    pq.write_table(pa.table({"nums": [[4, 2], None], "target": [6, 1]}), folder / "test.parquet")
    with pytest.raises(DataError, match="row 2 lacks nums or target"):
        read_public(folder / "test.parquet")
    pq.write_table(pa.table({"nums": [[4, 2]], "target": [6]}), folder / "test.parquet")
    assert len(read_public(folder / "test.parquet")) == 1
    pq.write_table(pa.table({"numbers": [1]}), folder / "test.parquet")
    with pytest.raises(DataError, match="columns nums, target"):
        read_public(folder / "test.parquet")


def test_the_public_files_on_disk_prepare(data_dir: Path, tmp_path: Path) -> None:
    described = prepare(CountdownData(train=200, test=50), tmp_path, data_dir=data_dir, seed=0)
    assert described["by_difficulty"].keys() == {"3", "4"}
    assert described["source"] == "files"
