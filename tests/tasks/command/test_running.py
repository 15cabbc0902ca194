"""Commands of a stage, carried out: real processes, real signals."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from rl_core.fence import Fence
from rl_core.training.journal import Journal
from tasks.command.outputs import Metrics
from tasks.command.running import EARLIER, Running
from tasks.kind import Work
from tasks.process import end_group
from tasks.stage.lease import Lease, StageFailed
from tasks.stage.spec import StageSpec, StageStopped
from tasks.trainer.local_process import Progress


@pytest.fixture
def running(spec_of: Callable[..., StageSpec], lease: Lease) -> Callable[..., Running]:
    def running(follow: Callable[[Progress], None] = lambda progress: None, metrics: Metrics | None = None) -> Running:
        journal = Journal(lease.directory, 0, Fence(lease.held))
        return Running(spec_of(), Work(lease, follow, {}), journal, metrics)

    return running


@pytest.fixture
def attempt(running: Callable[..., Running], tmp_path: Path) -> Callable[..., Running]:
    """Runs a command; `$OUT` in it is the output."""

    def attempt(command: str, *, resume: str | None = None, env: dict[str, str | None] | None = None, **options: object) -> Running:
        made = running(**options)
        made.attempt(command, resume=resume, directory=tmp_path, env={"OUT": str(made._out)} | (env or {}))
        return made

    return attempt


def log(lease: Lease) -> str:
    return (lease.directory / "log.txt").read_text()


def alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def wait_for(path: Path) -> int:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and not (path.exists() and path.read_text().strip()):
        time.sleep(0.05)
    return int(path.read_text())


def test_output_and_log(attempt: Callable[..., Running], lease: Lease, tmp_path: Path) -> None:
    made = attempt('pwd; echo $GREETING; echo x > $OUT/x; [ -z "$R1FLOW_OWNER$GONE" ]', env={"GREETING": "good day", "GONE": None})
    assert made.ended_well
    assert f"\n{tmp_path}\ngood day\n" in log(lease)
    assert (lease.directory / "out" / "x").read_text() == "x\n"


def test_a_variable_is_taken_away(attempt: Callable[..., Running], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "somewhere")
    attempt('[ "$RAY_ADDRESS" = somewhere ]')
    attempt('[ -z "${RAY_ADDRESS+set}" ]', env={"RAY_ADDRESS": None})


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (
            "echo first; echo 'no such option' >&2; exit 3",
            "its command ended with exit code 3: no such option; the whole log is .*/log.txt",
        ),
        ("false; echo not reached", "its command ended with exit code 1; the whole log"),
        ("false | cat; echo not reached", "its command ended with exit code 1; the whole log"),
        ("exit 75", "its command ended with exit code 75;"),
        ("echo error: mine; exit 2", "its command ended with exit code 2: error: mine;"),
        ("kill -9 $$", "its command was killed by SIGKILL; the memory may have run out;"),
        ("bash -c 'kill -11 $$'; true", "its command was killed by SIGSEGV"),
        ("echo api_key=geheim; exit 1", r"its command ended with exit code 1: api_key=\*\*\*;"),
    ],
)
@pytest.mark.follows("run again to start it anew")
def test_how_a_command_fails(attempt: Callable[..., Running], lease: Lease, command: str, message: str) -> None:
    with pytest.raises(StageFailed, match=rf"^stage warm-01234567: {message}.*run again to start it anew$"):
        attempt(command)
    assert "\nnot reached\n" not in log(lease).partition("supervise")[2]
    assert attempt("true").ended_well


def test_a_directory_that_is_gone(running: Callable[..., Running], tmp_path: Path) -> None:
    with pytest.raises(StageFailed, match=r"No such file or directory: .*/gone"):
        running().attempt("true", resume=None, directory=tmp_path / "gone", env={})


@pytest.mark.follows("run again to go on")
def test_resumed_with_what_is_there(attempt: Callable[..., Running], lease: Lease) -> None:
    go_on = "[ $R1FLOW_RESUME = 1 ]; echo two >> $OUT/steps"
    with pytest.raises(StageFailed, match=r"run again to go on$"):
        attempt('[ -z "$R1FLOW_RESUME" ]; echo one > $OUT/steps; exit 1', resume=go_on)
    attempt("exit 1", resume=go_on)
    assert (lease.directory / "out" / "steps").read_text() == "one\ntwo\n"
    assert not (lease.directory / EARLIER).exists()


def test_a_first_attempt_is_not_resumed(attempt: Callable[..., Running]) -> None:
    attempt("true", resume="exit 1")


def test_without_resume_the_output_is_set_aside_until_the_stage_is_done(attempt: Callable[..., Running], lease: Lease) -> None:
    for _ in range(2):
        with pytest.raises(StageFailed):
            attempt('[ -z "$(ls $OUT)" ]; echo one > $OUT/steps; exit 1')
    made = attempt('[ -z "$(ls $OUT)" ]')
    aside = sorted((lease.directory / EARLIER).glob("out-*/steps"))
    assert [path.read_text() for path in aside] == ["one\n", "one\n"]
    assert f"what an earlier attempt left is in {aside[-1].parent} until the stage is done" in log(lease)
    made.forget_earlier()
    assert not (lease.directory / EARLIER).exists()


class Cancelled(BaseException):
    """As an orchestrator raises it in the main thread."""


STUBBORN = """
trap '' TERM
(trap '' TERM; sleep 301) & echo $! > $OUT/child
setsid bash -c "trap '' TERM; echo \\$\\$ > $OUT/daemon; while :; do sleep 0.1; done" &
while :; do echo at work; sleep 0.2; done
"""


def test_a_cancelled_command_may_save(attempt: Callable[..., Running], lease: Lease) -> None:
    def cancel(progress: Progress) -> None:
        wait_for(lease.directory / "out" / "ready")
        raise Cancelled

    with pytest.raises(Cancelled):
        attempt("trap 'sleep 1; echo 1 > $OUT/saved; exit' TERM; echo 1 > $OUT/ready; while :; do echo on; sleep 0.1; done", follow=cancel)
    assert (lease.directory / "out" / "saved").exists()


@pytest.mark.slow
def test_children_that_ignore_sigterm_are_killed(attempt: Callable[..., Running], lease: Lease, monkeypatch: pytest.MonkeyPatch) -> None:
    """One in the group of the command, one in a session of its own."""
    monkeypatch.setattr(end_group, "__defaults__", (2.0,))

    def cancel(progress: Progress) -> None:
        assert all(wait_for(lease.directory / "out" / name) for name in ("daemon", "child"))
        raise Cancelled

    with pytest.raises(Cancelled):
        attempt(STUBBORN, follow=cancel)
    pids = [wait_for(lease.directory / "out" / name) for name in ("child", "daemon")]
    deadline = time.monotonic() + 5
    while any(map(alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(alive, pids))


def test_what_a_command_leaves_running_is_ended(attempt: Callable[..., Running], lease: Lease) -> None:
    """Also a daemon in a session of its own whose parent has ended."""
    made = attempt("(setsid sleep 300 & echo $! > $OUT/daemon); sleep 0.2")
    assert made.ended_well
    assert not alive(wait_for(lease.directory / "out" / "daemon"))


def trainer(lease: Lease) -> psutil.Process:
    return psutil.Process(json.loads((lease.directory / "state.json").read_text())["trainer"]["pid"])


def meanwhile(lease: Lease, number: int) -> threading.Thread:
    """Sends a signal to the process that carries out the command as soon as this has begun."""

    def send() -> None:
        wait_for(lease.directory / "out" / "ready")
        trainer(lease).send_signal(number)

    thread = threading.Thread(target=send)
    thread.start()
    return thread


def test_stopped_by_somebody_else(attempt: Callable[..., Running], lease: Lease) -> None:
    sender = meanwhile(lease, signal.SIGTERM)
    with pytest.raises(StageStopped, match="its command was stopped by a signal; run again to go on"):
        attempt("echo 1 > $OUT/ready; sleep 300", resume="true")
    sender.join()
    assert attempt("false", resume="true").ended_well


def test_its_supervisor_is_killed(attempt: Callable[..., Running], lease: Lease) -> None:
    sender = meanwhile(lease, signal.SIGKILL)
    with pytest.raises(StageFailed, match="the process that carries out its command ended with exit code -9"):
        attempt("echo $$ > $OUT/ready; sleep 300")
    sender.join()
    deadline = time.monotonic() + 5
    while alive(wait_for(lease.directory / "out" / "ready")) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive(wait_for(lease.directory / "out" / "ready"))


def test_metrics_and_the_last_line_are_followed(attempt: Callable[..., Running], lease: Lease, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.command.running.GLANCE", 0.05)
    seen: list[Progress] = []
    step = 'echo \'{"step": %s, "loss": %s}\' >> $OUT/m.jsonl; printf "a bar\\rabout %s\\n"; sleep 0.6; '
    attempt("".join(step % (n, 3 - n, n) for n in (1, 2)), follow=seen.append, metrics=Metrics(path=["out/m.jsonl"]))
    assert [(row.step, row.metrics) for row in seen if row.metrics] == [(1, {"loss": 2.0}), (2, {"loss": 1.0})]
    assert "about 2" in {row.text for row in seen}
    assert "step 2" in {row.where for row in seen}
    assert [json.loads(line) for line in (lease.directory / "metrics.jsonl").read_text().splitlines()] == [
        {"step": 1, "loss": 2.0},
        {"step": 2, "loss": 1.0},
    ]
    assert json.loads((lease.directory / "progress.jsonl").read_text().splitlines()[-1])["step"] == 2
