"""A workspace of somebody else: what only reads works, what writes says so in one line before it does anything."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner, Result

from flows.cli import main
from flows.planning.plan import Plan
from flows.runs.record import RunRecord
from tests.flows.conftest import MINI
from tests.rights import modes_heeded

NOBODY = 65534


@pytest.fixture
def foreign(plan_of: Callable[..., Plan], make: Callable[..., None]) -> Iterator[Path]:
    """A workspace with a finished run, which belongs to somebody else where root runs the tests, and which cannot be written."""
    plan = plan_of()
    record = RunRecord.begin(plan)
    for stage in plan.stages:
        make(stage.spec)
    record.end("done")
    root = plan.workspace.root
    plan.workspace.warehouse.unlink()
    with duckdb.connect(plan.workspace.warehouse) as connection:
        connection.execute("CREATE TABLE answers AS SELECT 1 AS step")
    everything = [root, *root.rglob("*")]
    for path in everything:
        path.chmod(path.stat().st_mode & ~0o222)
        if os.getuid() == 0:
            os.chown(path, NOBODY, NOBODY)
    yield root
    for path in root.rglob("*"):
        path.chmod(0o755)


@pytest.fixture
def r1flow(foreign: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Result]]:
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)  # the command line's own does not outlive the test
    for name in list(os.environ):
        if name.startswith(("R1FLOW_", "PREFECT_", "MLFLOW_")):
            monkeypatch.delenv(name)

    def r1flow(*arguments: str) -> Result:
        with modes_heeded():
            return CliRunner().invoke(main, [*arguments, "--workspace", str(foreign)])

    handler = signal.getsignal(signal.SIGINT)
    yield r1flow
    signal.signal(signal.SIGINT, handler)


def refused(answer: Result) -> str:
    assert (answer.exit_code, answer.stdout) == (2, ""), answer.output
    assert answer.stderr.startswith("error: ")
    assert answer.stderr.count("\n") == 1, answer.stderr
    return answer.stderr.removeprefix("error: ").rstrip()


READING = {
    "status": "puzzles",
    "lineage mini/warm": "warm (rl, done)",
    "lineage mini/warm --recipe OUT.yaml": "recipe ",
    f"plan {MINI}": "0 of 6 stages run, 6 reused",
    f"plan {MINI} --set warm.steps=2": "4 of 6 stages run, 2 reused",
    "sql @queries": "words",
    "sql SELECT+step+FROM+answers": "1",
    "gc": "nothing can go",
    "down": "nothing was up",
    "export mini --output OUT.tar": "puzzles",
}


@pytest.mark.parametrize("command", READING)
def test_what_only_reads_works_in_the_workspace_of_somebody_else(command: str, r1flow: Callable[..., Result], tmp_path: Path) -> None:
    arguments = [word.replace("+", " ").replace("OUT", str(tmp_path / "out")) for word in command.split()]
    answer = r1flow(*arguments)
    assert answer.exit_code == 0, answer.output
    assert READING[command] in answer.output


@pytest.mark.parametrize(
    "command",
    [
        f"run {MINI}",
        f"run {MINI} --set warm.steps=2",
        f"run {MINI} --force warm",
        "resume mini",
        "resume mini --from warm",
        "ingest",
        "ingest --follow",
        "promote mini/warm mini@best",
        "gc --delete --keep-runs 0",
        "import ARCHIVE.tar",
        "up",
        f"schedule {MINI}",
        f"schedule {MINI} --off",
        "report mini",
        "evaluate mini/warm --benchmarks gsm8k",
    ],
)
def test_what_writes_is_refused_in_one_line(command: str, r1flow: Callable[..., Result], foreign: Path) -> None:
    message = refused(r1flow(*command.split()))
    assert message.startswith(f"workspace {foreign}: ")
    assert "by --workspace" in message or "by --output" in message


@pytest.mark.parametrize(
    "command", ["report mini --output", "lineage mini/warm --recipe", "export mini --output", "sql @queries --output", "analyze x --output"]
)
def test_an_output_that_cannot_be_written_is_refused_at_once(command: str, r1flow: Callable[..., Result], foreign: Path) -> None:
    arguments = [*command.split(), str(foreign / "new")]
    if command.startswith("analyze"):
        with modes_heeded():
            message = refused(CliRunner().invoke(main, arguments))
    else:
        message = refused(r1flow(*arguments))
    assert message.startswith(f"{arguments[-2]} {foreign / 'new'}: {foreign}: it belongs to ")
    assert message.endswith(", who has not given you the right; ask for the right, or name another place")


def test_a_stage_of_somebody_else_in_a_workspace_of_ones_own(r1flow: Callable[..., Result], foreign: Path) -> None:
    for path in (foreign, foreign / "mini", foreign / "mini" / "runs"):
        os.chown(path, os.getuid(), os.getgid())
        path.chmod(0o755)
    stage = next(path for path in (foreign / "mini").glob("warm-*") if path.is_dir())
    (stage / "manifest.json").rename(foreign / "taken")  # unfinished, so it would be gone on with
    assert f"{stage}: it belongs to " in refused(r1flow("run", str(MINI)))


def test_what_may_not_be_read_is_not_called_damaged_or_missing(r1flow: Callable[..., Result], foreign: Path) -> None:
    manifest = next((foreign / "mini").glob("warm-*/manifest.json"))
    manifest.chmod(0)
    for command in (("plan", str(MINI)), ("lineage", "mini/warm")):
        message = refused(r1flow(*command))
        assert message == f"{manifest}: Permission denied; ask its owner for the right, or name another place"
    foreign.chmod(0)
    assert refused(r1flow("status")).startswith(f"workspace {foreign}: it belongs to ")
    foreign.chmod(0o755)


def test_status_leaves_out_the_servers_of_somebody_else(r1flow: Callable[..., Result], foreign: Path) -> None:
    foreign.chmod(0o755)
    (foreign / ".servers").mkdir()
    (foreign / ".servers" / "prefect.json").write_text("{}")
    (foreign / ".servers").chmod(0)
    answer = r1flow("status")
    assert answer.exit_code == 0, answer.output
    assert "servers and schedules: only their owner sees them" in answer.stdout.replace("\n", " ")
    (foreign / ".servers").chmod(0o700)
