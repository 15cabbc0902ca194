"""A trainer as a job of a real Ray head; addresses at which there is none."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from rl_core.config.jobs import TrainJob
from rl_core.config.resources import Resources, RlResources
from rl_core.config.rl import RlConfig
from rl_core.data.knights_knaves import generate
from rl_core.data.prompts import write_prompts
from rl_core.errors import InputError
from tasks.process import GRACE
from tasks.ray_cluster import ClusterError, connect, end_job, job_address, require_answer
from tasks.stage.lease import Lease
from tasks.trainer import ray_job
from tasks.trainer.local_process import Progress
from tasks.trainer.ray_job import run_as_job
from tasks.trainer.train import train

pytestmark = pytest.mark.xdist_group("engines")
STEPS = 60
AGENT_PORT = 52365  # ray.dashboard: the default of --dashboard-agent-listen-port


def test_an_http_address_is_one_for_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    assert job_address(Resources()) is None
    assert job_address(Resources(cluster="head:6379")) is None
    assert job_address(Resources(cluster="http://head:8265")) == "http://head:8265"
    monkeypatch.setenv("RAY_ADDRESS", "https://ray.example.org")
    assert job_address(Resources()) == "https://ray.example.org"
    assert job_address(Resources(ray=False)) is None


def test_an_address_without_a_cluster_is_one_line(free_port: Callable[[], int]) -> None:
    port = free_port()
    with pytest.raises(
        ClusterError, match=rf"^no Ray cluster answers at http://127.0.0.1:{port} \(.*Connection refused\); start it, or give"
    ):
        connect(f"http://127.0.0.1:{port}")
    with pytest.raises(ClusterError, match=r"^no Ray cluster answers at http://127.0.0.1:no-port"):
        connect("http://127.0.0.1:no-port")


@pytest.mark.parametrize("address", ["127.0.0.1:{port}", "ray://127.0.0.1:{port}", "127.0.0.1:no-port", "[::1"])
def test_an_address_where_nobody_listens_is_one_line(free_port: Callable[[], int], address: str) -> None:
    given = address.format(port=free_port())
    with pytest.raises(ClusterError, match=rf"^no Ray cluster answers at {re.escape(given)} \(.*\); start it, or give another address"):
        require_answer(given)


def test_an_address_where_somebody_listens_passes() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        require_answer(f"127.0.0.1:{server.getsockname()[1]}")
        require_answer("auto")


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]) -> Iterator[str]:
    """A head that wants a token."""
    if importlib.util.find_spec("aiohttp_cors") is None:
        pytest.skip("Ray's job interface is not installed: pip install 'ray[default]'")
    patch = pytest.MonkeyPatch()
    patch.setenv("RAY_AUTH_MODE", "token")
    patch.setenv("RAY_AUTH_TOKEN", "0123456789abcdef" * 4)
    _forget_token()
    patch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")  # `python` of the cluster
    ports = (free_port(), free_port())
    options = ["--head", "--block", "--num-cpus=2", "--node-ip-address=127.0.0.1", "--include-dashboard=true"]
    options += [f"--port={ports[0]}", f"--dashboard-port={ports[1]}", "--disable-usage-stats"]
    _wait_for_agent_port()
    log = (tmp_path_factory.mktemp("head") / "log").open("w")
    process = subprocess.Popen([sys.executable, "-m", "ray.scripts.scripts", "start", *options], stdout=log, stderr=log)
    address = f"http://127.0.0.1:{ports[1]}"
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                connect(address)
                break
            except ClusterError:
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.5)
        yield address
    finally:
        process.terminate()
        process.wait(90)
        patch.undo()
        _forget_token()


def _wait_for_agent_port() -> None:
    """Every Ray of a machine has its agent at the same port; one that has just ended may hold it for a while, and jobs find no agent."""
    deadline = time.monotonic() + 60
    while True:
        try:
            socket.create_server(("127.0.0.1", AGENT_PORT)).close()
            return
        except OSError:
            assert time.monotonic() < deadline, f"another Ray's agent is at port {AGENT_PORT}"
            time.sleep(0.5)


def _forget_token() -> None:
    """A process that has had a Ray of its own keeps the token of that one."""
    from ray._raylet import AuthenticationTokenLoader

    AuthenticationTokenLoader.instance().reset_cache()


class Cancelled(BaseException):
    """As an orchestrator raises it in the main thread."""


@pytest.mark.slow
@pytest.mark.follows("its job was stopped, with its checkpoint written; run again to go on")
def test_a_stage_on_a_cluster_is_cancelled_and_goes_on(head: str, lease: Lease, tiny_checkpoint: Path) -> None:
    prompts = lease.directory / "prompts.parquet"
    write_prompts(prompts, generate(2, 20, "train", 0))
    config = RlConfig(
        template="plain",
        prompts_per_step=1,
        group_size=2,
        steps=STEPS,
        max_response_tokens=4,
        checkpoint_every=STEPS,
        resources=RlResources(threads=1, cluster=head),
    )
    job = TrainJob(kind="rl", rl=config, model=str(tiny_checkpoint), prompts=[prompts], output=lease.directory)
    cancelled = 0.0

    def cancel(progress: Progress) -> None:
        nonlocal cancelled
        if progress.step:
            cancelled = time.monotonic()
            raise Cancelled

    with pytest.raises(Cancelled):
        train(job, lease, cancel, steps=STEPS)
    assert time.monotonic() - cancelled < GRACE
    (stopped,) = (lease.directory / "checkpoints").iterdir()
    assert 0 < int(stopped.name.removeprefix("step-")) < STEPS
    assert json.loads((lease.directory / "state.json").read_text())["trainer"] is None

    # The rest by one process: the same checkpoint, and no actors to start.
    path, seen = lease.directory / "job.json", list[Progress]()
    alone = config.model_copy(update={"resources": RlResources(threads=1, ray=False)})
    path.write_text(job.model_copy(update={"rl": alone}).model_dump_json())
    run_as_job(head, "rl_core.train", path, lease, seen.append, needs_gpu=True)
    assert seen[-1].step == STEPS
    steps = [json.loads(line)["step"] for line in (lease.directory / "metrics.jsonl").read_text().splitlines()]
    assert steps == list(range(1, STEPS + 1))
    assert "Running entrypoint for job" in (lease.directory / "log.txt").read_text()


@pytest.mark.slow
def test_a_workspace_that_the_cluster_does_not_see_is_named(head: str, lease: Lease) -> None:
    job = Path("/mnt/not-mounted/warm/job.json")
    with pytest.raises(InputError, match=r"^/mnt/not-mounted/warm cannot be read on the cluster: keep the workspace on storage that all"):
        run_as_job(head, "rl_core.train", job, lease, print, needs_gpu=True)
    assert end_job(connect(head), "never-submitted")


@pytest.mark.slow
def test_the_job_of_a_run_that_was_killed_is_stopped_before_the_stage_goes_on(
    head: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.stage.lease.WATCH", 0.2)
    client = connect(head)
    job = client.submit_job(entrypoint="sleep 300")
    directory = tmp_path / "warm"
    directory.mkdir()
    owner = {"id": "gone", "host": "another", "pid": 1, "born": 0.0}
    state = {"state": "running", "owner": owner, "started": 0, "heartbeat": 0, "trainer": {"address": head, "job": job}}
    (directory / "state.json").write_text(json.dumps(state))
    os.utime(directory / "state.json", (0, 0))  # silent for long
    lease = Lease(directory)
    lease.take()
    lease.release("done")
    assert client.get_job_status(job) == "STOPPED"


@pytest.mark.slow
def test_a_cluster_wants_its_token(head: str, monkeypatch: pytest.MonkeyPatch) -> None:
    code = "import sys; from tasks.trainer.ray_job import connect; connect(sys.argv[1])"
    known = {name: value for name, value in os.environ.items() if not name.startswith("RAY_AUTH")}
    done = subprocess.run([sys.executable, "-c", code, head], env=known | {"HOME": "/nowhere"}, capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1].endswith(f"{head}: the cluster wants its token; set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN")


class JustStarted:
    """A head whose first node takes jobs at the third time of asking."""

    def __init__(self, answer: str) -> None:
        self.answer, self.asked = answer, 0

    def submit_job(self, entrypoint: str) -> None:
        self.asked += 1
        if self.asked < 3:
            raise RuntimeError(self.answer)


def test_a_cluster_that_has_just_started_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_job, "POLL", 0.0)
    head = JustStarted("Request failed with status code 500: No available agent to submit job, please try again later..")
    ray_job._submit(head, entrypoint="true")  # type: ignore[arg-type]
    assert head.asked == 3
    with pytest.raises(RuntimeError, match="409"):  # any other answer is one
        ray_job._submit(JustStarted("Request failed with status code 409"), entrypoint="true")  # type: ignore[arg-type]
    monkeypatch.setattr(ray_job, "FIRST_NODE", -1.0)
    with pytest.raises(RuntimeError, match="No available agent"):
        ray_job._submit(JustStarted(head.answer), entrypoint="true")  # type: ignore[arg-type]
