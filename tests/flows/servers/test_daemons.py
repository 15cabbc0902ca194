"""Servers as a person starts them; what they refuse; a recipe as a deployment."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest

from flows.recipe.load import load_recipe
from flows.recipe.request import RunRequest
from flows.servers.daemons import Listen, ServerError, Servers
from flows.servers.schedules import Schedule, drop_schedule, keep_schedule, path_of, read_schedules
from rl_core.errors import InputError
from tasks.workspace import Workspace
from tests.end_to_end.command import plain_environment

ROOT = Path(__file__).parents[3]
MINI = ROOT / "tests" / "fixtures" / "mini.yaml"


def test_beyond_loopback_only_with_a_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("R1FLOW_AUTH", raising=False)
    with pytest.raises(ServerError, match=r"servers that others can reach need a login; set R1FLOW_AUTH=user:password"):
        list(Servers(Workspace(tmp_path)).up(Listen(host="0.0.0.0")))
    for given in ("short:secret", "nopassword"):
        monkeypatch.setenv("R1FLOW_AUTH", given)
        with pytest.raises(InputError, match=r"^R1FLOW_AUTH is not user:password with a password of at least 12 characters$"):
            list(Servers(Workspace(tmp_path)).up(Listen(host="0.0.0.0")))
    assert list(tmp_path.iterdir()) == []


def test_a_port_in_use_is_named_with_the_option_for_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ServerError, match=rf"^port {port} on 127.0.0.1: Address already in use; give another one by --prefect-port$"):
            list(Servers(Workspace(tmp_path)).up(Listen(prefect_port=port)))


def test_down_of_nothing(tmp_path: Path) -> None:
    assert Servers(Workspace(tmp_path)).down() == []


@pytest.mark.parametrize(
    ("cron", "timezone", "message"),
    [("0 2 * *", "UTC", "--cron '0 2 \\* \\*': Invalid cron"), ("0 2 * * *", "Mars/Base", "--timezone 'Mars/Base': Invalid timezone")],
)
def test_a_wrong_schedule_is_refused(tmp_path: Path, cron: str, timezone: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        keep_schedule(Workspace(tmp_path), Schedule(request=RunRequest(recipe="quickstart"), cron=cron, timezone=timezone))
    assert read_schedules(Workspace(tmp_path)) == {}


def test_schedules_are_kept_and_dropped(tmp_path: Path) -> None:
    schedule = Schedule(request=RunRequest(recipe="quickstart", until="warmup"), cron="0 2 * * *", timezone="Europe/Berlin")
    keep_schedule(Workspace(tmp_path), schedule)
    assert read_schedules(Workspace(tmp_path)) == {"quickstart": schedule}
    assert json.loads(path_of(Workspace(tmp_path)).read_text())["quickstart"]["order"]["until"] == "warmup"  # as earlier versions wrote it
    drop_schedule(Workspace(tmp_path), "quickstart")
    with pytest.raises(InputError, match="no schedule for quickstart; known: none"):
        drop_schedule(Workspace(tmp_path), "quickstart")


def test_the_form_offers_the_recipes_own_stages(tmp_path: Path) -> None:
    from flows.deployments import form

    schema = form(load_recipe(str(MINI)), RunRequest(recipe=str(MINI), workspace=tmp_path))
    stages = ["puzzles", "cold", "warm", "scores", "cot", "report"]
    properties = schema.properties
    assert properties["rerun_from"]["enum"] == properties["until"]["enum"] == properties["force"]["items"]["enum"] == stages
    assert properties["profile"]["enum"] == ["smoke"]
    assert [name for name, entry in properties.items() if entry.get("readOnly")] == ["recipe", "workspace"]
    assert properties["rerun_from"]["title"] == "Start from"
    # What a form may send is what the flow takes.
    from flows.experiment import experiment

    assert set(properties) == set(RunRequest.model_fields) == set(experiment.parameters.properties)


@pytest.fixture(scope="module")
def root(databases: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(databases, tmp_path_factory.mktemp("up") / "runs"))


def r1flow(root: Path, *arguments: object) -> str:
    known = plain_environment()
    command = [sys.executable, "-m", "flows.cli", *map(str, arguments), "--workspace", str(root)]
    done = subprocess.run(command, cwd=ROOT, env=known, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def api(root: Path, free_port: Callable[[], int]) -> Iterator[str]:
    """The address of Prefect's API, with MLflow and the runner beside it."""
    port = free_port()
    r1flow(root, "schedule", MINI, "--cron", "0 2 1 1 *", "--until", "puzzles")
    with pytest.raises(ServerError, match=f"--prefect-port and --mlflow-port are both {port}; give two different ports"):
        list(Servers(Workspace(root)).up(Listen(prefect_port=port, mlflow_port=port)))
    try:
        r1flow(root, "up", "--prefect-port", port, "--mlflow-port", free_port())
        yield f"http://127.0.0.1:{port}/api"
    finally:
        assert r1flow(root, "down").startswith("stopped: runner, mlflow, prefect")


def call(url: str, body: dict[str, Any] | None = None) -> Any:
    """An answer of the API; 503 is SQLite under another writer, which Prefect's own client tries again, too."""
    request = urllib.request.Request(url, None if body is None else json.dumps(body).encode(), {"content-type": "application/json"})
    for _ in range(10):
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code != 503:
                raise
            time.sleep(1)
    raise AssertionError(f"{url}: 503")


