from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from rl_core.files import write_json
from tasks.stage.digests import Digests
from tasks.stage.lease import Lease, StageBusy, StageFailed
from tasks.stage.spec import StageSpec, StageStopped, Upstream, at_work, read_manifest, set_aside, why_not_done, write_manifest
from tasks.workspace import read_json

SpecOf = Callable[..., StageSpec]
ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # SHA-256 of "abc", the example of FIPS 180-4


@pytest.fixture
def digests(tmp_path: Path) -> Digests:
    return Digests(tmp_path / "digests.json")


def make(spec: StageSpec, digests: Digests, files: dict[str, str]) -> None:
    with at_work(spec, digests):
        for name, text in files.items():
            (spec.directory / name).parent.mkdir(parents=True, exist_ok=True)
            (spec.directory / name).write_text(text)
        write_manifest(spec, {}, digests)


def test_a_stage_is_done_when_its_manifest_verifies(spec_of: SpecOf, digests: Digests) -> None:
    spec = spec_of()
    assert why_not_done(spec, digests) == "not run yet"
    with at_work(spec, digests):
        (spec.directory / "out.parquet").write_text("abc")
        assert why_not_done(spec, digests) == "unfinished"
        write_manifest(spec, {"steps": 3}, digests)
    assert why_not_done(spec, digests) is None
    manifest = read_manifest(spec.directory)
    assert manifest is not None
    assert manifest["outputs"] == {"out.parquet": {"bytes": 3, "sha256": ABC}}
    assert read_json(spec.directory / "state.json")["state"] == "done"


def test_files_being_written_and_housekeeping_are_no_outputs(spec_of: SpecOf, digests: Digests) -> None:
    spec = spec_of()
    make(spec, digests, {"log.txt": "", "progress.jsonl": "", "checkpoints/.step-1.partial/x": "", ".hidden": "", "result.json": "{}"})
    manifest = read_manifest(spec.directory)
    assert manifest is not None
    assert list(manifest["outputs"]) == ["result.json"]


@pytest.mark.follows("wait for it (`r1flow status`), stop it, or use another --workspace")
def test_two_at_once_are_refused(spec_of: SpecOf, digests: Digests) -> None:
    spec = spec_of()
    with at_work(spec, digests):
        with pytest.raises(StageBusy, match=rf"stage warm-01234567: in work since .* by process {os.getpid()} on ") as caught:
            Lease(spec.directory).take()
        assert "\n" not in str(caught.value)
        with pytest.raises(StageBusy):
            set_aside(spec.directory)
    Lease(spec.directory).take()


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (StageFailed("no luck"), "failed"),
        (StageStopped("told to"), "stopped"),
        (KeyboardInterrupt(), "stopped"),
        (OSError(28, "full"), "failed"),
    ],
)
def test_how_an_attempt_ended_is_recorded(spec_of: SpecOf, digests: Digests, error: BaseException, state: str) -> None:
    spec = spec_of()

    def attempt() -> None:
        with at_work(spec, digests):
            raise error

    with pytest.raises(type(error)):
        attempt()
    assert read_json(spec.directory / "state.json")["state"] == state
    with at_work(spec, digests):
        assert read_json(spec.directory / "state.json")["previous"]["state"] == state


def crash(spec: StageSpec, digests: Digests) -> None:
    """An attempt that leaves `half`."""
    with suppress(StageFailed), at_work(spec, digests):
        (spec.directory / "half").write_text("done")
        raise StageFailed("crash")


def test_an_unfinished_attempt_is_continued_in_place(spec_of: SpecOf, digests: Digests) -> None:
    spec = spec_of()
    crash(spec, digests)
    with at_work(spec, digests):
        assert (spec.directory / "half").read_text() == "done"


def test_an_attempt_on_other_inputs_is_set_aside(spec_of: SpecOf, digests: Digests) -> None:
    cold = spec_of("cold", kind="sft")
    make(cold, digests, {"model.safetensors": "first"})
    upstream = Upstream(stage="cold", kind="sft", fingerprint=cold.fingerprint, directory=cold.directory, position=0)
    warm = spec_of(upstream={"start": [upstream]})
    crash(warm, digests)
    set_aside(cold.directory)
    make(cold, digests, {"model.safetensors": "second"})
    with at_work(warm, digests):
        assert not (warm.directory / "half").exists()
    kept = [path for path in warm.directory.parent.glob("warm-*.superseded-*") if (path / "half").exists()]
    assert len(kept) == 1


@pytest.mark.parametrize(("spoiled", "anew"), [("checkpoints/step-1/model.safetensors", False), ("rollouts/step-1.parquet", True)])
def test_spoiled_checkpoints_are_the_trainers_to_repair_anything_else_is_made_anew(
    spec_of: SpecOf, digests: Digests, spoiled: str, anew: bool
) -> None:
    spec = spec_of()
    make(spec, digests, {"checkpoints/step-1/model.safetensors": "weights", "rollouts/step-1.parquet": "rows", "notes.json": "{}"})
    (spec.directory / spoiled).write_text("spoiled")
    assert why_not_done(spec, digests) == f"{spoiled} was changed after it was made"
    with at_work(spec, digests):
        assert (spec.directory / "notes.json").exists() != anew
        assert read_manifest(spec.directory) is None


def test_timings_do_not_make_another_content(spec_of: SpecOf, digests: Digests) -> None:
    spec = spec_of()
    contents = []
    for seconds in ("1.0", "2.0"):
        make(spec, digests, {"train.parquet": "rows", "result.json": json.dumps({"seconds": seconds})})
        contents.append((read_manifest(spec.directory) or {})["content"])
        set_aside(spec.directory)
    assert contents[0] == contents[1]


def test_digests_are_remembered_until_the_file_changes(tmp_path: Path) -> None:
    memory, file = tmp_path / "memory.json", tmp_path / "file"
    file.write_text("abc")
    digests = Digests(memory)
    assert digests.of(file) == ABC
    digests.save()
    write_json(memory, {str(file): [*json.loads(memory.read_text())[str(file)][:2], "remembered"]})
    assert Digests(memory).of(file) == "remembered"
    file.write_text("abd")
    os.utime(file, ns=(1, 1))
    assert Digests(memory).of(file) != "remembered"
