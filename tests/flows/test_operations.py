"""What becomes of runs afterwards: where they came from, what is kept, how they travel. Stages are made without their work."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from flows.history.archive import export, take_in
from flows.history.archive_tracking import announce
from flows.history.garbage import garbage, remove
from flows.history.lineage import chain, described, rebuild
from flows.history.promote import promote
from flows.history.references import find
from flows.planning.plan import Plan, make_plan
from flows.recipe.load import resolved
from flows.runs.record import RunRecord, find_run
from flows.runs.status import describe
from rl_core.errors import InputError
from rl_core.files import write_json
from rl_core.seal import sealed
from tasks.process import process_mark, this_process
from tasks.stage.digests import Digests
from tasks.stage.lease import Lease, StageBusy
from tasks.stage.spec import StageSpec, at_work, set_aside, write_manifest
from tasks.tracking.experiment_run import Lineage, TrackingError
from tasks.workspace import Workspace

PlanOf = Callable[..., Plan]


def make(spec: StageSpec) -> None:
    """A stage with the files that matter here: data, weights, scores."""
    digests = Digests(spec.workspace / ".digests.json")
    with at_work(spec, digests):
        result: dict[str, object] = {}
        if spec.kind == "data":
            (spec.directory / "train.parquet").write_text("rows")
            result = {"train": 40, "test": 5, "source": "generated", "checked": [benchmark["name"] for benchmark in spec.held_out]}
        if spec.kind in ("sft", "rl"):
            checkpoint = spec.directory / "checkpoints" / "step-000003"
            checkpoint.mkdir(parents=True)
            (checkpoint / "model.safetensors").write_text(spec.stage)
            (checkpoint / "optimizer.safetensors").write_text("moments")
            files = {path.name: path.read_bytes() for path in checkpoint.iterdir()}
            described = {name: {"bytes": len(held), "sha256": hashlib.sha256(held).hexdigest()} for name, held in files.items()}
            write_json(checkpoint / "files.json", described)
            (spec.directory / "rollouts").mkdir()
            (spec.directory / "rollouts" / "step-000001.parquet").write_text("rows")
            result = {"checkpoint": "checkpoints/step-000003", "checkpoints": ["checkpoints/step-000003"]}
        if spec.kind == "eval":
            score = {"checkpoint": "warm", "benchmark": "knights_knaves", "subset": None, "mode": "greedy", "metric": "accuracy"}
            write_json(spec.directory / "scores.json", {"scores": [score | {"value": 0.5, "low": 0.4, "high": 0.6, "problems": 4}]})
        write_manifest(spec, result, digests, seconds=1.0, finished=0.0)
    (spec.workspace / "warehouse.duckdb").write_text("")


@pytest.fixture
def made(plan_of: PlanOf) -> PlanOf:
    """Plans in a workspace with one finished run."""
    run(plan_of())
    return plan_of


def run(plan: Plan) -> None:
    for stage in plan.to_run:
        make(stage.spec)
    RunRecord.begin(plan).end("done")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.at(tmp_path / "runs")


def test_a_score_is_followed_back_to_the_data(made: PlanOf, workspace: Workspace) -> None:
    lines = list(described(workspace, find(workspace, "mini/scores/warm/knights_knaves")))
    heads = [line.split()[0] for line in lines if not line.startswith(" ")]
    assert heads == ["puzzles", "cold", "warm", "scores", "score"]
    assert lines[-1] == "score warm, knights_knaves, greedy accuracy: 50.0 [40.0, 60.0] on 4 problems"
    assert any("train.parquet: 40 rows (generated), sha256 " in line for line in lines)
    assert any("checkpoints/step-000003: whole, " in line for line in lines)
    assert not any("score" in line for line in described(workspace, find(workspace, "mini/warm")))


def test_the_recipe_of_a_chain_makes_the_same_stages(made: PlanOf, workspace: Workspace, tmp_path: Path) -> None:
    for stage in ("scores", "warm"):
        recipe = tmp_path / "again.yaml"
        recipe.write_text(yaml.safe_dump(resolved(rebuild(chain(workspace, find(workspace, f"mini/{stage}").stage)))))
        again = make_plan(made().request.model_copy(update={"recipe": str(recipe)}))
        assert again.to_run == []
        assert again.stages[-1].spec.stage == stage


def test_a_checkpoint_is_found_by_its_path(made: PlanOf, workspace: Workspace) -> None:
    directory = find(workspace, "mini/warm").stage.directory
    subject = find(workspace, str(directory / "checkpoints" / "step-000003"))
    assert subject.stage.name == "warm"
    assert subject.checkpoint == directory / "checkpoints" / "step-000003"


@pytest.mark.parametrize("target", ["best", "a@", "@best", "a b@best", "a@v3", "a@latest", "../a@best"])
def test_names_that_mlflow_would_not_take_are_refused(made: PlanOf, workspace: Workspace, target: str) -> None:
    with pytest.raises(InputError, match="write NAME@alias"):
        promote(workspace, find(workspace, "mini/warm"), target)


def test_a_damaged_or_missing_checkpoint_is_not_promoted(made: PlanOf, workspace: Workspace) -> None:
    subject = find(workspace, "mini/warm")
    with pytest.raises(InputError, match=r"MLflow at .* does not know it yet"):
        promote(workspace, subject, "mini@best")
    (subject.stage.directory / "checkpoints" / "step-000003" / "files.json").write_text("{")
    with pytest.raises(InputError, match="does not match its digests"):
        promote(workspace, subject, "mini@best")
    with pytest.raises(InputError, match="the stage has no checkpoint"):
        promote(workspace, find(workspace, "mini/puzzles"), "mini@best")


def names(workspace: Workspace, keep_runs: int = 1) -> set[str]:
    return {item.directory.name.partition("-")[0] for item in garbage(workspace, keep_runs)}


def test_only_what_no_kept_run_needs_can_go(made: PlanOf, workspace: Workspace) -> None:
    assert names(workspace) == set()
    old = find(workspace, "mini/warm").stage.directory
    run(made("warm.temperature=0.9"))
    assert names(workspace) == {"warm", "scores", "cot", "report"}
    assert names(workspace, keep_runs=2) == set()
    # A promoted checkpoint is kept with what it was made of, a run in work with everything.
    write_json(workspace.root / ".promoted.json", {"mini@best": {"stage": f"mini/{old.name}", "checkpoint": ""}})
    assert names(workspace) == {"scores", "cot", "report"}
    (workspace.root / ".promoted.json").unlink()
    lease = Lease(old)
    lease.take()
    assert "warm" not in names(workspace)
    lease.release("done")
    items = garbage(workspace, 1)
    lease.take()
    with pytest.raises(StageBusy):
        remove(items)
    lease.release("done")
    assert old.exists()
    remove(garbage(workspace, 1))
    assert not old.exists()
    assert made("warm.temperature=0.9").to_run == []


def test_what_was_set_aside_can_go(made: PlanOf, workspace: Workspace) -> None:
    from tasks.stage.spec import set_aside

    stage = find(workspace, "mini/report").stage
    set_aside(stage.directory)
    assert [item.why for item in garbage(workspace, 1)] == ["superseded"]


@pytest.fixture
def archive(made: PlanOf, workspace: Workspace, tmp_path: Path) -> Path:
    path = tmp_path / "mini.tar"
    export(workspace, find_run(workspace, "mini"), path, checkpoint=None, whole=False)
    return path


def test_a_run_travels_without_what_is_large(archive: Path, workspace: Workspace, tmp_path: Path) -> None:
    there = Workspace.at(tmp_path / "there")
    run, placed = take_in(there, archive)
    assert run.startswith("mini/")
    assert len(placed) == 6
    kept = {path.relative_to(there.root / "mini").as_posix().partition("/")[2] for path in there.root.rglob("*") if path.is_file()}
    assert "checkpoints/step-000003/model.safetensors" in kept
    assert not any(name.startswith("rollouts/") or name == "state.json" or name.endswith("optimizer.safetensors") for name in kept)
    lines = [line for line in described(there, find(there, "mini/warm")) if "-> checkpoints" in line]
    assert [line.partition(": ")[2].partition(", model")[0] for line in lines] == ["not here", "whole, without its optimizer"]
    assert not list(there.root.glob("mini/cold-*/checkpoints"))
    assert find_run(there, "mini")["state"] == "done"
    assert list(described(there, find(there, "mini/scores")))
    assert take_in(there, archive)[1] == []


def test_a_whole_run_is_reused_where_it_arrives(made: PlanOf, workspace: Workspace, tmp_path: Path) -> None:
    export(workspace, find_run(workspace, "mini"), tmp_path / "whole.tar", checkpoint=None, whole=True)
    there = Workspace.at(tmp_path / "there")
    take_in(there, tmp_path / "whole.tar")
    plan = made(workspace=there.root)
    assert {stage.spec.stage for stage in plan.to_run} == {"cot", "report"}  # the warehouse of the other workspace is not there


@pytest.mark.slow
@pytest.mark.follows("run the stage again, or name another checkpoint", "does not know it yet; send it: r1flow resume")
def test_mlflow_hears_of_a_run_that_was_taken_in(archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import mlflow

    there = Workspace.at(tmp_path / "there")
    run, _ = take_in(there, archive)
    warnings: list[str] = []
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    with pytest.raises(TrackingError):
        announce(there, run, warnings.append)
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert announce(there, run, warnings.append) == ["puzzles", "cold", "warm", "scores", "cot", "report"]
    client = mlflow.MlflowClient(there.tracking_uri)
    [experiment] = client.search_experiments(filter_string="name = 'mini'")
    runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    [parent] = [run for run in runs.values() if "mlflow.parentRunId" not in run.data.tags]
    assert parent.data.tags["r1flow.imported"] == "true"
    assert parent.data.metrics == {"warm/knights_knaves/greedy/accuracy": 0.5}
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    [judged] = [model for model in client.search_logged_models([experiment.experiment_id]) if model.params["stage"] == "warm"]
    assert judged.params["sha256"] == hashlib.sha256(b"warm").hexdigest()
    assert [(metric.key, metric.value) for metric in judged.metrics] == [("knights_knaves/greedy/accuracy", 0.5)]
    assert announce(there, run, warnings.append) == []
    assert promote(there, find(there, "mini/warm"), "mini@chosen")["version"] == "1"
    files = find(there, "mini/warm").weights() / "files.json"
    listed = files.read_text()
    files.write_text("{")
    with pytest.raises(InputError, match="does not match its digests; run the stage again, or name another checkpoint"):
        promote(there, find(there, "mini/warm"), "mini@chosen")
    files.write_text(listed)  # as the stage writes it
    directory = find(there, "mini/warm").stage.directory
    (directory / "mlflow.json").unlink()
    with pytest.raises(InputError, match=r"MLflow at .* does not know it yet; send it: r1flow resume mini$"):
        promote(there, find(there, "mini/warm"), "mini@chosen")
    Lineage(there, "mini", "mini resumed", warnings.append).recall(directory)  # as a run does with a stage that it reuses
    assert promote(there, find(there, "mini/warm"), "mini@chosen")["version"] == "2"
    assert warnings == []


def rewrite(archive: Path, change: Callable[[dict, dict[str, bytes]], None]) -> None:
    """Change an archive's list and files."""
    with tarfile.open(archive) as source:
        files = {member.name: source.extractfile(member).read() for member in source}  # type: ignore[union-attr]
    index = json.loads(files.pop("bundle.json"))
    change(index, files)
    with tarfile.open(archive, "w") as target:
        for name, content in {"bundle.json": json.dumps(index).encode(), **files}.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            target.addfile(member, io.BytesIO(content))


