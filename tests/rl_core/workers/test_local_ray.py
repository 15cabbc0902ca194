"""A local Ray: who can reach it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
LOOK = """
import os, psutil, ray
from rl_core.workers.local_ray import NAMES, on_loopback

before = [os.environ.get(name) for name in NAMES]
with on_loopback():
    ray.init(address="local", num_cpus=1, include_dashboard=False, log_to_driver=False)
assert [os.environ.get(name) for name in NAMES] == before

@ray.remote
def environment():
    return dict(os.environ)

token = ray.get(environment.remote())["RAY_AUTH_TOKEN"]
processes = [psutil.Process(), *psutil.Process().children(recursive=True)]
listening = {entry.laddr.ip for process in processes for entry in process.net_connections() if entry.status == psutil.CONN_LISTEN}
assert listening <= {"127.0.0.1", "::ffff:127.0.0.1", "::1"}, listening
assert not any(token in " ".join(process.cmdline()) for process in processes)
ray.shutdown()
"""


@pytest.mark.xdist_group("engines")
@pytest.mark.slow
def test_a_local_ray_listens_on_loopback_and_writes_no_token(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    environment |= {"HOME": str(tmp_path), "RAY_USAGE_STATS_ENABLED": "0"}
    done = subprocess.run([sys.executable, "-c", LOOK], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
