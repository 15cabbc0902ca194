"""What messages about recipes, runs and workspaces advise, done: each wrong call, the message, and the call that it asks for."""

from __future__ import annotations

import errno
import io
import json
import os
import shlex
import shutil
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import click
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from evals.analytics.external.files import File
from evals.analytics.external.read import read_responses_of
from evals.analytics.warehouse.publish import publish
from flows.analysis.compare_runs import compare_runs
from flows.analysis.external import _families, _tags
from flows.analysis.report import write_report
from flows.analysis.sql_shell import parameters_of
from flows.analysis.tables import write_table
from flows.cli import main as command_line
from flows.cli.group import Output
from flows.history.archive import export, take_in
from flows.history.garbage import garbage
from flows.history.promote import promoted
from flows.planning.plan import Plan, make_plan
from flows.recipe.load import load_recipe
from flows.recipe.schema import RecipeError
from flows.runs.record import RunRecord, find_run
from flows.runs.resume import resume_request
from flows.servers.doctor import _workspace
from flows.servers.schedules import Schedule, check, keep_schedule, path_of, read_schedules
from rl_core.errors import InputError
from tasks.costs.machine import machine_called
from tasks.kinds.report import where_to_look
from tasks.stage.spec import set_aside
from tasks.workspace import Workspace, WorkspaceError
from tests.rights import modes_heeded

MINI = Path(__file__).parents[1] / "fixtures" / "mini.yaml"
follows = pytest.mark.follows


def said_in(request: pytest.FixtureRequest) -> str:
    """The part of the message that a test follows, up to what is filled in."""
    marker = request.node.get_closest_marker("follows")
    return str(marker.args[0]).partition("{}")[0]


def case(part: pytest.MarkDecorator, wrong: list[str], right: list[str]) -> object:
    return pytest.param(wrong, right, marks=part)


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        case(follows("write path=value, such as"), ["warm.temperature"], ["warm.temperature=0.9"]),
        case(follows("`reference` has no effect without a KL term"), ["warm.reference=cold"], []),
        case(
            follows("remove it, or set algorithm.kl_coefficient"),
            ["warm.reference=cold"],
            ["warm.reference=cold", "warm.algorithm.kl_coefficient=0.001"],
        ),
        case(follows("take another one"), ["name=cells"], ["name=sells"]),
        case(follows("is no name; use a-z"), ["name=A b"], ["name=a_b"]),
        case(
            follows("call the stage otherwise"),
            ["stages.model={kind: sft, data: puzzles, steps: 1}"],
            ["stages.other={kind: sft, data: puzzles, steps: 1}"],
        ),
        case(follows("is made from nothing by an {} stage; name one of"), ["warm.start=model"], ["warm.start=cold"]),
        case(follows("remove one of these references"), ["cold.start=warm"], ["cold.start=model"]),
        case(follows("is not in the database; add it to"), ["cot.of=[cold, warm]"], ["cot.of=[cold, warm, scores]"]),
        case(follows(": write {name: {}}"), ["warm.algorithm=rloo"], ["warm.algorithm={name: rloo}"]),
        case(
            follows("`cluster` has no effect with `ray: false`; remove one"),
            ["warm.resources={ray: false, cluster: 'http://head:8265'}"],
            ["warm.resources={cluster: 'http://head:8265'}"],
        ),
        case(
            follows("which records would show; give it by RAY_AUTH_MODE=token"),
            ["warm.resources={cluster: 'http://me:secret@head:8265'}"],
            ["warm.resources={cluster: 'http://head:8265'}"],
        ),
        case(
            follows("add `source: generate`"),
            ["puzzles.doubt=0.5", "puzzles.source=auto"],
            ["puzzles.doubt=0.5", "puzzles.source=generate"],
        ),
        case(
            follows("`kl_discounts` has no effect with `kl_in: loss`"),
            ["warm.algorithm={advantage: returns, kl_discounts: [0.9]}"],
            ["warm.algorithm={advantage: returns, kl_discounts: [0.9], kl_in: reward}"],
        ),
        case(
            follows("`{}` has no effect with `advantage: {}`; remove it, or use"),
            ["warm.algorithm={name: grpo, trace: 0.9}"],
            ["warm.algorithm={name: ppo, trace: 0.9}"],
        ),
        case(follows("give `steps` or `epochs`"), ["warm.steps=null"], ["warm.steps=null", "warm.epochs=1"]),
        case(follows("`steps` and `epochs` exclude each other: remove one"), ["warm.epochs=1"], ["warm.steps=null", "warm.epochs=1"]),
        case(follows("give 2 or more"), ["warm.group_size=1"], ["warm.group_size=2"]),
        case(
            follows("`penalties.dense_repetition.discount` has no effect"),
            ["warm.penalties={dense_repetition: {discount: 0.9}}"],
            ["warm.penalties={dense_repetition: {discount: 0.9}}", "warm.algorithm={name: ppo}"],
        ),
        case(
            follows("more than one worker needs Ray: remove `resources.ray: false`"),
            ["warm.resources={ray: false, training_workers: 2}"],
            ["warm.resources={training_workers: 2}"],
        ),
        case(
            follows("set `resources.placement: separate`"),
            ["warm.engine=vllm", "warm.asynchronous=true"],
            ["warm.engine=vllm", "warm.asynchronous=true", "warm.resources={placement: separate}"],
        ),
        case(
            follows("set zero_stage: 3"),
            ["warm.backend=deepspeed", "warm.resources={offload: all, zero_stage: 2}"],
            ["warm.backend=deepspeed", "warm.resources={offload: all, zero_stage: 3}"],
        ),
        case(follows("leaves nothing to evaluate: give `samples`"), ["scores.greedy=false", "scores.samples=0"], ["scores.greedy=false"]),
        case(follows("is listed twice: use one entry"), ["scores.benchmarks=[gsm8k, gsm8k]"], ["scores.benchmarks=[gsm8k]"]),
        case(
            follows("give a key by OPENAI_API_KEY"),
            ["scores.engine=openai", "scores.resources={base_url: 'http://me:secret@host'}"],
            ["scores.engine=openai", "scores.resources={base_url: 'http://host'}"],
        ),
    ],
)
def test_settings(wrong: list[str], right: list[str], request: pytest.FixtureRequest) -> None:
    with pytest.raises(RecipeError) as error:
        load_recipe(str(MINI), wrong)
    assert said_in(request) in str(error.value)
    load_recipe(str(MINI), right)


