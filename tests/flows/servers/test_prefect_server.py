from __future__ import annotations

import shutil
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest

from flows.servers.prefect_server import PrefectServer
from tasks.workspace import Workspace, WorkspaceError

Usage = namedtuple("Usage", "total used free")


@pytest.mark.parametrize(
    ("free", "said"), [(60_000, "^the disk of {} is full; make room, and the same command goes on$"), (10**10, "did not start; see {}")]
)
def test_a_server_that_ended_is_blamed_on_a_full_disk_only_where_it_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, said: str
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**11, 0, free))
    server = PrefectServer(Workspace(tmp_path))
    server._process = subprocess.Popen([sys.executable, "-c", ""])
    with pytest.raises(WorkspaceError, match=said.format(tmp_path)):
        server.wait()
