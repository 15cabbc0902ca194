import os
import subprocess
import sys

import psutil
import pytest

from tasks.process import is_alive, is_here, process_mark, this_process


def test_a_process_is_known_until_it_ends() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    mark = process_mark(child.pid)
    assert is_alive(mark)
    assert not is_alive(mark | {"born": mark["born"] - 100})  # another one that had its number
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not is_alive(mark)  # ended, though nobody has asked how
    child.wait()
    assert not is_alive(mark)


def test_this_one_is_alive() -> None:
    assert this_process()["pid"] == os.getpid()
    assert is_alive(this_process())


@pytest.mark.parametrize("jump", [-7200, 3600])
def test_a_clock_that_is_set_makes_no_process_another(monkeypatch: pytest.MonkeyPatch, jump: float) -> None:
    mark = this_process()
    born, booted = psutil.Process.create_time, psutil.boot_time
    # Linux counts a process's age from the system's start, and reckons both moments back from the time of day.
    monkeypatch.setattr(psutil.Process, "create_time", lambda process: born(process) + jump)
    monkeypatch.setattr(psutil, "boot_time", lambda: booted() + jump)
    assert is_alive(mark)


@pytest.mark.parametrize(
    ("other", "here"),
    [
        ({}, True),
        ({"host": "elsewhere"}, False),
        ({"boot": "another"}, False),  # a machine of the same name
        ({"namespace": "pid:[2]"}, False),  # another container of this host
    ],
)
def test_where_a_process_runs(other: dict[str, str], here: bool) -> None:
    assert is_here(this_process() | other) == here


def test_a_mark_of_an_older_version_has_the_hosts_name_alone() -> None:
    mark = this_process()
    assert is_here({"host": mark["host"], "pid": 1, "born": 0.0})
    assert not is_here({"host": "elsewhere", "pid": 1, "born": 0.0})
