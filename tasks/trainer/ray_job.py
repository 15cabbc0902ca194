"""A trainer as a job of a Ray cluster: submitted, followed and stopped through Ray's job interface.

The trainer's code travels with the job; what it imports must be installed on the cluster. Everything else is files: the workspace must be
storage that the nodes of the cluster mount at the same path.
"""

from __future__ import annotations

import shlex
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

import rl_core
from tasks.interrupts import go_on
from tasks.process import GRACE
from tasks.stage.lease import Lease, StageFailed
from tasks.stage.spec import LOG, PROGRESS, StageStopped
from tasks.trainer.local_process import Progress, Tail, judge, report

if TYPE_CHECKING:
    from ray.job_submission import JobSubmissionClient
from tasks.ray_cluster import POLL, connect, end_job

LOG_EVERY = 5.0  # seconds between two looks at its log, which is sent whole
FIRST_NODE = 60.0  # seconds for the first node of a cluster to take jobs
SILENCE = 600.0  # seconds without an answer after which a job counts as lost

Answer = TypeVar("Answer")


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
    """Try again for a while: a head that has just started answers before any node takes jobs."""
    deadline = time.monotonic() + FIRST_NODE
    while True:
        try:
            client.submit_job(**request)
            return
        except RuntimeError as error:
            if "No available agent" not in str(error) or time.monotonic() > deadline:
                raise
        time.sleep(POLL)


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