def outside(index: dict, files: dict[str, bytes]) -> None:
    name = next(iter(files))
    index["files"]["../evil"] = index["files"].pop(name)
    files["../evil"] = files.pop(name)


def absolute(index: dict, files: dict[str, bytes]) -> None:
    index["experiment"] = "/tmp/evil"


def flipped(index: dict, files: dict[str, bytes]) -> None:
    name = next(name for name in files if name.endswith("model.safetensors"))
    files[name] = bytes([files[name][0] ^ 1]) + files[name][1:]


def cut(index: dict, files: dict[str, bytes]) -> None:
    files.popitem()


def elsewhere(index: dict, files: dict[str, bytes]) -> None:
    name = f"runs/{index['run']}.json"
    record = json.loads(files[name])
    record["stages"]["warm"]["directory"] = "../../evil"
    put(index, files, name, record)


def put(index: dict, files: dict[str, bytes], name: str, content: dict) -> None:
    """A record in the archive, sealed and listed as it is."""
    files[name] = json.dumps(sealed(content)).encode()
    index["files"][name] = {"bytes": len(files[name]), "sha256": hashlib.sha256(files[name]).hexdigest()}


def experiment_called(name: str) -> Callable[[dict, dict[str, bytes]], None]:
    """The whole archive under another name, in its list, its record and its stages."""

    def change(index: dict, files: dict[str, bytes]) -> None:
        index["experiment"] = name
        for path in [path for path in files if path.endswith("spec.json") or path.startswith("runs/")]:
            put(index, files, path, json.loads(files[path]) | {"experiment": name})

    return change


