"""Every command with an output that is full, that nobody reads, or that lacks a character; and with nothing where something is wanted."""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import click
import duckdb
import pytest
from click.testing import CliRunner

from flows.cli import main
from flows.planning.plan import Plan
from flows.runs.record import RunRecord
from tests.flows.conftest import MINI

COMMANDS = {
    "recipes": True,  # whether it prints something
    "schema": True,
    f"show {MINI}": True,
    f"plan {MINI}": True,
    f"run {MINI}": True,
    "resume mini": True,
    "status": True,
    "doctor": True,
    "lineage mini/warm": True,
    "gc": True,
    "verify": True,
    "down": True,
    "ingest": False,  # of a database that is no warehouse
    "export mini --output {tmp}/mini.tar": True,
    "import {tmp}/none.tar": False,
    "promote mini/warm x": False,
    "push mini/warm x": False,
    "sql SELECT+'ü'": True,
    "sql SELECT+'ü' --format csv": True,
    "sql SELECT+'ü' --format json": True,
    "sql SELECT+'ü' --format parquet": True,
    "sql SELECT+'ü' --format markdown": True,
    "report none": False,
    "compare none other": False,
    "evaluate {tmp}/none --benchmarks gsm8k": False,
    "grade {tmp}/rows.jsonl --benchmark gsm8k --output {tmp}/out.jsonl --workers 1": True,
    "analyze {tmp}/none.jsonl --output {tmp}/analysis": False,
    f"data {MINI} puzzles": True,
    f"schedule {MINI} --off": False,
    "up --prefect-port 4100 --mlflow-port 4100": False,
    "--help": True,
    "run --help": True,
    "--version": True,
}
RUNS = (f"run {MINI}", "resume mini")  # which would start servers
WITHOUT_WORKSPACE = ("recipes", "schema", "data", "show", "grade", "analyze", "--help", "--version")


@pytest.fixture
def workspace(plan_of: Callable[..., Plan], make: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A workspace with a finished run, and a command line that leaves this process as it was."""
    for name in list(os.environ):
        if name.startswith(("R1FLOW_", "PREFECT_", "MLFLOW_")):
            monkeypatch.delenv(name)
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    plan = plan_of()
    record = RunRecord.begin(plan)
    for stage in plan.stages:
        make(stage.spec)
    record.end("done")
    plan.workspace.warehouse.unlink()
    duckdb.connect(plan.workspace.warehouse).close()
    (tmp_path / "rows.jsonl").write_text('{"gold": "1", "response": "#### 1"}\n')
    handler = signal.getsignal(signal.SIGINT)
    yield plan.workspace.root
    signal.signal(signal.SIGINT, handler)


def run(command: str, workspace: Path, output: io.TextIOWrapper) -> tuple[int, str]:
    """Exit code and errors of a command; any exception but that of its exit is a traceback, and passes."""
    arguments = [word.replace("+", " ").format(tmp=workspace.parent) for word in command.split()]
    if arguments[0] not in WITHOUT_WORKSPACE and "--help" not in arguments:
        arguments += ["--workspace", str(workspace)]
    errors = io.StringIO()
    with redirect_stdout(output), redirect_stderr(errors), pytest.raises(SystemExit) as left:
        main(arguments, prog_name="r1flow")
    return int(left.value.code or 0), errors.getvalue()


def test_no_command_is_left_out() -> None:
    assert {command.split()[0] for command in COMMANDS} - {"--help", "--version"} == set(main.commands)


def test_a_full_output_is_one_line(workspace: Path) -> None:
    for command, prints in COMMANDS.items():
        with Path("/dev/full").open("wb", buffering=0) as full:
            code, errors = run(command, workspace, io.TextIOWrapper(full, write_through=True))
        assert (code, errors.count("\n"), errors[:7]) == (2, 1, "error: "), (command, errors)
        assert (errors == "error: the output: No space left on device\n") is prints, (command, errors)


def test_an_output_that_nobody_reads_ends_the_command_without_a_word(workspace: Path) -> None:
    for command in (command for command, prints in COMMANDS.items() if prints):
        reading, writing = os.pipe()
        os.close(reading)
        with os.fdopen(writing, "wb", buffering=0) as pipe:
            assert run(command, workspace, io.TextIOWrapper(pipe, write_through=True)) == (1, ""), command


def test_a_terminal_without_the_characters_shows_escapes(workspace: Path) -> None:
    for command in (command for command, prints in COMMANDS.items() if prints and command not in RUNS):
        output = io.TextIOWrapper(io.BytesIO(), encoding="ascii", write_through=True)
        code, errors = run(command, workspace, output)
        assert (code, errors) == (int(command == "doctor" and code == 1), ""), command
        assert output.buffer.getvalue(), command  # type: ignore[attr-defined]


def parameters() -> Iterator[tuple[list[str], str]]:
    """Every command with a blank for each of its arguments and options that take a text or a path; how the parameter is called."""
    for name, command in main.commands.items():
        wanted = {param.name: ["x"] for param in command.params if isinstance(param, click.Argument) and param.required}
        for param in command.params:
            if isinstance(param, click.Option) and param.required:
                wanted[param.name] = [param.opts[0], "x"]
        for param in command.params:
            if param.is_eager or (isinstance(param, click.Option) and param.is_flag) or param.human_readable_name == "[NAME=VALUE]...":
                continue
            called = max(param.opts, key=len) if isinstance(param, click.Option) else param.human_readable_name
            for blank in ("", "  "):
                given = [blank] if isinstance(param, click.Argument) else [called, blank]
                yield [name, *(word for words in ({**wanted, param.name: given}).values() for word in words)], called


def test_a_blank_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    handler = signal.getsignal(signal.SIGINT)
    for arguments, called in parameters():
        answer = CliRunner().invoke(main, arguments)
        assert (answer.exit_code, answer.stdout, answer.stderr.count("\n")) == (2, "", 1), arguments
        assert answer.stderr.startswith(f"error: {called}: blank; give a value"), arguments
    signal.signal(signal.SIGINT, handler)


def test_an_output_is_a_directory_or_a_file_and_may_be_there(workspace: Path, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    for command in ("analyze {tmp}/none.jsonl --output {tmp}/there", "evaluate {tmp}/none --benchmarks gsm8k --output {tmp}/there"):
        code, errors = run(command, workspace, io.TextIOWrapper(io.BytesIO()))
        assert (code, "none" in errors, "there" in errors) == (2, True, False), errors
    code, errors = run("sql SELECT+1 --output {tmp}/rows.jsonl --format csv", workspace, io.TextIOWrapper(io.BytesIO()))
    assert (code, errors, (tmp_path / "rows.jsonl").read_text()) == (0, "", "1\n1\n")
    assert "is a directory" in run("sql SELECT+1 --output {tmp}/there", workspace, io.TextIOWrapper(io.BytesIO()))[1]
    assert "is a file" in run("analyze x --output {tmp}/rows.jsonl", workspace, io.TextIOWrapper(io.BytesIO()))[1]
    missing = run("sql SELECT+1 --output {tmp}/nowhere/x.csv", workspace, io.TextIOWrapper(io.BytesIO()))[1]
    assert missing == f"error: --output {tmp_path}/nowhere/x.csv: no directory {tmp_path}/nowhere; make it first\n"
