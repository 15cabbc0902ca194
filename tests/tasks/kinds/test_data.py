"""What a data stage leaves out because the recipe's benchmarks hold it out."""

import json
from pathlib import Path
from typing import Any

import pytest

from rl_core.data.prompts import DataError, read_prompts
from tasks.kind import Work
from tasks.kinds.data import KIND
from tasks.stage.spec import StageSpec


def run(stage: StageSpec) -> dict[str, Any]:
    return KIND.run(stage, Work(None, print, {}))  # this kind asks for nothing of it


def spec(directory: Path, data_dir: Path, held_out: tuple[dict[str, Any], ...], contaminated: str) -> StageSpec:
    made = StageSpec(
        experiment="x",
        stage="set",
        kind="data",
        position=0,
        seed=0,
        settings={"task": "math", "dataset": "simplerl_8k", "test": 0, "contaminated": contaminated},
        identity={},
        fingerprint="0" * 64,
        workspace=directory,
        upstream={},
        data_dir=data_dir,
        held_out=held_out,
    )
    made.directory.mkdir(parents=True)
    return made


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Four problems, two of which are in a benchmark."""
    directory = tmp_path / "data"
    questions = ["What is $7^2$?", "Find the remainder of 9 by 4.", "Find $x$ with $2x = 10$.", "Name the least prime."]
    (directory / "simplerl_8k").mkdir(parents=True)
    rows = [{"extra_info": {"question": text}, "reward_model": {"ground_truth": "1"}} for text in questions]
    (directory / "simplerl_8k" / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (directory / "math500").mkdir()
    rows = [{"problem": text, "answer": "1", "level": 1} for text in ("find x, with 2x = 10", "Another one.", "What is $7^{2}$ ?")]
    (directory / "math500" / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return directory


MATH500 = ({"name": "math500"}, {"name": "knights_knaves", "people": [8], "limit": 1})  # the puzzle is not even made


def test_dropped_and_listed(tmp_path: Path, data: Path) -> None:
    stage = spec(tmp_path / "runs", data, MATH500, "drop")
    result = run(stage)
    assert (result["train"], result["dropped_contaminated"], result["contaminated"]) == (2, 2, {"math500": 2})
    assert result["checked"] == ["knights_knaves", "math500"]
    assert [prompt.question[:4] for prompt in read_prompts(stage.directory / "train.parquet")] == ["Find", "Name"]
    listed = json.loads((stage.directory / "overlap.json").read_text())
    assert [(entry["row"], entry["benchmark"], entry["problem"], entry["share"]) for entry in listed] == [
        (1, "math500", 3, 1.0),
        (3, "math500", 1, 1.0),
    ]


@pytest.mark.follows("set contaminated: drop, or keep")
def test_kept_or_refused(tmp_path: Path, data: Path) -> None:
    kept = run(spec(tmp_path / "kept", data, MATH500, "keep"))
    assert (kept["train"], kept["contaminated"]) == (4, {"math500": 2})
    with pytest.raises(DataError, match="stage set: the training set holds problems of its benchmarks: 2 of math500; set contaminated"):
        run(spec(tmp_path / "refused", data, MATH500, "refuse"))


@pytest.mark.follows("train on another set")
def test_a_set_that_is_all_in_a_benchmark_gives_way_to_another(tmp_path: Path, data: Path) -> None:
    held_out = data / "math500" / "test.jsonl"
    rows = [json.loads(line)["extra_info"]["question"] for line in (data / "simplerl_8k" / "train.jsonl").read_text().splitlines()]
    held_out.write_text("".join(json.dumps({"problem": text, "answer": "1", "level": 1}) + "\n" for text in rows))
    with pytest.raises(DataError, match="every training problem is in a benchmark that the recipe evaluates; train on another set"):
        run(spec(tmp_path / "all", data, MATH500, "drop"))
    (data / "simplerl_8k" / "train.jsonl").write_text(
        json.dumps({"extra_info": {"question": "How many sides has a dodecagon?"}, "reward_model": {"ground_truth": "12"}})
    )
    assert run(spec(tmp_path / "other", data, MATH500, "drop"))["train"] == 1


def test_nothing_shared(tmp_path: Path, data: Path) -> None:
    result = run(spec(tmp_path / "runs", data, (), "refuse"))
    assert (result["train"], result["contaminated"], result["checked"]) == (4, {}, [])
