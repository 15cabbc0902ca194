import pytest

from rl_core.config import KnightsKnavesData
from rl_core.data.prepare import inputs, prepare
from rl_core.data.prompts import DataError, read_prompts


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


def test_public_files_stand_in_where_they_are(tmp_path, data_dir) -> None:
    config = KnightsKnavesData(people=[3], train=50, test=10)
    assert len(inputs(config, data_dir)) == 2
    assert prepare(config, tmp_path, data_dir=data_dir, seed=0)["source"] == "files"


def test_files_that_are_asked_for_must_be_there(tmp_path) -> None:
    config = KnightsKnavesData(people=[3], source="files")
    with pytest.raises(DataError, match="needs a data directory"):
        inputs(config, None)
    with pytest.raises(DataError, match=r"3ppl.train.parquet: no such file; put it there, or set source: generate"):
        inputs(config, tmp_path)
    assert inputs(KnightsKnavesData(people=[3]), tmp_path) == []
