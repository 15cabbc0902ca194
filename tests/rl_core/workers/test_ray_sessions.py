from __future__ import annotations

import os
from pathlib import Path

from rl_core.workers.ray_sessions import MARK, remove_dead_sessions


def test_only_marked_sessions_of_processes_that_are_gone_are_removed(tmp_path: Path) -> None:
    here = os.readlink("/proc/self/ns/pid")
    gone = 2**22 + 1  # above the largest number of a process
    for name, mark in (
        (f"session_2026-01-01_00-00-00_000001_{gone}", here),
        (f"session_2026-01-01_00-00-00_000002_{os.getpid()}", here),
        (f"session_2026-01-01_00-00-00_000003_{gone}", "pid:[1]"),  # of another container
        (f"session_2026-01-01_00-00-00_000004_{gone}", None),  # a Ray that is not ours
        ("session_2026-01-01_00-00-00_000005_x", here),
    ):
        (tmp_path / name / "logs").mkdir(parents=True)
        if mark:
            (tmp_path / name / MARK).write_text(mark)
    remove_dead_sessions(tmp_path)
    assert [path.name.split("_")[3] for path in sorted(tmp_path.iterdir())] == ["000002", "000003", "000004", "000005"]
    remove_dead_sessions(tmp_path / "none")
