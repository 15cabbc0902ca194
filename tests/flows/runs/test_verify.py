from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evals.cells import Partial, fingerprint_of
from flows.planning.plan import Plan, make_plan
from flows.runs.record import RunRecord
from flows.runs.verify import Finding, Verification
from rl_core.errors import InputError
from rl_core.fence import Fence
from rl_core.files import write_json
from rl_core.seal import sealed
from rl_core.training.checkpoint import save_checkpoint
from rl_core.training.journal import Journal
from tasks.stage.digests import Digests
from tasks.stage.lease import Lease
from tasks.stage.spec import StageSpec, at_work, set_aside, write_manifest
from tasks.workspace import Workspace, read_sealed, write_record

TRAINED = ("cold", "warm")


@pytest.fixture
def made(plan_of: Callable[..., Plan], make: Callable[..., None]) -> Plan:
    """A run that is done."""
    plan = plan_of()
    record = RunRecord.begin(plan)
    for stage in plan.stages:
        if stage.spec.stage in TRAINED:
            train(stage.spec)
        else:
            make(stage.spec)
    (plan.workspace.root / "warehouse.duckdb").unlink()
    record.end("done")
    return plan


def train(spec: StageSpec, *, whole: bool = True) -> None:
    digests = Digests(spec.workspace / ".digests.json")
    with at_work(spec, digests):
        for step in (1, 2):
            weights = f"weights of {spec.stage} after {step}"
            save_checkpoint(spec.directory / "checkpoints", step, lambda path, text=weights: save(path, text), {"step": step}, keep_last=2)
        (spec.directory / "rollouts").mkdir()
        journal = Journal(spec.directory, 2, Fence(None))
        for step in (1, 2):
            (spec.directory / "rollouts" / f"step-{step:06d}.parquet").write_text(f"rollouts of step {step}")
            journal.log(step, {"reward": 0.5})
        if not whole:
            raise KeyboardInterrupt
        write_manifest(spec, {"checkpoint": "checkpoints/step-000002", "checkpoints": ["checkpoints/step-000002"]}, digests)


def save(path: Path, text: str) -> None:
    (path / "model.safetensors").write_text(text)


def findings(plan: Plan, state: str | None = None) -> list[Finding]:
    found = list(Verification(plan.workspace, lambda text: None).findings())
    return [finding for finding in found if finding.state == state] if state else found


def damaged(plan: Plan) -> dict[str, str]:
    """What is wrong, without the warehouse, which these workspaces are without."""
    return {finding.what: finding.text for finding in findings(plan, "damaged") if finding.what != "warehouse.duckdb"}


def directory_of(plan: Plan, stage: str) -> Path:
    return next(planned.spec.directory for planned in plan.stages if planned.spec.stage == stage)


def flip(path: Path, position: int = -3) -> None:
    """One bit, as a bad disk does: size and time stay."""
    state, content = path.stat(), bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file() and path.name != ".digests.json"}


def test_a_whole_workspace_is_sound_and_stays_as_it_is(made: Plan) -> None:
    before = contents(made.workspace.root)
    found = findings(made)
    assert {finding.what.partition("-")[0] for finding in found if finding.state == "sound"} == {
        "mini/runs",
        *(f"mini/{stage.spec.stage}" for stage in made.stages),
    }
    assert [(finding.what, finding.text) for finding in found if finding.state != "sound"] == [("warehouse.duckdb", "is missing")]
    assert contents(made.workspace.root) == before


