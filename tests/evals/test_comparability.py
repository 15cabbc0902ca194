import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evals.comparability import compare_results, open_result
from rl_core.errors import InputError

ENGINE = {
    "engine": "vllm",
    "version": "0.32",
    "dtype": "bfloat16",
    "device": "cuda",
    "tensor_parallel": 1,
    "batch_limits": {"tokens": 8192},
}
SAMPLING = {"temperature": 0.0, "max_tokens": 3000, "top_p": 1.0, "stop": []}


def result(directory: Path, correct: list[bool], **changes: Any) -> Path:
    record: dict[str, Any] = {
        "checkpoint": "rl",
        "benchmark": "aime24",
        "protocol": {"name": "oat_zero", "template": "boxed", "reader": "boxed", "modes": [["greedy", 1, SAMPLING]]},
        "data": {"rows": 30, "digest": "aa", "problems": len(correct), "problems_digest": "bb"},
        "engine": ENGINE,
        "software": {"math_verify": "0.9", "git": {"commit": "c" * 40, "changed": False}},
    }
    for path, value in changes.items():
        section, key = path.split("__")
        record[section] = record[section] | {key: value}
    samples = directory / "samples" / "rl"
    samples.mkdir(parents=True)
    rows = [
        {"mode": "greedy", "sample": 0, "prompt_id": str(n), "difficulty": None, "correct": value, "extracted": str(n)}
        for n, value in enumerate(correct)
    ]
    pq.write_table(pa.Table.from_pylist(rows), samples / "aime24.parquet")
    (directory / "scores.json").write_text(json.dumps({"scores": [], "comparisons": [], "cells": [record]}))
    return directory


FIRST, SECOND = [True] * 7 + [False] * 23, [True] * 16 + [False] * 14


def test_the_same_measurement(tmp_path: Path) -> None:
    left, right = result(tmp_path / "a", FIRST), result(tmp_path / "b", SECOND)
    [found] = compare_results(open_result(str(left)), open_result(f"{right}:rl"))
    assert (found.obstacles, found.remarks) == ([], [])
    [change] = found.changes
    assert change["difference"] == pytest.approx(0.3)
    assert change["p_value"] == pytest.approx(2 / 2**9)
    assert not change["noise"]


@pytest.mark.parametrize(
    ("changes", "obstacle"),
    [
        ({"protocol__template": "r1"}, "template boxed against r1"),
        ({"protocol__reader": "anywhere"}, "reader of the answer boxed against anywhere"),
        ({"protocol__modes": [["greedy", 1, SAMPLING | {"max_tokens": 512}]]}, "greedy: max_tokens 3000 against 512"),
        ({"protocol__modes": [["sampled", 4, SAMPLING]]}, "greedy in one only"),
        ({"data__digest": "cc", "data__problems_digest": "dd"}, "data aa (30 rows) against cc (30 rows)"),
        ({"data__problems_digest": "dd"}, "other problems of the same data (30 against 30)"),
    ],
)
def test_what_makes_scores_incomparable_is_said(tmp_path: Path, changes: dict[str, Any], obstacle: str) -> None:
    left, right = result(tmp_path / "a", FIRST), result(tmp_path / "b", SECOND, **changes)
    [found] = compare_results(open_result(str(left)), open_result(str(right)))
    assert obstacle in found.obstacles
    assert bool(found.changes) == ("data__problems_digest" not in changes)


def test_engine_and_code_are_remarked(tmp_path: Path) -> None:
    other = ENGINE | {"engine": "transformers", "dtype": "float32"}
    right = result(tmp_path / "b", SECOND, software__git={"commit": "d" * 40, "changed": True})
    content = json.loads((right / "scores.json").read_text())
    content["cells"][0]["engine"] = other
    (right / "scores.json").write_text(json.dumps(content))
    [found] = compare_results(open_result(str(result(tmp_path / "a", FIRST))), open_result(str(right)))
    assert found.obstacles == []
    assert found.remarks == [
        "engine vllm against transformers",
        "dtype bfloat16 against float32",
        "code cccccccc against dddddddd with changes",
    ]


@pytest.mark.follows(
    "no finished evaluation (scores.json with its cells); name the directory of one", "cannot be read ({}); evaluate again"
)
def test_no_result(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no finished evaluation"):
        open_result(str(tmp_path))
    with pytest.raises(InputError, match="no checkpoint 'sft' there; it has rl"):
        open_result(f"{result(tmp_path / 'a', FIRST)}:sft")
    assert open_result(str(tmp_path / "a")).checkpoint == "rl"