@follows("no such recipe file; `r1flow recipes` lists")
def test_a_recipe_that_is_listed_loads() -> None:
    with pytest.raises(RecipeError, match="no such recipe file; `r1flow recipes` lists"):
        load_recipe("none.yaml", [])
    listed = r1flow("recipes").stdout.splitlines()[1].split()[0]
    assert load_recipe(listed, []).stages


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        pytest.param(
            {"force": ["report"], "until": "warm"},
            {"force": ["report"]},
            marks=follows("the stage lies outside of --from and --until; leave"),
        ),
        pytest.param({"rerun_from": "warm"}, {"rerun_from": "puzzles"}, marks=follows("leave --from out, or undo the change")),
        pytest.param(
            {"rerun_from": "warm"}, {}, marks=follows("--from {}: before it would have to run {}; start from {}, leave --from out")
        ),
    ],
)
def test_choices_of_stages(plan_of: Callable[..., Plan], wrong: dict[str, object], right: dict[str, object]) -> None:
    with pytest.raises(RecipeError, match=r"lies outside|start from puzzles, leave --from out"):
        plan_of(**wrong)
    assert plan_of(**right).to_run


def r1flow(*arguments: object) -> Result:
    return CliRunner().invoke(command_line, [str(argument) for argument in arguments])


@follows("no experiment yet; r1flow run quickstart", "can go: --delete")
def test_an_empty_workspace_and_one_with_garbage(tmp_path: Path, plan_of: Callable[..., Plan], make: Callable[..., None]) -> None:
    root = tmp_path / "runs"
    assert "no experiment yet; r1flow run quickstart" in r1flow("status", "--workspace", root).stdout
    assert r1flow("plan", "quickstart", "--workspace", root).exit_code == 0
    for changes in ([], ["puzzles.train=41"]):
        plan = plan_of(*changes)
        for stage in plan.to_run:
            make(stage.spec)
        RunRecord.begin(plan).end("done")
    assert "in 6 directories can go: --delete" in r1flow("gc", "--workspace", root).stdout
    assert "in 6 directories deleted" in r1flow("gc", "--delete", "--workspace", root).stdout
    assert r1flow("gc", "--workspace", root).stdout == "nothing can go\n"


