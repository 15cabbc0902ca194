"""The servers of a workspace that outlive a terminal: Prefect, MLflow, and the runner of the recipes' deployments."""

import importlib.util
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Any, Literal
from urllib.error import HTTPError
from urllib.request import urlopen

from flows.servers.login import AUTH, PASSWORD, login
from flows.servers.request_guard import LOOPBACK
from flows.servers.served import SERVED
from rl_core.errors import InputError
from rl_core.files import write_json
from tasks.process import is_alive, process_mark
from tasks.tracking.experiment_run import page
from tasks.workspace import ARTIFACTS, Workspace, named_address, read_json, sqlite_address

Name = Literal["prefect", "mlflow", "runner"]
NAMES: tuple[Name, ...] = ("prefect", "mlflow", "runner")
NAMED_BY = {"prefect": "PREFECT_API_URL", "mlflow": "MLFLOW_TRACKING_URI"}
PATIENCE = 150.0  # seconds; a fresh database is migrated first, slowly on a busy machine
GRACE = 28.0  # seconds: a runner that is stopped lets the stage it runs write its checkpoint, for which trainers have 20
QUIET = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # workers that judge by language models; each start would leave files in /dev/shm
    "GIT_PYTHON_REFRESH": "quiet",
}


class ServerError(InputError):
    """A server cannot be started; one line with the remedy."""


@dataclass(frozen=True)
class Listen:
    """Where servers listen."""

    host: str = "127.0.0.1"
    prefect_port: int = 4200
    mlflow_port: int = 5000


@dataclass(frozen=True)
class Running:
    """A server that was started here and is alive."""

    name: Name
    url: str
    mark: dict[str, Any] = field(repr=False)
    log: Path

    @property
    def page(self) -> str:
        """What a person opens in a browser."""
        return page(self.url) if self.name == "mlflow" else self.url


