"""A trainer as a job of a Ray cluster: submitted, followed and stopped through Ray's job interface.

The trainer's code travels with the job; what it imports must be installed on the cluster. Everything else is files: the workspace must be
storage that the nodes of the cluster mount at the same path.
"""

from __future__ import annotations

import logging
import os
import shlex
import socket
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar
from urllib.parse import urlsplit

import rl_core
from rl_core.config.resources import Resources
from rl_core.errors import InputError
from tasks.interrupts import go_on
from tasks.stage.lease import Lease, StageFailed
from tasks.stage.spec import LOG, PROGRESS, StageStopped
from tasks.trainer.local_process import GRACE, Progress, Tail, judge, report
from tasks.workspace import named_address

if TYPE_CHECKING:
    from ray.job_submission import JobSubmissionClient

POLL = 1.0  # seconds between two looks at a job
LOG_EVERY = 5.0  # seconds between two looks at its log, which is sent whole
PORTS = {"https": 443, "http": 80, "ray": 6379}  # where an address names none
PATIENCE = 10.0  # seconds for a first answer
FIRST_NODE = 60.0  # seconds for the first node of a cluster to take jobs
SILENCE = 600.0  # seconds without an answer after which a job counts as lost
SLACK = 10.0  # seconds that Ray may need beyond the grace to see that a job has ended

Answer = TypeVar("Answer")


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
    """Whether somebody listens at the address of a cluster, which Ray's own clients find out after minutes, or never.

    Raises:
        ClusterError: nobody does.
    """
    if address in ("auto", "local"):  # found by Ray itself
        return
    try:
        parts = urlsplit(address if "://" in address else f"ray://{address}")
        socket.create_connection((parts.hostname or "", parts.port or PORTS[parts.scheme]), PATIENCE).close()
    except (OSError, ValueError, KeyError) as error:
        raise _unreachable(address, error) from error


def connect(address: str) -> JobSubmissionClient:
    """A client of a cluster's job interface.

    Raises:
        ClusterError: nothing answers there, or it asks for a token.
    """
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


def run_as_job(address: str, module: str, job: Path, lease: Lease, on_progress: Callable[[Progress], None], *, needs_gpu: bool) -> None:
    """Run `python -m MODULE JOB` on a cluster and follow it to its end, its output in `log.txt` of the lease's directory.

    On any exception here (Ctrl-C, a cancelled flow run, a lost lease) the job is stopped, with time for its checkpoint.

    Args:
        needs_gpu: reserve a GPU for the process itself, where the cluster has any.

    Raises:
        ClusterError: the cluster cannot be reached.
        InputError: the job ended with exit code 2; its own line.
        StageStopped: somebody else stopped the job.
        StageFailed: it failed, or the cluster has not answered for ten minutes.
    """
    client = connect(address)
    submission = f"{lease.directory.name}-{uuid.uuid4().hex[:8]}"
    progress = Tail(lease.directory / PROGRESS)
    with (lease.directory / LOG).open("ab") as log:
        log.write(f"--- {datetime.now():%Y-%m-%d %H:%M:%S} job {submission} of {address}\n".encode())
        log.flush()
        begin = log.tell()
        lease.note(trainer={"address": address, "job": submission})  # first: whoever takes over must find it
        try:
            _submit(
                client,
                entrypoint=_entrypoint(module, job),
                submission_id=submission,
                entrypoint_num_gpus=1 if needs_gpu and _has_gpus(address) else None,
                runtime_env={
                    "py_modules": [str(Path(rl_core.__file__).parent)],
                    "env_vars": {"RAY_JOB_STOP_WAIT_TIME_S": str(round(GRACE))},
                },
                metadata={"stage": lease.directory.name},
            )
            details = _follow(client, submission, log, lambda: report(progress, on_progress), lease)
        except BaseException:
            if end_job(client, submission):
                lease.note(trainer=None)
            with suppress(Exception):
                _copy_log(client, submission, log, begin)
            raise
    lease.note(trainer=None)
    report(progress, on_progress)
    _judge(details, lease.directory, begin)


def _submit(client: JobSubmissionClient, **request: Any) -> None:
    """A head that has just started answers before any node takes jobs; then this is asked again for a while."""
    deadline = time.monotonic() + FIRST_NODE
    while True:
        try:
            client.submit_job(**request)
            return
        except RuntimeError as error:
            if "No available agent" not in str(error) or time.monotonic() > deadline:
                raise
        time.sleep(POLL)


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


def end_orphan(trainer: dict[str, Any]) -> None:
    """Stop the job of a stage whose owner was killed: two in one directory would spoil each other's checkpoints.

    Raises:
        StageFailed: it may still run.
    """
    address, submission = trainer["address"], trainer["job"]
    if not end_job(connect(address), submission):
        raise StageFailed(f"job {submission} of {address}, of an earlier attempt, does not stop; end it: ray job stop {submission}")


def _follow(client: JobSubmissionClient, submission: str, log: BinaryIO, look: Callable[[], None], lease: Lease) -> Any:
    """Returns what Ray knows of the job after its end. The cluster may fall silent for a while."""
    begin, copied, heard = log.tell(), 0.0, time.monotonic()
    details: Any = None
    while details is None or not details.status.is_terminal():
        time.sleep(POLL)
        go_on()
        look()
        lease.require()
        try:
            details = client.get_job_info(submission)
            if details.status.is_terminal() or time.monotonic() - copied > LOG_EVERY:
                _copy_log(client, submission, log, begin)
                copied = time.monotonic()
            heard = time.monotonic()
        except (OSError, RuntimeError) as error:
            details = None
            if time.monotonic() - heard > SILENCE:
                raise StageFailed(f"job {submission}: the cluster has not answered for {SILENCE / 60:.0f} min ({error})") from error
    return details


def _copy_log(client: JobSubmissionClient, submission: str, log: BinaryIO, begin: int) -> None:
    """Append what `log` does not have yet of the job's output, which it holds from `begin` on."""
    log.write(client.get_job_logs(submission).encode()[log.tell() - begin :])
    log.flush()


def _judge(details: Any, directory: Path, begin: int) -> None:
    match str(details.status):
        case "SUCCEEDED":
            return
        case "STOPPED":
            raise StageStopped(f"stage {directory.name}: its job was stopped, with its checkpoint written; run again to go on")
    if details.driver_exit_code is None:
        reason = next((line.strip() for line in (details.message or "").splitlines() if line.strip()), "no reason given")
        raise StageFailed(f"stage {directory.name}: {reason}; the whole log is {directory / LOG}; run again to go on")
    judge(details.driver_exit_code, directory, begin)


def _entrypoint(module: str, job: Path) -> str:
    remedy = "keep the workspace on storage that all nodes of the cluster mount at this path"
    unseen = shlex.quote(f"error: {job.parent} cannot be read on the cluster: {remedy}")
    path = shlex.quote(str(job))
    return f"[ -r {path} ] || {{ echo {unseen}; exit 2; }}; exec python -m {module} {path}"


def _has_gpus(address: str) -> bool:
    from ray.util.state import list_nodes

    return any((node.resources_total or {}).get("GPU") for node in list_nodes(address))


def _unreachable(address: str, error: Exception) -> ClusterError:
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    return ClusterError(f"no Ray cluster answers at {address} ({reason}); start it, or give another address as resources.cluster")