def run_called(name: str) -> Callable[[dict, dict[str, bytes]], None]:
    def change(index: dict, files: dict[str, bytes]) -> None:
        record = f"runs/{index['run']}.json"
        content = json.loads(files.pop(record)) | {"run": name}
        del index["files"][record]
        index["run"] = name
        put(index, files, f"runs/{name}.json", content)

    return change


def with_file(path: str) -> Callable[[dict, dict[str, bytes]], None]:
    return lambda index, files: put(index, files, path, {})


def part_of(end: str, **facts: object) -> Callable[[dict, dict[str, bytes]], None]:
    """Other facts in the first JSON file whose path ends so."""

    def change(index: dict, files: dict[str, bytes]) -> None:
        path = next(path for path in files if path.endswith(end))
        put(index, files, path, json.loads(files[path]) | facts)

    return change


def rotten(end: str) -> Callable[[dict, dict[str, bytes]], None]:
    """A bit that flipped before the export."""

    def change(index: dict, files: dict[str, bytes]) -> None:
        path = next(path for path in files if path.endswith(end))
        files[path] = files[path].replace(b"mini", b"mimi", 1)
        index["files"][path] |= {"sha256": hashlib.sha256(files[path]).hexdigest()}

    return change


def without(end: str) -> Callable[[dict, dict[str, bytes]], None]:
    def change(index: dict, files: dict[str, bytes]) -> None:
        for path in [path for path in files if path.endswith(end)]:
            del files[path], index["files"][path]

    return change