@pytest.fixture
def finished(plan_of: Callable[..., Plan], make: Callable[..., None]) -> Plan:
    plan = plan_of()
    for stage in plan.stages:
        make(stage.spec)
    RunRecord.begin(plan).end("done")
    return plan


@follows("no stage of training or evaluation has begun; go on with it: r1flow resume", "is finished; go on with it: r1flow resume")
def test_a_run_without_results_can_be_gone_on_with(plan_of: Callable[..., Plan]) -> None:
    plan = plan_of()
    records = [RunRecord.begin(plan), RunRecord.begin(plan)]
    for record in records:
        record.end("stopped")
    names = [f"mini/{record.name}" for record in records]
    with pytest.raises(InputError, match=f"go on with it: r1flow resume {names[0]}$") as one:
        write_report(plan.workspace, records[0].content, None)
    with pytest.raises(InputError, match="go on with it: r1flow resume mini/") as two:
        compare_runs(plan.workspace, names, None, print)
    for error in (one, two):
        run = find_run(plan.workspace, str(error.value).rpartition(" ")[2])
        assert len(make_plan(resume_request(plan.workspace, run, changes=[])).to_run) == 6


@follows("alone cannot be compared; name another run", "is named twice; give different runs")
def test_two_runs_are_compared(finished: Plan) -> None:
    with pytest.raises(InputError, match="mini alone cannot be compared"):
        compare_runs(finished.workspace, ["mini"], None, print)
    with pytest.raises(InputError, match="is named twice; give different runs, such as EXPERIMENT/ID"):
        compare_runs(finished.workspace, ["mini", "mini"], None, print)
    RunRecord.begin(finished).end("done")
    runs = [
        line.split()[1] for line in r1flow("status", "--workspace", finished.workspace.root).stdout.splitlines() if line.startswith("  run")
    ]
    assert len({find_run(finished.workspace, f"mini/{run}")["run"] for run in runs}) == 2


@follows(
    "bring it back from a backup, or move it out of the workspace",
    "bring it back from a backup, or remove it and promote again",
    "not readable as JSON; name another run",
)
def test_records_that_cannot_be_read(finished: Plan) -> None:
    workspace = finished.workspace
    [record] = workspace.run_records()
    names = workspace.root / ".promoted.json"
    backup = record.read_text()
    record.write_text("{")
    with pytest.raises(InputError, match="name another run"):
        find_run(workspace, f"mini/{record.stem}")
    with pytest.raises(InputError, match="move it out of the workspace"):
        garbage(workspace, 1)
    shutil.move(record, workspace.root.parent)
    assert len(garbage(workspace, 1)) == 6
    record.write_text(backup)
    assert find_run(workspace, "mini")["run"] == record.stem
    names.write_text("[]")
    with pytest.raises(InputError, match="or remove it and promote again"):
        garbage(workspace, 1)
    names.unlink()
    assert (garbage(workspace, 1), promoted(workspace)) == ([], {})


@follows("cannot be read; remove it, and give each schedule again: r1flow schedule RECIPE --cron", "write it as in --cron")
def test_schedules(finished: Plan) -> None:
    workspace, schedule = finished.workspace, Schedule(request=finished.request, cron="0 2 * * *", timezone="Europe/Berlin")
    keep_schedule(workspace, schedule)
    for damaged in ("{", "[]", "7", '{"mini": []}', '{"mini": {"cron": 1}}'):
        path_of(workspace).write_text(damaged)
        with pytest.raises(InputError, match=r"schedules\.json: cannot be read; remove it, and give each schedule again"):
            keep_schedule(workspace, schedule)
    path_of(workspace).unlink()
    keep_schedule(workspace, schedule)
    assert list(read_schedules(workspace)) == ["mini"]
    with pytest.raises(InputError, match="write it as in --cron"):
        check(schedule.model_copy(update={"cron": "every night"}))
    check(schedule)


