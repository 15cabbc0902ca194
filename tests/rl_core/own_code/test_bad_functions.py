"""Reward functions with everything that can be wrong with them, in real processes: one line for each, and nothing lost of the others."""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from rl_core.errors import InputError
from rl_core.own_code.processes import Failure
from rl_core.own_code.sources import sources, write
from rl_core.rewards.pool import ScoreItem, ScoringPool
from rl_core.rewards.reward import Score

DEADLINE = 0.5
FINE = """
import time

def fine(response):
    return len(response)

def fine_group(responses):
    return [len(response) for response in responses]
"""
# Body of `def bad(response)`, and how the failure begins.
BAD = {
    "raises": ("return 1 / 0", "ZeroDivisionError: division by zero (bad_raises.py, line 4)"),
    "raises without a message": ("raise KeyError", "KeyError (bad_raises_without_a_message.py, line 4)"),
    "a message of many lines": ("raise ValueError('first' + chr(10) + 'second')", "ValueError: first ("),
    "an error that cannot be shown": (
        "class Odd(Exception):\n        def __str__(self):\n            raise RuntimeError\n    raise Odd",
        "Odd",
    ),
    "not a number": ("return float('nan')", "it returned nan; wanted is a finite number"),
    "infinite": ("return float('inf')", "it returned inf; wanted is a finite number"),
    "nothing": ("pass", "it returned None; wanted is a number"),
    "a text": ("return 'good'", "it returned 'good', a str; wanted is a number"),
    "a list": ("return [1.0]", "it returned [1.0], a list; wanted is a number"),
    "a bool": ("return True", "it returned True, a bool; wanted is a number: float(...)"),
    "hangs": ("while True: pass", "it did not return within 0.5 s"),
    "sleeps": ("time.sleep(1000)", "it did not return within 0.5 s"),
    "hangs in C": ("import re\n    re.match('(a+)+$', 'a' * 60 + 'b')", "it did not return within 0.5 s"),
    "prints without an end": ("while True: print('a' * 10000)", "it did not return within 0.5 s"),
    "eats memory": ("return len(bytearray(8 * 2**30))", "it wanted more than 2 GiB of memory"),
    "leaves": ("raise SystemExit(3)", "it called sys.exit(3)"),
    "kills its process": ("import os, signal\n    os.kill(os.getpid(), signal.SIGKILL)", "its process was killed (SIGKILL)"),
    "ends its process": ("import os\n    os._exit(3)", "it ended its process (exit code 3)"),
    "a broken pointer": ("import ctypes\n    ctypes.string_at(0)", "its process was killed (SIGSEGV)"),
    "deep recursion": ("return bad(response)", "RecursionError: maximum recursion depth exceeded"),
    "closes all files": ("import os\n    os.closerange(0, 100)", "it ended its process (exit code 1)"),
    "stops itself": ("import os, signal\n    os.kill(os.getpid(), signal.SIGSTOP)", "it did not return within 0.5 s"),
}


@pytest.fixture
def score_of(tmp_path: Path) -> Iterator[Callable[..., list[Score]]]:
    """Scores of responses by functions of files that are written, in one worker."""
    pools = []

    def score_of(code: str, *names: str, file: str = "bad.py", workers: int = 1, responses: tuple[str, ...] = ("a", "bb")) -> list[Score]:
        (tmp_path / file).write_text(FINE + code)
        write(sources(f"{tmp_path / file}:{name}" for name in names), tmp_path / "code")
        pools.append(pool := ScoringPool(workers, DEADLINE, [tmp_path / "code"]))
        items = [ScoreItem("math", response, "1") for response in responses]
        return pool.score(items, {"accuracy": 1.0} | {f"{file}:{name}": 1.0 for name in names})

    yield score_of
    for pool in pools:
        pool.close()


@pytest.mark.parametrize("kind", BAD)
def test_a_failure_is_one_line_and_costs_nobody_else_anything(kind: str, tmp_path: Path) -> None:
    body, why = BAD[kind]
    file = f"bad_{kind.replace(' ', '_')}.py"
    (tmp_path / file).write_text(f"import time\n\ndef bad(response):\n    {body}\n\ndef fine(response):\n    return len(response)\n")
    write(sources([f"{tmp_path / file}:bad"]), tmp_path / "code")
    with ScoringPool(1, DEADLINE, [tmp_path / "code"]) as pool:
        items = [ScoreItem("math", response, "1") for response in ("a", r"\boxed{1}")]
        scores = pool.score(items, {"accuracy": 1.0, f"{file}:bad": 1.0, f"{file}:fine": 1.0})
    for score, right, length in zip(scores, (0.0, 1.0), (1.0, 9.0), strict=True):
        assert score.components == {"accuracy": right, f"{file}:fine": length}
        assert score.reward == right + length
        failure = score.failures[f"{file}:bad"]
        assert failure.why.startswith(why)
        assert "\n" not in failure.why