def another_stage(index: dict, files: dict[str, bytes]) -> None:
    """The files of a stage under the directory of another one."""
    for path in [path for path in files if path.startswith("cold-")]:
        other = path.replace("cold-", "colt-", 1)
        files[other], index["files"][other] = files.pop(path), index["files"].pop(path)


def unlisted(index: dict, files: dict[str, bytes]) -> None:
    files["mini/extra"] = b"x"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (outside, "leads out of the archive"),
        (absolute, "leads out of the archive"),
        (flipped, "does not match its digest"),
        (cut, "is missing, it was cut off"),
        (elsewhere, "leads out of the experiment"),
        (unlisted, "is not in its list of files"),
        *((experiment_called(name), "experiment's name") for name in ("cells", "evaluations", "queries", "comparisons")),
        *((experiment_called(name), "experiment's name") for name in ("warehouse.duckdb", ".prefect", "A B", "", "a/b", "x\ny")),
        *((experiment_called(name), "experiment's name") for name in ("-rf", "UPPER", "x\x1b[31m", "a" * 300, "<img src=x>", "x'; drop")),
        *((run_called(name), "bundle.json is broken .run") for name in ("x", "../x", "20260101", "x\x1b[31m")),
        (with_file("notes/x.json"), "neither the run's record nor in a stage's directory"),
        (with_file("runs/20200101-000000-000.json"), "neither the run's record nor in a stage's directory"),
        (with_file("cold-01234567/x\x1b[31m"), "leads out of the archive"),
        (with_file("cold-01234567/a\\b"), "leads out of the archive"),
        (with_file("cold-01234567/.hidden/x"), "leads out of the archive"),
        (with_file("colt-01234567/spec.json"), "colt-01234567/spec.json is broken"),
        (another_stage, "holds another stage than it is named for"),
        (part_of("spec.json", fingerprint="0" * 64), "holds another stage than it is named for"),
        (part_of("spec.json", experiment="other"), "holds another stage than it is named for"),
        (part_of("spec.json", identity=[]), "spec.json is broken .identity"),
        (part_of("manifest.json", outputs={"../../x": {"bytes": 1, "sha256": "0" * 64}}), "which leads out of it"),
        (part_of("manifest.json", result={"checkpoint": "/etc"}), "which leads out of it"),
        (part_of("manifest.json", outputs=[]), "manifest.json is broken .outputs"),
        (part_of("manifest.json", outputs={"train.parquet": {"bytes": 1, "sha256": "0" * 64}}), "is not what its manifest says"),
        (rotten("manifest.json"), "manifest.json is broken .it does not match its own digest"),
        (rotten("spec.json"), "spec.json is broken .it does not match its own digest"),
        (without("manifest.json"), "has no manifest.json"),
        (lambda index, files: without(f"runs/{index['run']}.json")(index, files), "the record of its run is missing"),
    ],
)
def test_an_archive_that_lies_is_refused_and_leaves_nothing(
    archive: Path, tmp_path: Path, change: Callable[..., None], message: str
) -> None:
    rewrite(archive, change)
    there = Workspace.at(tmp_path / "there")
    with pytest.raises(InputError, match=message):
        take_in(there, archive)
    assert list(there.root.iterdir()) == []
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize("content", ["{", "", "[]", "{}", '{"state": "done", "stages": []}', '{"state": "done", "stages": {"a": 1}}'])
@pytest.mark.follows("move it out of the workspace to let its stages go")
def test_nothing_can_go_while_a_runs_record_cannot_be_read(made: PlanOf, workspace: Workspace, content: str) -> None:
    [record] = workspace.run_records()
    record.write_text(content)
    with pytest.raises(InputError, match=r"cannot be read, .* move it out of the workspace") as error:
        garbage(workspace, 1)
    assert str(record) in str(error.value)
    record.rename(workspace.root.parent / record.name)  # what it says helps
    assert len(garbage(workspace, 1)) == 6


