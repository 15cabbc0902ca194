from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rl_core.data.own.source import HubSet, check_source, hub_sets, is_own, local_files
from rl_core.data.prompts import DataError


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("hub:openai/gsm8k", HubSet("openai/gsm8k", None, None, "train")),
        ("hub:openai/gsm8k/main@740312a#test", HubSet("openai/gsm8k", "main", "740312a", "test")),
        ("hub:a/b@v1.0", HubSet("a/b", None, "v1.0", "train")),
        ("hub:a/b#train[:10%]", HubSet("a/b", None, None, "train[:10%]")),
    ],
)
def test_addresses(address: str, found: HubSet) -> None:
    check_source(address)
    assert hub_sets([address, "a.jsonl"]) == [found]
    assert local_files([address]) == []


@pytest.mark.parametrize(
    ("source", "message", "repaired"),
    [
        ("hub:gsm8k", r"no address of a set on the hub; write hub:ORG/NAME\[/CONFIG\]\[@REVISION\]\[#SPLIT\]", "hub:openai/gsm8k"),
        ("hub:a/b c", "no address of a set on the hub", "hub:a/b"),
        ("my/a.txt", "nor a file that ends with .jsonl, .json, .parquet, .csv; give one of them", "my/a.csv"),
        ("my/a.jsonl#test", "a file has no splits; remove #test", "my/a.jsonl"),
    ],
)
@pytest.mark.follows("is no address of a set on the hub; write", "give one of them", "a file has no splits; remove #")
def test_what_is_no_source(source: str, message: str, repaired: str) -> None:
    with pytest.raises(DataError, match=message):
        check_source(source)
    check_source(repaired)


def test_what_is_meant_as_a_source_of_ones_own() -> None:
    assert all(map(is_own, ("a.jsonl", "a.txt", "data/a", "hub:a/b", ["a.csv"])))
    assert not any(map(is_own, ("generate", "auto", None, 3)))


@pytest.mark.follows("put it there, or name another one")
def test_files(tmp_path: Path) -> None:
    for name in ("b.parquet", "a.parquet", "mine.jsonl"):
        (tmp_path / name).touch()
    named = [f"{tmp_path}/*.parquet", f"{tmp_path}/mine.jsonl", f"{tmp_path}/a.parquet"]
    assert [path.name for path in local_files(named)] == ["a.parquet", "b.parquet", "mine.jsonl"]
    with pytest.raises(DataError, match=r"min.jsonl: no such file; did you mean 'mine.jsonl'\?"):
        local_files([f"{tmp_path}/min.jsonl"])
    with pytest.raises(DataError, match=r"\*.csv: no such file; put it there, or name another one"):
        local_files([f"{tmp_path}/*.csv"])
    (tmp_path / "x.csv").touch()
    assert local_files([f"{tmp_path}/*.csv"]) == [tmp_path / "x.csv"]


def test_a_hub_that_cannot_be_asked_names_no_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    asked: list[tuple[Any, ...]] = []

    def dataset_info(self: Any, name: str, revision: str | None, timeout: float) -> Any:
        asked.append((name, revision))
        if revision == "gone":
            raise ConnectionError("offline")
        return SimpleNamespace(sha="c0ffee")

    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", dataset_info)
    assert [HubSet("a/b", None, revision, "train").commit() for revision in (None, "v1", "gone")] == ["c0ffee", "c0ffee", None]
    assert asked == [("a/b", None), ("a/b", "v1"), ("a/b", "gone")]