@follows(
    "give a directory you can write by --workspace",
    "is no directory; remove it",
    "workspace {}: {}, or give {}",
    "free space, or give another --workspace",
)
def test_another_workspace(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(WorkspaceError, match="give a directory you can write by --workspace"):
        Workspace.at(file).create()
    with pytest.raises(WorkspaceError, match=rf"{file} is no directory; remove it, or give another --workspace"):
        Workspace.at(tmp_path).require_writable(file / "runs", "another --workspace")
    file.unlink()
    Workspace.at(tmp_path).require_writable(file / "runs", "another --workspace")
    Workspace.at(file).create()
    with pytest.raises(WorkspaceError, match="free space, or give another --workspace"):
        Workspace.at(file).require_space(10**18)
    Workspace.at(file).require_space(10)


@follows("would show it in records and pages; give a password by")
def test_an_address_without_its_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@host:5000")
    with pytest.raises(WorkspaceError, match="give a password by MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"):
        _ = Workspace.at(tmp_path).tracking_uri
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://host:5000")
    assert Workspace.at(tmp_path).tracking_uri == "http://host:5000"


@follows("copy or export it again", "export the run again")
@pytest.mark.parametrize("damage", ["cut", "flipped", "text"])
def test_an_archive_is_exported_again(finished: Plan, tmp_path: Path, damage: str) -> None:
    workspace, archive = finished.workspace, tmp_path / "mini.tar"
    export(workspace, find_run(workspace, "mini"), archive, checkpoint=None, whole=True)
    held = archive.read_bytes()
    at = len(held) // 2
    archive.write_bytes({"cut": held[:at], "flipped": held[:at] + bytes([held[at] ^ 1]) + held[at + 1 :], "text": b"hello"}[damage])
    there = Workspace.at(tmp_path / "there")
    with pytest.raises(InputError, match=r"export (it|the run) again"):
        take_in(there, archive)
    archive.unlink()
    export(workspace, find_run(workspace, "mini"), archive, checkpoint=None, whole=True)
    assert len(take_in(there, archive)[1]) == 6


@follows("write parameters as name=value")
def test_parameters_of_a_query() -> None:
    for wrong in ("run", "run:mini", "=mini"):
        with pytest.raises(InputError, match="write parameters as name=value"):
            parameters_of([wrong])
    assert parameters_of(["run=mini"]) == {"run": "mini"}


@pytest.mark.parametrize(("closed", "inside"), [(True, "runs"), (True, ""), (False, "runs"), (False, "")])
def test_the_doctor_is_content_with_another_workspace(tmp_path: Path, closed: bool, inside: str) -> None:
    place = tmp_path / "place"
    place.mkdir(mode=0o555) if closed else place.write_text("")
    with modes_heeded():
        finding = _workspace(Workspace.at(place / inside))
    assert (finding.subject, finding.fine) == ("workspace", False)
    assert finding.text.endswith("or give another --workspace")
    assert _workspace(Workspace.at(tmp_path / "runs")).text.startswith(f"{tmp_path / 'runs'}, ")


@follows("r1flow sql --workspace")
def test_the_query_at_the_end_of_a_run_answers(tmp_path: Path) -> None:
    workspace = Workspace.at(tmp_path / "my runs")
    workspace.create()
    publish([], workspace.warehouse)
    [advised] = [entry["where"] for entry in where_to_look(workspace) if entry["title"] == "SQL"]
    answer = r1flow(*shlex.split(advised)[1:])
    assert answer.exit_code == 0, answer.output
    assert "stage" in answer.stdout


@follows("blank; give a value")
def test_a_value_instead_of_a_blank(tmp_path: Path) -> None:
    for wrong, right in (
        (["show", ""], ["show", MINI]),
        (["plan", MINI, "--until", " "], ["plan", MINI, "--until", "warm"]),
        (["plan", MINI, "--until", ""], ["plan", MINI]),
    ):
        refused = r1flow(*wrong)
        assert "blank; give a value" in refused.stderr
        assert r1flow(*right, *(["--workspace", tmp_path / "runs"] if "plan" in right else [])).exit_code == 0


@follows("; make room, and give the command again", "; name a place on a disk that can be written")
@pytest.mark.parametrize(
    ("number", "remedy", "again"),
    [
        (errno.ENOSPC, "; make room, and give the command again", "a"),
        (errno.EROFS, "; name a place on a disk that can be written", "b"),
    ],
)
@pytest.mark.parametrize("command", ["lineage mini/warm --recipe", "sql @queries --output", "export mini --output"])
def test_a_disk_that_takes_nothing(
    finished: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, remedy: str, again: str, command: str
) -> None:
    finished.workspace.warehouse.unlink()
    publish([], finished.workspace.warehouse)

    def write(name: str) -> Result:
        return r1flow(*command.split(), tmp_path / name, "--workspace", finished.workspace.root)

    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))  # as `write` has it, without the file

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", refuse)
        patch.setattr("flows.analysis.tables._print_rows", refuse)
        patch.setattr(tarfile.TarFile, "add", refuse)
        answer = write("a")
    assert (answer.exit_code, answer.stderr) == (2, f"error: {tmp_path / 'a'}: {os.strerror(number)}{remedy}\n")
    assert write(again).exit_code == 0
    assert (tmp_path / again).is_file()