def test_a_traceback_is_of_the_users_code_alone(score_of: Callable[..., list[Score]]) -> None:
    score = score_of("\ndef bad(response):\n    return inner(response)\n\ndef inner(text):\n    return text.no_such\n", "bad")[0]
    trace = score.failures["bad.py:bad"].trace
    assert trace.count("File ") == 2
    assert "in bad" in trace
    assert trace.rstrip().endswith("AttributeError: 'str' object has no attribute 'no_such'")


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("return [1.0]", "it returned 1 numbers for 2 responses"),
        ("return 1.0", "it returned 1.0, a float; wanted is a list of 2 numbers, one per response"),
        ("return {'a': 1}", "it returned {'a': 1}, a dict; wanted is a list of 2 numbers"),
        ("raise ValueError('no')", "ValueError: no (bad.py, line"),
    ],
)
def test_a_group_fails_as_a_whole(score_of: Callable[..., list[Score]], body: str, why: str) -> None:
    for score in score_of(f"\ndef bad(responses):\n    {body}\n", "bad", "fine_group"):
        assert score.failures["bad.py:bad"].why.startswith(why)
        assert score.components["bad.py:fine_group"] > 0


def test_one_bad_number_of_a_group_is_that_of_its_response(score_of: Callable[..., list[Score]]) -> None:
    first, second = score_of("\ndef bad(responses):\n    return [float('nan'), 2]\n", "bad")
    assert first.failures["bad.py:bad"] == Failure("it returned nan; wanted is a finite number")
    assert second.components["bad.py:bad"] == 2.0
    assert not second.failures


def test_what_a_function_does_to_its_arguments_stays_with_it(score_of: Callable[..., list[Score]]) -> None:
    code = """
def edits(responses, info, verdicts):
    count = len(responses)
    responses.clear()
    info["seen"] = True
    return [1] * count

def reads(responses, info):
    return [len(response) if "seen" not in info else -1 for response in responses]
"""
    for score, length in zip(score_of(code, "edits", "reads"), (1, 2), strict=True):
        assert score.components == {"accuracy": 0.0, "bad.py:edits": 1.0, "bad.py:reads": length}


def test_a_file_that_it_writes_is_nowhere_afterwards(score_of: Callable[..., list[Score]], tmp_path: Path) -> None:
    before = set(os.listdir())
    code = "\ndef writes(response):\n    from pathlib import Path\n    Path('left.txt').write_text(response)\n    return 1\n"
    assert score_of(code, "writes")[0].components["bad.py:writes"] == 1.0
    assert set(os.listdir()) == before
    assert not list(tmp_path.rglob("left.txt"))


@pytest.mark.parametrize("ending", ["return 1", "time.sleep(1000)"])
def test_processes_that_it_starts_end_with_its_call(score_of: Callable[..., list[Score]], tmp_path: Path, ending: str) -> None:
    pids = tmp_path / "pids"
    code = f"""
def starts(response):
    import os, subprocess
    child = subprocess.Popen(["sleep", "1000"])
    fork = os.fork()
    if fork == 0:
        time.sleep(1000)
    with open({str(pids)!r}, "a") as file:
        print(child.pid, fork, file=file)
    {ending}
"""
    scores = score_of(code, "starts", responses=("a",))
    assert ("bad.py:starts" in scores[0].components) == (ending == "return 1")
    started = list(map(int, pids.read_text().split()))
    assert len(started) == 2
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and any(map(is_running, started)):
        time.sleep(0.05)
    assert not any(map(is_running, started))


def is_running(pid: int) -> bool:
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


def test_a_child_that_comes_back_from_a_fork_gives_no_second_reply(score_of: Callable[..., list[Score]]) -> None:
    first, second = score_of("\ndef forks(response):\n    import os\n    os.fork()\n    return len(response)\n", "forks")
    assert (first.components["bad.py:forks"], second.components["bad.py:forks"]) == (1.0, 2.0)


