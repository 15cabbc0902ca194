"""Deployments in a real Prefect server."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.command import ROOT, plain_environment

PROGRAM = """
import asyncio, json, sqlite3, sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from flows.servers.prefect_server import PrefectServer
from tasks.workspace import Workspace

workspace = Workspace.at(Path(sys.argv[1]))
server = PrefectServer(workspace)
server.start()
from prefect.client.orchestration import get_client
from prefect.states import Scheduled
from flows.deployments import _apply
from flows.recipe.request import RunRequest
from flows.servers.schedules import Schedule

async def main():
    server.wait()
    async with get_client() as client:
        flow = await client.create_flow_from_name("r1flow")
        deployment = await client.create_deployment(flow, "mini")
        due = Scheduled(scheduled_time=datetime.now(UTC) - timedelta(hours=1))
        missed, by_hand = [await client.create_flow_run_from_deployment(deployment, state=due) for _ in range(2)]
        with sqlite3.connect(workspace.prefect_home / "prefect.db") as database:  # as the scheduler makes its own
            database.execute("UPDATE flow_run SET auto_scheduled = 1 WHERE id = ?", [str(missed.id)])
        await _apply(deployment, Schedule(request=RunRequest(recipe="quickstart"), cron="0 2 1 1 *"))
        print(json.dumps([run.id == by_hand.id for run in await client.read_flow_runs()]))

asyncio.run(main())
"""


@pytest.mark.slow
@pytest.mark.usefixtures("with_databases")
def test_a_run_that_was_missed_is_not_made_up_for(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, env=plain_environment(), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [True]
