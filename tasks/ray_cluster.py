"""Ray clusters: their addresses, whether they answer, and jobs that are ended there."""

from __future__ import annotations

import logging
import os
import socket
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from rl_core.config.resources import Resources
from rl_core.errors import InputError, first_line
from tasks.process import GRACE
from tasks.workspace import named_address

if TYPE_CHECKING:
    from ray.job_submission import JobSubmissionClient


POLL = 1.0  # seconds between two looks at a job
PORTS = {"https": 443, "http": 80, "ray": 6379}  # where an address names none
PATIENCE = 10.0  # seconds for a first answer
SLACK = 10.0  # seconds that Ray may need beyond the grace to see that a job has ended


class ClusterError(InputError):
    """A Ray cluster cannot be used; one line with its address and the remedy."""


def cluster_of(resources: Resources) -> str | None:
    """The Ray cluster that a stage's workers run on: `cluster` or RAY_ADDRESS; None: one of its own on this machine, or no Ray."""
    return (resources.cluster or named_address("RAY_ADDRESS")) if resources.ray else None


def job_address(resources: Resources) -> str | None:
    """Where a stage is submitted as a job: `cluster` or RAY_ADDRESS, if that is the http address of a cluster's job interface."""
    address = cluster_of(resources)
    return address if address and address.startswith(("http://", "https://")) else None


def require_answer(address: str) -> None:
    """Connect to the address of a cluster once: Ray's own clients find out after minutes, or never, that nothing listens there.

    Raises ClusterError if nothing listens there.
    """
    if address in ("auto", "local"):  # found by Ray itself
        return
    try:
        parts = urlsplit(address if "://" in address else f"ray://{address}")
        socket.create_connection((parts.hostname or "", parts.port or PORTS[parts.scheme]), PATIENCE).close()
    except (OSError, ValueError, KeyError) as error:
        raise _unreachable(address, error) from error


def connect(address: str) -> JobSubmissionClient:
    """A client of a cluster's job interface. Raises ClusterError if nothing answers there, or it asks for a token."""
    require_answer(address)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    from ray.exceptions import AuthenticationError
    from ray.job_submission import JobSubmissionClient

    for name in ("ray.dashboard.modules.dashboard_sdk", "ray._private.runtime_env.packaging"):
        logging.getLogger(name).setLevel(logging.ERROR)  # they tell of every upload
    try:
        return JobSubmissionClient(address)
    except AuthenticationError as error:
        raise ClusterError(f"{address}: the cluster wants its token; set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN") from error
    except Exception as error:  # of its HTTP client, and bare ones for another version
        raise _unreachable(address, error) from error


def end_job(client: JobSubmissionClient, submission: str) -> bool:
    """Stop a job, with time for its checkpoint; whether it is known to have ended."""
    try:
        client.stop_job(submission)
        deadline = time.monotonic() + GRACE + SLACK
        while time.monotonic() < deadline:
            if client.get_job_status(submission).is_terminal():
                return True
            time.sleep(POLL / 4)
    except RuntimeError as error:
        return "does not exist" in str(error)  # not submitted yet when its owner was killed
    except Exception:  # of its HTTP client
        return False
    return False


def _unreachable(address: str, error: Exception) -> ClusterError:
    return ClusterError(
        f"no Ray cluster answers at {address} ({first_line(error)}); start it, or give another address as resources.cluster"
    )