@dataclass(frozen=True)
class Servers:
    """Those of one workspace, remembered in `<workspace>/.servers`."""

    workspace: Workspace

    @property
    def folder(self) -> Path:
        return self.workspace.root / ".servers"

    def running(self, name: Name) -> Running | None:
        """A server of ours, if its process is alive."""
        record = read_json(self.folder / f"{name}.json")
        if not isinstance(record, dict) or not isinstance(record.get("url"), str) or not is_alive(record.get("mark", {})):
            return None
        return Running(name, record["url"], record["mark"], self.folder / f"{name}.log")

    def up(self, listen: Listen) -> Iterator[tuple[Name, str]]:
        """Start what is neither running nor named by the environment, and wait until it answers; yields each name and the page to open.

        Raises ServerError if a port is taken, a server ends or does not answer, or one would listen beyond loopback without a password.
        """
        from filelock import FileLock

        auth = _require_auth(listen)
        if listen.prefect_port == listen.mlflow_port:
            raise ServerError(f"--prefect-port and --mlflow-port are both {listen.prefect_port}; give two different ports")
        for address in NAMED_BY.values():  # before anything is started
            named_address(address)
        _ = self.workspace.mlflow_database
        self.workspace.create()
        self.folder.mkdir(mode=0o700, exist_ok=True)
        with FileLock(self.folder / ".up.lock"):
            starting = [
                self.running(name) or self._start(name, listen, auth) for name in ("prefect", "mlflow") if self._named(name) is None
            ]
            for server in starting:
                self._wait(server)
                yield server.name, server.page
            # The runner registers with Prefect as it starts, so it comes last.
            runner = self.running("runner") or self._start("runner", listen, auth)
            self._wait(runner)
            yield runner.name, runner.url

    def down(self) -> list[Name]:
        """Stop what `up` started, the runner first; returns what was stopped."""
        from tasks.process import end_group

        stopped = []
        for name in reversed(NAMES):
            if server := self.running(name):
                end_group(server.mark["pid"], GRACE)
                stopped.append(name)
            (self.folder / f"{name}.json").unlink(missing_ok=True)
        return stopped

    def healthy(self, server: Running) -> bool:
        if server.name == "runner":
            ready = read_json(self.folder / "runner.ready.json")
            return isinstance(ready, dict) and ready.get("pid") == server.mark["pid"]
        return answers(server.url, "/api" if server.name == "prefect" else "")

    def _named(self, name: Name) -> str | None:
        return named_address(NAMED_BY[name]) if name in NAMED_BY else None

    def _start(self, name: Name, listen: Listen, auth: str | None) -> Running:
        port = {"prefect": listen.prefect_port, "mlflow": listen.mlflow_port, "runner": 0}[name]
        if port:
            _require_port(name, listen.host, port)
        url = f"http://{'127.0.0.1' if listen.host == '0.0.0.0' else listen.host}:{port}" if port else "every recipe as a deployment"
        log = self.folder / f"{name}.log"
        command, environment = self._command(name, listen.host, port, auth is not None), self._environment(name, url, auth)
        with log.open("ab") as output:
            streams: Any = {"stdin": subprocess.DEVNULL, "stdout": output, "stderr": subprocess.STDOUT}
            process = subprocess.Popen(command, **streams, cwd=self.folder, env=environment, start_new_session=True)
        mark = process_mark(process.pid)
        write_json(self.folder / f"{name}.json", {"url": url, "mark": mark, "started": time.time()})
        return Running(name, url, mark, log)

    def _command(self, name: Name, host: str, port: int, guarded: bool) -> list[str]:
        python = [sys.executable, "-m"]
        match name:
            case "prefect":
                return [*python, "flows.servers.prefect_server", "--host", host, "--port", str(port)]
            case "mlflow":
                files = self.workspace.root / ARTIFACTS
                guard = ["--app-name", "basic-auth"] if guarded else []
                listen = ["--host", host, "--port", str(port), "--workers", "1", *guard]
                store = ["--backend-store-uri", self.workspace.mlflow_database]
                return [*python, "mlflow", "server", *store, "--artifacts-destination", str(files), *listen]
            case "runner":
                return [*python, "flows.deployments", str(self.workspace.root)]

    def _environment(self, name: Name, url: str, auth: str | None) -> dict[str, str]:
        # The folder in which this package was found goes first, so that servers find it in whatever directory they are started.
        paths = dict.fromkeys([str(Path(__file__).parents[2]), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))])
        environment = os.environ | QUIET | self.workspace.prefect_environment | {"PYTHONPATH": os.pathsep.join(paths)}
        if name == "prefect":
            environment.setdefault("PREFECT_UI_API_URL", f"{url}/api")  # its default is the default port
            if auth:
                environment["PREFECT_SERVER_API_AUTH_STRING"] = auth
        if auth and name == "mlflow":
            # With a login any name that leads here will do; only its own pages may change anything.
            own_pages = ",".join(f"http://{host}:{url.rpartition(':')[2]}" for host in _names_of_this_machine())
            environment = {"MLFLOW_SERVER_ALLOWED_HOSTS": "*", "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS": own_pages} | environment
            environment |= self._mlflow_login(auth)
        if name == "runner":
            environment[SERVED] = str(self.workspace.root)
            environment["PREFECT_API_URL"] = self._named("prefect") or f"{self._url('prefect')}/api"
        return environment

    def _mlflow_login(self, auth: str) -> dict[str, str]:
        """A configuration file for MLflow's login, readable by its owner alone; users are kept where runs are, or beside it."""
        user, _, password = auth.partition(":")
        database = self.workspace.mlflow_database
        if database.startswith("sqlite:"):
            database = sqlite_address(self.folder / "mlflow-auth.db")
        path = self.folder / "mlflow-auth.ini"
        path.touch(mode=0o600)
        password, database = (text.replace("%", "%%") for text in (password, database))  # in such a file % begins a reference
        path.write_text(
            f"[mlflow]\ndefault_permission = READ\ndatabase_uri = {database}\nadmin_username = {user}\nadmin_password = {password}\n"
        )
        return {"MLFLOW_AUTH_CONFIG_PATH": str(path), "MLFLOW_FLASK_SERVER_SECRET_KEY": os.urandom(32).hex()}

    def _url(self, name: Name) -> str:
        server = self.running(name)
        if server is None:
            raise ServerError(f"the {name} server ended as it started; see {self.folder / f'{name}.log'}")
        return server.url

    def _wait(self, server: Running) -> None:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and is_alive(server.mark):
            if self.healthy(server):
                return
            time.sleep(0.2)
        lines = server.log.read_text(errors="replace").split("\n") if server.log.exists() else []
        last = next((f" ({line.strip()[:200]})" for line in reversed(lines) if line.strip()), "")
        how = "does not answer" if is_alive(server.mark) else "ended as it started"
        raise ServerError(f"the {server.name} server {how}{last}; see {server.log}")


def answers(url: str, path: str = "") -> bool:
    """Whether a Prefect API or an MLflow server answers at an address."""
    try:
        with urlopen(f"{url.rstrip('/')}{path}/health", timeout=5):
            return True
    except HTTPError as error:
        return error.code < 500  # a server that asks for a login is up
    except (OSError, ValueError, HTTPException):  # the last for an address with a wrong port
        return False


def _names_of_this_machine() -> list[str]:
    """Its names and addresses, as a browser writes them."""
    import psutil

    addresses = [entry.address for entries in psutil.net_if_addrs().values() for entry in entries if entry.family == socket.AF_INET]
    return sorted({socket.gethostname(), socket.getfqdn(), "localhost", *addresses})


def _require_auth(listen: Listen) -> str | None:
    auth = login()
    if auth is None and listen.host in LOOPBACK:
        return None
    if auth is None:
        raise ServerError(
            f"--host {listen.host}: servers that others can reach need a login; set {AUTH}=user:password (at least {PASSWORD} characters), "
            "or leave --host out"
        )
    if importlib.util.find_spec("flask_wtf") is None:
        raise ServerError(f"{AUTH}: MLflow's login needs a package that is missing: pip install 'r1flow[servers]'")
    return auth


def _require_port(name: Name, host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with closing(socket.socket(family, socket.SOCK_STREAM)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ServerError(f"port {port} on {host}: {error.strerror}; give another one by --{name}-port") from error
