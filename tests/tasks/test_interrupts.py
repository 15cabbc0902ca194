"""Ctrl-C at moments when Python or a library lets it get lost. In processes of their own: signals belong to a process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
START = """
import signal, time, weakref
from tasks.interrupts import go_on, hear_signals, is_interrupted
signal.signal(signal.SIGINT, signal.default_int_handler)
hear_signals()
class Thing: ...
"""
SIGNAL_WHILE_IT_GOES = """
try:
    del thing
    for _ in range(500):
        time.sleep(0.01)
    print("swallowed")
except KeyboardInterrupt:
    print("stopped", is_interrupted())
"""
IN_A_CALLBACK = f"""
thing = Thing()
reference = weakref.ref(thing, lambda gone: signal.raise_signal(signal.SIGINT))
{SIGNAL_WHILE_IT_GOES}
"""
IN_A_DESTRUCTOR = f"""
Thing.__del__ = lambda self: signal.raise_signal(signal.SIGINT)
thing = Thing()
{SIGNAL_WHILE_IT_GOES}
"""
IN_A_CATCH_ALL = """
assert not is_interrupted()
try:
    signal.raise_signal(signal.SIGINT)
except BaseException:
    pass
try:
    go_on()
    print("swallowed")
except KeyboardInterrupt:
    print("stopped", is_interrupted())
"""


@pytest.mark.parametrize("moment", [IN_A_CALLBACK, IN_A_DESTRUCTOR, IN_A_CATCH_ALL])
def test_no_interruption_is_lost(moment: str) -> None:
    done = subprocess.run([sys.executable, "-c", START + moment], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("stopped True\n", "")


def test_what_terminated_is_sent_again_too() -> None:
    program = """
class TerminationSignal(BaseException): ...
def terminate(number, frame):
    raise TerminationSignal
signal.signal(signal.SIGTERM, terminate)
hear_signals()
thing = Thing()
reference = weakref.ref(thing, lambda gone: signal.raise_signal(signal.SIGTERM))
try:
    del thing
    time.sleep(5)
    print("swallowed")
except TerminationSignal:
    print("stopped", is_interrupted())
"""
    done = subprocess.run([sys.executable, "-c", START + program], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("stopped True\n", "")


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    program = "signal.signal(signal.SIGINT, signal.SIG_IGN); hear_signals(); signal.raise_signal(signal.SIGINT); print(is_interrupted())"
    text = START.replace("hear_signals()\nclass", "class") + program
    done = subprocess.run([sys.executable, "-c", text], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "False\n"


def test_other_errors_that_are_dropped_are_printed_as_ever() -> None:
    program = START + "Thing.__del__ = lambda self: 1 / 0\nThing()\nprint(is_interrupted())"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "False\n"
    assert "ZeroDivisionError" in done.stderr


def test_ctrl_c_of_which_a_library_made_another_error_is_told_in_one_line() -> None:
    program = """
import signal, sys
import click
from flows.cli.group import main
@main.command()
def wrapped():
    try:
        signal.raise_signal(signal.SIGINT)
    except KeyboardInterrupt:
        raise RuntimeError("Error calling function: KeyboardInterrupt")
signal.signal(signal.SIGINT, signal.default_int_handler)
main(["wrapped"])
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "stopped\n")