@pytest.mark.follows("or make the directory, empty, to let the stages go")
def test_nothing_can_go_while_the_records_of_runs_are_out_of_reach(
    made: PlanOf, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = workspace.root / "mini" / "runs"

    def refused(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    with monkeypatch.context() as patch:  # whoever runs the tests may have every right
        patch.setattr("flows.history.garbage.os.listdir", refused)
        with pytest.raises(PermissionError):
            garbage(workspace, 1)
    shutil.rmtree(folder)
    with pytest.raises(InputError, match=r"the records of runs have gone, .* make the directory, empty"):
        garbage(workspace, 1)
    folder.mkdir()  # what it says helps
    assert len(garbage(workspace, 1)) == 6


@pytest.mark.follows("remove the file if it is not")
def test_nothing_can_go_while_nobody_knows_what_a_stage_is_or_who_works_in_it(made: PlanOf, workspace: Workspace) -> None:
    old = find(workspace, "mini/warm").stage.directory
    run(made("warm.temperature=0.9"))
    assert "warm" in names(workspace)
    state = (old / "state.json").read_text()
    (old / "state.json").write_text(state.replace('"done"', '"of a later version"'))
    with pytest.raises(InputError, match=r"state\.json: cannot be read, .* remove the file if it is not"):
        garbage(workspace, 1)
    (old / "state.json").unlink()  # what it says helps
    assert "warm" in names(workspace)
    kept = find(workspace, "mini/cold").stage.directory
    (kept / "spec.json").unlink()
    with pytest.raises(InputError, match=r"cold-.*spec\.json: missing or not readable"):
        garbage(workspace, 1)


def test_nothing_can_go_while_the_list_of_promoted_checkpoints_cannot_be_read(workspace: Workspace) -> None:
    workspace.create()
    (workspace.root / ".promoted.json").write_text("{")
    with pytest.raises(InputError, match=r"\.promoted\.json: cannot be read"):
        garbage(workspace, 1)


@pytest.mark.follows("was changed after it was made; first r1flow resume")
def test_a_damaged_file_does_not_go_along(made: PlanOf, workspace: Workspace, tmp_path: Path) -> None:
    path = find(workspace, "mini/scores").stage.directory / "scores.json"
    state, text = path.stat(), path.read_text()
    path.write_text(text.replace("0.5", "0.7"))
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))  # as a bad disk leaves it
    run = find_run(workspace, "mini")
    with pytest.raises(InputError, match=rf"scores\.json: was changed after it was made; first r1flow resume mini/{run['run']}"):
        export(workspace, run, tmp_path / "run.tar", checkpoint=None, whole=False)
    assert not (tmp_path / "run.tar").exists()
    again = made()  # what it says helps
    assert [stage.spec.stage for stage in again.to_run] == ["scores", "cot", "report"]
    for stage in again.to_run:
        set_aside(stage.spec.directory)
        make(stage.spec)
    assert len(export(workspace, find_run(workspace, run["run"]), tmp_path / "run.tar", checkpoint=None, whole=False)) == 6