def test_prints_come_to_the_log_with_the_name_and_are_bounded(score_of: Callable[..., list[Score]], capsys, tmp_path: Path) -> None:
    code = "\ndef talks(response):\n    print('seen', response)\n    print('x' * 5_000_000)\n    return 1\n"
    file = tmp_path / "bad.py"
    file.write_text(FINE + code)
    write(sources([f"{file}:talks"]), tmp_path / "code")
    with ScoringPool(2, 5.0, [tmp_path / "code"]) as pool:
        scores = pool.score([ScoreItem("math", f"r{number}", "1") for number in range(30)], {"bad.py:talks": 1.0})
        pool.tell()
        lines = capsys.readouterr().out.splitlines()
        pool.tell()
    assert [score.reward for score in scores] == [1.0] * 30
    assert lines[0] == "bad.py:talks: seen r0"
    assert lines[1] == f"bad.py:talks: {'x' * 500} …"
    assert lines[2] == "bad.py:talks: … and 4,991,817 bytes more"  # 5,000,001 + 8 printed, 8,192 kept
    assert lines[-1] == "bad.py:talks: … and 70 lines more"  # of 3 for each of 30 calls 20 are shown
    assert len(lines) == 21
    assert capsys.readouterr().out == ""


def test_random_numbers_are_the_same_for_the_same_response(score_of: Callable[..., list[Score]]) -> None:
    code = """
import random, numpy

def chance(response):
    return random.random() + numpy.random.random()
"""
    first = score_of(code, "chance", workers=2, responses=("a", "b"))
    again = score_of(code, "chance", workers=1, responses=("b", "a"))
    assert [score.reward for score in first] == [score.reward for score in reversed(again)]
    assert first[0].reward != first[1].reward


def test_what_changes_with_time_gives_what_it_gives(score_of: Callable[..., list[Score]]) -> None:
    first, second = score_of("\ndef clock(response):\n    return time.time()\n", "clock")
    assert first.components["bad.py:clock"] <= second.components["bad.py:clock"]


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("import no_such_package", "ModuleNotFoundError: No module named 'no_such_package' (bad.py, line"),
        ("def bad(respnse): return 1", "nothing is known for its parameter 'respnse'; did you mean 'response'?"),
        ("def bad(response, weight): return 1", "nothing is known for its parameter 'weight'; known: answer, "),
        ("def bad(response, /): return 1", "its parameter 'response' has no name that a call could use: remove the / behind it"),
        ("async def bad(response): return 1", "it is an async function; write it with def"),
        ("class bad: pass", "it is <class 'own_bad.bad'>, a type, no function"),
        ("bad = 3", "it is 3, an int, no function"),
        ("raise SystemExit", "it called sys.exit(None)"),
    ],
)
def test_what_cannot_be_loaded_is_refused_before_anything_is_called(
    score_of: Callable[..., list[Score]], code: str, why: str, capfd
) -> None:
    code = code if "bad" in code else f"{code}\n\ndef bad(response):\n    return 1\n"
    with pytest.raises(InputError) as caught:
        score_of(f"\n{code}\n", "bad")
    assert str(caught.value).startswith(f"bad.py:bad: {why}".replace("own_bad", "bad"))


def test_a_helper_that_is_missing_is_named(score_of: Callable[..., list[Score]], tmp_path: Path, capfd) -> None:
    (tmp_path / "there.py").write_text("LONG = 5\n")
    (tmp_path / "hidden.py").write_text("LONG = 5\n")
    assert score_of("\nfrom there import LONG\n\ndef good(response):\n    return LONG\n", "good")[0].reward == 5.0
    code = "\nimport importlib\n\ndef bad(response):\n    return importlib.import_module('hid' + 'den').LONG\n"
    why = score_of(code, "bad")[0].failures["bad.py:bad"].why  # not seen by who copies the files
    assert why.startswith("ModuleNotFoundError: No module named 'hidden' (bad.py, line")


def test_workers_end_with_a_killed_owner(tmp_path: Path, monkeypatch) -> None:
    """Also a worker that hangs and will never look."""
    (tmp_path / "slow.py").write_text("import time\n\ndef slow(response):\n    time.sleep(1000)\n")
    write(sources([f"{tmp_path / 'slow.py'}:slow"]), tmp_path / "code")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))  # an owner that is killed leaves its directory
    pid = os.fork()
    if pid == 0:
        pool = ScoringPool(2, 1000.0, [tmp_path / "code"])
        pool.score([ScoreItem("math", "a", "1"), ScoreItem("math", "b", "1")], {"slow.py:slow": 1.0})
        os._exit(0)
    workers: list[psutil.Process] = []
    deadline = time.monotonic() + 30
    while len(workers) < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
        workers = [child for child in psutil.Process(pid).children() if "rl_core.own_code.worker" in child.cmdline()]
    time.sleep(1)
    ctypes.CDLL(None).kill(pid, 9)
    os.waitpid(pid, 0)
    assert len(workers) == 2
    assert not psutil.wait_procs(workers, timeout=5)[1]
