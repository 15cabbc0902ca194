"""Prefect as the workspace's own, or as a server by address. Everything here must happen before Prefect is imported."""

from __future__ import annotations

import os

from tasks.workspace import Workspace


def has_server() -> bool:
    """Whether a Prefect server is named by PREFECT_API_URL."""
    return bool(os.environ.get("PREFECT_API_URL"))


def prepare_prefect(workspace: Workspace) -> None:
    """Point Prefect at the workspace unless a server is named. What the user has set stays."""
    wanted = {
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        # Our own lines tell what happens; the API keeps Prefect's.
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    }
    if not has_server():
        wanted |= {
            "PREFECT_HOME": str(workspace.prefect_home),
            "PREFECT_SERVER_EPHEMERAL_ENABLED": "true",
            # The first start migrates a fresh database, slowly on a busy machine.
            "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
            "PREFECT_SERVER_LOGGING_LEVEL": "CRITICAL",
        }
    for name, value in wanted.items():
        os.environ.setdefault(name, value)