def test_a_link_in_an_archive_is_refused(archive: Path, tmp_path: Path) -> None:
    with tarfile.open(archive) as source:
        index = json.loads(source.extractfile("bundle.json").read())  # type: ignore[union-attr]
    name = next(iter(index["files"]))
    with tarfile.open(archive, "w") as target:
        content = json.dumps(index | {"files": {name: {"bytes": 0, "sha256": "0" * 64}}}).encode()
        member = tarfile.TarInfo("bundle.json")
        member.size = len(content)
        target.addfile(member, io.BytesIO(content))
        link = tarfile.TarInfo(name)
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        target.addfile(link)
    with pytest.raises(InputError, match="do not trust it"):
        take_in(Workspace.at(tmp_path / "there"), archive)


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_text("hello")
    for name in ("x.tar", "none.tar"):
        with pytest.raises(InputError, match=r"not a whole archive of r1flow export"):
            take_in(Workspace.at(tmp_path / "there"), tmp_path / name)


def judge(plan: Plan, answers: dict[str, list[bool]]) -> None:
    """Scores and samples of the plan's evaluation: which problems each checkpoint solves."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    directory = next(stage.spec.directory for stage in plan.stages if stage.spec.kind == "eval")
    scores = []
    for checkpoint, solved in answers.items():
        rows = [
            {"mode": "greedy", "sample": 0, "prompt_id": str(index), "correct": right, "extracted": None, "difficulty": None}
            for index, right in enumerate(solved)
        ]
        path = directory / "samples" / checkpoint / "knights_knaves.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(rows), path)
        score = {"checkpoint": checkpoint, "benchmark": "knights_knaves", "subset": None, "metric": "accuracy"}
        scores.append(score | {"value": sum(solved) / len(solved)})
    write_json(directory / "scores.json", {"scores": scores})


def test_best_moves_only_for_more_than_noise(made: PlanOf, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    from flows.history.best import move_best
    from flows.history.promote import promoted

    monkeypatch.setattr("flows.history.promote._register", lambda uri, name, alias, model: model)  # MLflow's part has its own test
    plan = made("best={stage: scores, benchmark: knights_knaves}")
    for stage in plan.stages:
        if stage.spec.kind in ("sft", "rl"):
            notes = {"tracking_uri": workspace.tracking_uri, "models": {"checkpoints/step-000003": stage.spec.stage}}
            write_json(stage.spec.directory / "mlflow.json", notes)

    def move(cold: int, warm: int) -> str:
        judge(plan, {"cold": [index < cold for index in range(40)], "warm": [index < warm for index in range(40)]})
        assert plan.recipe.best
        return move_best(plan, plan.recipe.best)

    assert move(20, 10) == "mini@best is cold: accuracy 50.0 on knights_knaves"
    # McNemar, exact: of 2 problems that one checkpoint alone solves p = 0.5, of 10 p = 0.002.
    assert "differs by +5.0 points" in (said := move(20, 22))
    assert said.endswith("on knights_knaves, which is noise")
    assert promoted(workspace)["mini@best"]["model"] == "cold"
    assert move(20, 30).startswith("mini@best is warm: warm differs by +25.0 points [")
    assert promoted(workspace)["mini@best"]["model"] == "warm"
    assert move(20, 30) == "mini@best stays at warm: accuracy 75.0 on knights_knaves"


@pytest.mark.parametrize(
    ("best", "message"),
    [
        ("{stage: score, benchmark: knights_knaves}", "best.stage: there is no eval stage 'score'; did you mean 'scores'"),
        ("{stage: scores, benchmark: gsm8k}", "best.benchmark: scores does not evaluate 'gsm8k'"),
    ],
)
def test_a_best_by_nothing_is_refused(plan_of: PlanOf, best: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        plan_of(f"best={best}")


def test_status_tells_a_trainer_left_behind_from_an_interrupted_stage(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    owner = {**this_process(), "id": "x", "pid": 2**22 + 1, "born": 0.0}
    state = {"owner": owner, "started": 0, "heartbeat": 0.0, "state": "running", "trainer": process_mark(child.pid)}
    write_json(tmp_path / "state.json", state)
    assert describe(tmp_path)[0] == f"left behind: its run is gone, its trainer (process {child.pid}) writes a checkpoint and ends"
    child.kill()
    child.wait()
    assert describe(tmp_path)[0] == "interrupted"