@pytest.mark.parametrize("how", ["flip", "cut", "empty", "missing"])
def test_whatever_happens_to_a_file_of_a_stage_it_is_named(made: Plan, how: str) -> None:
    directory = directory_of(made, "warm")
    (directory / "progress.jsonl").unlink()  # of which nothing is made
    tried = 0
    for path in sorted(path for path in directory.rglob("[!.]*") if path.is_file()):  # what is hidden is no output
        state, content = path.stat(), path.read_bytes()
        if how == "flip":
            flip(path, len(content) // 2)
        elif how == "missing":
            path.unlink()
        else:
            path.write_bytes(content[: len(content) // 2] if how == "cut" else b"")
        name = path.relative_to(directory).as_posix()
        if (how, name) == ("missing", "state.json"):  # as in a stage that was taken in
            assert damaged(made) == {}
        else:
            assert f"{name} " in damaged(made)[f"mini/{directory.name}"]
        tried += 1
        path.write_bytes(content)
        os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert tried >= 10
    assert damaged(made) == {}


def test_what_was_found_is_known_to_the_plan(made: Plan) -> None:
    """The command that is printed helps: size and time alone would tell nothing."""
    path = directory_of(made, "cold") / "checkpoints" / "step-000002" / "model.safetensors"
    flip(path)
    assert [stage.spec.stage for stage in make_plan(made.request).to_run if stage.spec.kind == "sft"] == []
    [finding] = [found for found in findings(made, "damaged") if found.what.startswith("mini/cold")]
    [record] = made.workspace.run_records()
    assert finding.remedy == f"r1flow resume mini/{record.stem} --workspace {made.workspace.root}"
    assert [stage.action for stage in make_plan(made.request).stages if stage.spec.stage == "cold"] == ["continue"]


def test_a_stage_whose_spec_is_damaged_goes_on_and_writes_it_again(made: Plan) -> None:
    spec = directory_of(made, "warm") / "spec.json"
    flip(spec, spec.read_bytes().index(b"fingerprint"))
    assert "spec.json is cut" in damaged(made)[f"mini/{spec.parent.name}"]
    [stage] = [stage for stage in make_plan(made.request).stages if stage.spec.stage == "warm"]
    assert (stage.action, stage.reasons) == ("continue", ["spec.json is missing or damaged"])


def test_bits_that_had_changed_before_a_stage_was_sealed(made: Plan) -> None:
    spec = next(stage.spec for stage in made.stages if stage.spec.stage == "warm")
    flip(spec.directory / "checkpoints" / "step-000001" / "model.safetensors")
    write_manifest(spec, {}, Digests(spec.workspace / "none.json"))
    assert damaged(made)[f"mini/{spec.directory.name}"] == "checkpoints/step-000001/model.safetensors had changed before its stage was done"


def test_what_is_unfinished_or_in_work_is_no_damage(made: Plan) -> None:
    spec = next(stage.spec for stage in made.stages if stage.spec.stage == "warm")
    set_aside(spec.directory)
    with pytest.raises(KeyboardInterrupt):
        train(spec, whole=False)
    assert damaged(made) == {}
    [unfinished] = findings(made, "unfinished")
    assert unfinished.text.startswith("stopped")
    assert unfinished.remedy is not None
    lease = Lease(spec.directory)
    lease.take()
    (spec.directory / "rollouts" / "step-000001.parquet").write_bytes(b"half of")
    assert [finding.what for finding in findings(made, "in work")] == [f"mini/{spec.directory.name}"]
    assert damaged(made) == {}
    lease.release("stopped")
    assert damaged(made)[f"mini/{spec.directory.name}"].startswith("step 1 has metrics or rollouts")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("checkpoints/step-000001/model.safetensors", "checkpoints/step-000001/model.safetensors does not match its digest"),
        ("checkpoints/step-000002/files.json", "checkpoints/step-000002/files.json does not match its digest"),
        ("rollouts/step-000001.parquet", "step 1 has metrics or rollouts that were changed after they were made"),
        ("metrics.jsonl", "step 2 has metrics or rollouts that were changed after they were made"),
    ],
)
def test_damage_to_an_unfinished_stage(made: Plan, name: str, message: str) -> None:
    spec = next(stage.spec for stage in made.stages if stage.spec.stage == "warm")
    set_aside(spec.directory)
    with pytest.raises(KeyboardInterrupt):
        train(spec, whole=False)
    flip(spec.directory / name, -3)
    assert damaged(made) == {f"mini/{spec.directory.name}": message}


def test_records_of_runs(made: Plan) -> None:
    [path] = made.workspace.run_records()
    path.write_text("{")
    [finding] = [found for found in findings(made, "damaged") if found.what == f"mini/runs/{path.name}"]
    assert finding.remedy == f"mv {path} {path}.damaged"
    path.rename(f"{path}.damaged")
    assert damaged(made) == {}


def test_a_stage_of_the_last_run_that_is_gone(made: Plan) -> None:
    directory = directory_of(made, "scores")
    shutil.rmtree(directory)
    assert damaged(made) == {f"mini/{directory.name}": "is missing"}


def test_what_an_export_leaves_behind_is_no_damage(made: Plan) -> None:
    directory = directory_of(made, "warm")
    (directory / "state.json").unlink()  # which never goes along
    shutil.rmtree(directory / "rollouts")
    [finding] = [found for found in findings(made) if found.what == f"mini/{directory.name}"]
    assert (finding.state, finding.text.partition("; ")[2]) == ("sound", "2 that export left behind are not here")
    (directory / "metrics.jsonl").unlink()
    assert damaged(made) == {f"mini/{directory.name}": "metrics.jsonl is missing"}


def test_workspaces_of_before_have_records_without_digests(made: Plan) -> None:
    for path in made.workspace.root.glob("*/*/*.json"):
        if (content := read_sealed(path)) is not None:
            write_json(path, content)
    assert damaged(made) == {}
    assert make_plan(made.request).to_run == [stage for stage in make_plan(made.request).stages if stage.spec.kind in ("analyze", "report")]


def test_cells(made: Plan) -> None:
    identity = {"benchmark": "gsm8k"}
    cell = made.workspace.cells / fingerprint_of(identity)
    cell.mkdir(parents=True)
    with Partial(cell / "partial.jsonl", identity) as partial:
        partial.add([(0, 0, {"response": "one"}), (0, 1, {"response": "two"})])
    with (cell / "partial.jsonl").open("a") as file:
        file.write('[0, 2, {"resp')  # is just being written
    assert [finding.what for finding in findings(made, "unfinished")] == [f"cells/{cell.name}"]
    flip(cell / "partial.jsonl", (cell / "partial.jsonl").read_bytes().index(b"two"))
    assert damaged(made)[f"cells/{cell.name}/partial.jsonl"].startswith("1 line(s) do not match their checksums")
    (cell / "partial.jsonl").unlink()
    pq.write_table(pa.table({"response": ["one"]}), cell / "samples.parquet")
    record = {"fingerprint": cell.name, "identity": identity, "responses": 1}
    write_json(cell / "cell.json", sealed(record, cell / "samples.parquet"))
    assert damaged(made) == {}
    flip(cell / "samples.parquet", 30)
    assert damaged(made)[f"cells/{cell.name}"].startswith("does not match its digest")
    flip(cell / "samples.parquet", 30)
    other = cell.rename(cell.with_name("0" * 16))
    [finding] = [found for found in findings(made, "damaged") if found.what.startswith("cells")]
    assert finding.text.startswith("is of another cell")
    assert finding.remedy == f"rm -r {other}"


def test_reports_and_promoted_checkpoints(made: Plan) -> None:
    page = made.workspace.root / "mini" / "reports" / "20260101-000000-000"
    page.mkdir(parents=True)
    (page / "report.html").write_text("page")
    digests = Digests(page / "none")
    write_record(page / "report.json", {"files": {"report.html": {"bytes": 4, "sha256": digests.of(page / "report.html")}}})
    stage = f"mini/{directory_of(made, 'warm').name}"
    write_record(made.workspace.root / ".promoted.json", {"mini@best": {"stage": stage, "checkpoint": f"{stage}/checkpoints/step-000001"}})
    assert damaged(made) == {}
    flip(page / "report.html")
    assert damaged(made) == {f"mini/reports/{page.name}": "report.html was changed after it was made"}
    flip(page / "report.html")
    flip(made.workspace.root / ".promoted.json", 20)
    assert damaged(made).keys() == {".promoted.json"}
    write_record(
        made.workspace.root / ".promoted.json",
        {"mini@best": {"stage": "mini/gone-01234567", "checkpoint": "mini/gone-01234567/checkpoints/x"}},
    )
    assert damaged(made) == {"mini/gone-01234567": "is missing, though mini@best is promoted from it"}


@pytest.mark.follows("bring it back from a backup, or put it out of the way")
def test_a_record_of_a_run_is_brought_back_or_put_out_of_the_way(made: Plan) -> None:
    [record] = made.workspace.run_records("mini")
    backup = record.read_bytes()
    for content in (b"{", backup[:-20]):
        record.write_bytes(content)
        [finding] = [found for found in findings(made, "damaged") if found.what.startswith("mini/runs")]
        assert finding.text.endswith("nothing can make it again: bring it back from a backup, or put it out of the way")
    record.write_bytes(backup)
    assert damaged(made) == {}
    record.write_bytes(b"{")
    subprocess.run(str(finding.remedy), shell=True, check=True)
    assert damaged(made) == {}


@pytest.mark.follows("no such workspace; give one by --workspace")
def test_a_workspace_or_an_experiment_that_is_not_there(made: Plan, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no such workspace; give one by --workspace"):
        list(Verification(Workspace.at(tmp_path / "none"), print).findings())
    with pytest.raises(InputError, match=r"no experiment 'mimi'; .*mini"):
        list(Verification(made.workspace, print).findings("mimi"))
    assert {finding.what.partition("/")[0] for finding in Verification(made.workspace, lambda text: None).findings("mini")} == {"mini"}
