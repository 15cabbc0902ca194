"""Brings the state of flow runs in Prefect up to date with the records of the runs.

The record of a run (`flows/runs/record.py`) says how it ended. Prefect may not know: a killed process sends nothing, a server that was down
received nothing, and Prefect takes Ctrl-C for a crash, where a person means a cancellation.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from uuid import UUID

from flows.runs.record import unreported
from tasks.workspace import Workspace, write_record

if TYPE_CHECKING:
    pass

# The state of a record -> Prefect's, and those in Prefect that are right already
STATES = {
    "done": ("COMPLETED", {"COMPLETED"}),
    "failed": ("FAILED", {"FAILED", "CRASHED"}),
    "stopped": ("CANCELLED", {"CANCELLED"}),
    "running": ("CRASHED", {"CRASHED", "CANCELLED", "FAILED"}),
}


@contextmanager
def reporting_ends(workspace: Workspace) -> Iterator[None]:
    """Report how earlier runs ended, and afterwards how this one did."""
    report_ends(workspace)
    try:
        yield
    finally:
        report_ends(workspace)


def report_ends(workspace: Workspace) -> int:
    """Set the state of every flow run of the current Prefect server that has ended otherwise; returns how many were reported.

    A server that does not answer is no error: they are reported next time.
    """
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.objects import State, StateType
    from prefect.exceptions import ObjectNotFound

    reported = 0
    for path, record in unreported(workspace, "prefect"):
        identity = UUID(record["prefect"]["flow_run_id"])
        wanted, fine = STATES[record["state"]]
        try:
            with get_client(sync_client=True) as client:
                state = client.read_flow_run(identity).state
                if state is None or state.type.value not in fine:
                    message = record.get("error") or ("" if wanted == "COMPLETED" else "its process ended without a word")
                    client.set_flow_run_state(identity, State(type=StateType(wanted), message=message), force=True)
        except ObjectNotFound:  # a run of another server
            continue
        except Exception:  # of its HTTP client, or of the server
            return reported
        record["prefect"]["settled"] = True
        write_record(path, record)
        reported += 1
    return reported