@pytest.mark.slow
@pytest.mark.follows(
    "give another one by --{}-port",
    "give two different ports",
    "r1flow up --prefect-port N",
    "r1flow up --mlflow-port N",
    "nothing runs until the servers are up: r1flow up",
    "r1flow up --workspace DIR serves another one",
)
def test_up_is_idempotent_and_listens_on_loopback_alone(api: str, root: Path) -> None:
    servers = Servers(Workspace(root))
    before = [servers.running(name) for name in ("prefect", "mlflow", "runner")]
    r1flow(root, "up")
    assert [servers.running(name) for name in ("prefect", "mlflow", "runner")] == before
    listening = set()
    for server in before:
        assert server
        leader = psutil.Process(server.mark["pid"])
        for process in [leader, *leader.children(recursive=True)]:
            assert "mlflow.server.jobs" not in " ".join(process.cmdline())  # gigabytes of workers for what is not used here
            listening |= {found.laddr.ip for found in process.net_connections() if found.status == psutil.CONN_LISTEN}
    assert listening == {"127.0.0.1"}
    status = r1flow(root, "status")
    assert "prefect  up: http://127.0.0.1:" in status
    assert "/#/experiments?workflowType=machine_learning, process" in status


@pytest.mark.slow
def test_a_run_from_the_form_makes_what_the_command_line_makes(api: str, root: Path) -> None:
    deployment = call(f"{api}/deployments/name/r1flow/mini")
    assert deployment["schedules"][0]["schedule"]["cron"] == "0 2 1 1 *"
    assert deployment["concurrency_options"]["collision_strategy"] == "CANCEL_NEW"
    with pytest.raises(urllib.error.HTTPError):  # a stage of another recipe
        call(f"{api}/deployments/{deployment['id']}/create_flow_run", {"parameters": {"until": "warmup"}, "state": {"type": "SCHEDULED"}})
    run = call(f"{api}/deployments/{deployment['id']}/create_flow_run", {"parameters": {}, "state": {"type": "SCHEDULED"}})
    deadline = time.monotonic() + 120
    while (state := call(f"{api}/flow_runs/{run['id']}")["state"])["type"] in ("SCHEDULED", "PENDING", "RUNNING"):
        assert time.monotonic() < deadline, state
        time.sleep(0.5)
    assert state["type"] == "COMPLETED", state
    artifacts = {entry["type"] for entry in call(f"{api}/artifacts/filter", {})}
    assert {"progress", "markdown"} <= artifacts
    assert "5 of 6 stages run, 1 reused" in r1flow(root, "plan", MINI)
    assert "5 of 6 stages run, 1 reused" in r1flow(root, "plan", MINI)


@pytest.mark.slow
def test_a_page_elsewhere_cannot_use_the_api(api: str) -> None:
    own = api.removesuffix("/api")
    for headers, status in [
        ({"origin": own}, 200),
        ({"origin": own.replace("127.0.0.1", "localhost")}, 200),
        ({"origin": "http://evil.example"}, 403),
        ({"host": "evil.example"}, 403),
    ]:
        for address in (f"{api}/deployments/filter", f"{own}/"):
            body = b"{}" if address.endswith("filter") else None
            request = urllib.request.Request(address, body, {"content-type": "application/json"} | headers)
            try:
                with urllib.request.urlopen(request, timeout=30) as answer:
                    found = answer.status
            except urllib.error.HTTPError as error:
                found = error.code
            assert found == status, (address, headers)


@pytest.mark.slow
def test_a_run_in_another_workspace_is_refused_by_the_flow(api: str, tmp_path: Path) -> None:
    """The form's fixed parameters are the client's to check; whoever reaches the API can switch that off."""
    deployment = call(f"{api}/deployments/name/r1flow/mini")["id"]
    change = urllib.request.Request(
        f"{api}/deployments/{deployment}", b'{"enforce_parameter_schema": false}', {"content-type": "application/json"}, method="PATCH"
    )
    urllib.request.urlopen(change, timeout=30).close()
    parameters = {"recipe": str(MINI), "workspace": str(tmp_path / "evil")}
    run = call(f"{api}/deployments/{deployment}/create_flow_run", {"parameters": parameters, "state": {"type": "SCHEDULED"}})
    deadline = time.monotonic() + 120
    while (state := call(f"{api}/flow_runs/{run['id']}")["state"])["type"] in ("SCHEDULED", "PENDING", "RUNNING"):
        assert time.monotonic() < deadline, state
        time.sleep(0.5)
    assert state["type"] == "FAILED"
    assert "this runner works in" in state["message"]
    assert not (tmp_path / "evil").exists()


@pytest.mark.slow
def test_a_recipe_whose_schedule_is_dropped_is_not_offered_any_more(api: str, root: Path) -> None:
    r1flow(root, "schedule", MINI, "--off")
    deadline = time.monotonic() + 30
    while any(found["name"] == "mini" for found in call(f"{api}/deployments/filter", {})):
        assert time.monotonic() < deadline
        time.sleep(0.5)
