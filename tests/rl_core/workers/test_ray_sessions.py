from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from rl_core.workers.ray_sessions import MARK, mark_sessions, remove_dead_sessions, remove_session


def test_only_marked_sessions_of_processes_that_are_gone_are_removed(tmp_path: Path) -> None:
    here = os.readlink("/proc/self/ns/pid")
    gone = 2**22 + 1  # above the largest number of a process
    for number, process, mark in (
        (1, gone, here),
        (2, os.getpid(), here),
        (3, gone + 1, "pid:[1]"),  # of another container
        (4, gone + 2, None),  # a Ray that is not ours
        (5, "x", here),
    ):
        (tmp_path / f"session_2026-01-01_00-00-00_00000{number}_{process}" / "logs").mkdir(parents=True)
        if mark:
            (tmp_path / f"{MARK}{process}").write_text(mark)
    remove_dead_sessions(tmp_path)
    assert [path.name.split("_")[3] for path in sorted(tmp_path.glob("session_*"))] == ["000002", "000003", "000004", "000005"]
    assert not (tmp_path / f"{MARK}{gone}").exists()
    remove_dead_sessions(tmp_path / "none")


def test_what_a_process_leaves_that_was_killed_while_its_ray_started_is_removed(tmp_path: Path) -> None:
    code = """
import os, sys
from pathlib import Path
from rl_core.workers.ray_sessions import mark_sessions
mark_sessions(Path(sys.argv[1]))
(Path(sys.argv[1]) / f"session_2026-01-01_00-00-00_000001_{os.getpid()}").mkdir()
os.kill(os.getpid(), 9)
"""
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path / "ray")]).returncode == -9
    assert len(list((tmp_path / "ray").iterdir())) == 2
    remove_dead_sessions(tmp_path / "ray")
    assert list((tmp_path / "ray").iterdir()) == []


def test_an_orderly_end_leaves_no_mark(tmp_path: Path) -> None:
    mark_sessions(tmp_path)
    session = tmp_path / f"session_2026-01-01_00-00-00_000001_{os.getpid()}"
    (session / "logs").mkdir(parents=True)
    remove_session(session)
    assert list(tmp_path.iterdir()) == []