@follows("write how many of which device, such as")
def test_a_device_that_is_known() -> None:
    with pytest.raises(InputError, match="such as 8xh100"):
        machine_called("h100x8")
    assert machine_called("8xh100").gpus == 8


@follows("--format parquet is binary: give --output FILE", "--format csv, json or parquet gives all", "--format json gives them whole")
def test_a_table_in_another_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = pa.table({"n": range(3000), "text": ["long " * 400] * 3000})
    shown = io.StringIO()
    write_table(table, "table", None, Console(file=shown, width=80))
    assert "of 3,000 rows; --format csv, json or parquet gives all" in shown.getvalue()
    write_table(table.slice(0, 2), "table", None, Console(file=shown, width=80))
    assert "long cells are cut; --format json gives them whole" in shown.getvalue()
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    with pytest.raises(InputError, match="is binary: give --output FILE"):
        write_table(table, "parquet", None, Console(file=shown))
    for form in ("parquet", "json", "csv"):
        write_table(table, form, tmp_path / form, Console(file=shown))
    assert pq.read_table(tmp_path / "parquet").num_rows == 3000
    assert json.loads((tmp_path / "json").read_text())[2999]["text"] == "long " * 400
    assert (tmp_path / "csv").read_text().count("\n") == 3001


@follows("write the opening and the closing tag with a comma between", "write families as in a recipe", "a directory; name its files")
def test_files_of_other_frameworks(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="such as '<think>,</think>'"):
        _tags("<think>")
    assert _tags("<think>,</think>") == ("<think>", "</think>")
    (tmp_path / "keywords.yaml").write_text("mine: 7")
    with pytest.raises(InputError, match="write families as in a recipe"):
        _families(tmp_path / "keywords.yaml")
    (tmp_path / "keywords.yaml").write_text("mine: {patterns: {wait: wait}}")
    assert _families(tmp_path / "keywords.yaml") == {"mine": {"patterns": {"wait": "wait"}}}
    with pytest.raises(InputError, match="a directory; name its files"):
        list(read_responses_of(File(tmp_path)))
    (tmp_path / "a.jsonl").write_text('{"response": "x"}\n')
    assert len(list(read_responses_of(File(tmp_path / "a.jsonl")))) == 1


def test_a_stage_whose_settings_cannot_be_read_is_run_again(
    finished: Plan, plan_of: Callable[..., Plan], make: Callable[..., None]
) -> None:
    (finished.stages[0].spec.directory / "spec.json").write_text("[]")
    with pytest.raises(InputError, match=r"spec\.json: missing or not readable; run its stage again: r1flow run RECIPE --force STAGE"):
        garbage(finished.workspace, 1)
    for stage in plan_of(force=["puzzles"]).to_run:
        if stage.anew:
            set_aside(stage.spec.directory)
        make(stage.spec)
    assert all("superseded" in item.why for item in garbage(finished.workspace, 1))


@follows(": no directory {}; make it first", ", or name another place")
def test_an_output_that_can_be_written(tmp_path: Path) -> None:
    file, folder = Output(directory=False), Output(directory=True)
    with pytest.raises(InputError, match=r"no directory .*new; make it first"):
        file.convert(tmp_path / "new" / "a.tar", None, None)
    assert folder.convert(tmp_path / "new" / "report", None, None) == tmp_path / "new" / "report"  # is made
    (tmp_path / "new" / "report").mkdir(parents=True)
    assert file.convert(tmp_path / "new" / "a.tar", None, None) == tmp_path / "new" / "a.tar"
    assert folder.convert(tmp_path / "new" / "report", None, None) == tmp_path / "new" / "report"  # of an earlier report
    with pytest.raises(click.BadParameter, match="is a directory"):
        file.convert(tmp_path / "new", None, None)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file is no directory; remove it, or name another place"):
        folder.convert(tmp_path / "file" / "report", None, None)
    (tmp_path / "file").unlink()
    assert folder.convert(tmp_path / "file" / "report", None, None)
