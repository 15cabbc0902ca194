"""Prefect's API as the workspace's own: a server process for the time of a run, its database in the workspace.

Prefect can start such a server by itself, but in the terminal's process group: Ctrl-C then kills it first, and the client asks it for
minutes how the interrupted run should be recorded. Ours lives in a session of its own, and ends with the process that started it.
"""

import argparse
import atexit
import ctypes
import gc
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from typing import Any

from flows.servers.daemons import QUIET, Servers, answers
from tasks.workspace import Workspace, WorkspaceError, named_address

LEAST = 10_000_000  # bytes that its database needs
PATIENCE = 120.0  # seconds; the first start migrates a fresh database, slowly on a busy machine
CLIENT = {
    "PREFECT_LOGGING_INTERNAL_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",  # our own lines say what happens; Prefect's are kept by its API
    "PREFECT_CLIENT_MAX_RETRIES": "2",  # 6 s; the default waits a minute, at every request, for a server that is gone
}
DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of prctl(2)


def has_server() -> bool:
    """Whether a Prefect server is named by PREFECT_API_URL. Raises WorkspaceError if the address holds a password."""
    return named_address("PREFECT_API_URL") is not None


class PrefectServer:
    """The server of a workspace: `start` it before Prefect is imported, which reads the environment once, and `wait` before the first use.

    With PREFECT_API_URL set, or a server of `r1flow up`, it starts nothing. It stops when the interpreter exits, after
    Prefect has sent its last logs.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._process: subprocess.Popen[bytes] | None = None
        self._log = workspace.prefect_home / "server.log"
        self._url = ""

    def start(self) -> None:
        """Start the server, which takes seconds; there is work to do meanwhile."""
        for name, value in {**QUIET, **CLIENT}.items():
            os.environ.setdefault(name, value)
        running = Servers(self._workspace).running("prefect")
        if running and not has_server():  # of `r1flow up`: two servers on one database would lock each other out
            os.environ["PREFECT_API_URL"] = f"{running.url}/api"
        if has_server():
            return
        os.environ |= self._workspace.prefect_environment
        self._workspace.prefect_home.mkdir(parents=True, exist_ok=True)
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener, self._log.open("wb") as log:
            listener.bind(("127.0.0.1", 0))
            listener.listen(128)
            self._url = f"http://127.0.0.1:{listener.getsockname()[1]}/api"
            self._process = subprocess.Popen(
                [sys.executable, "-m", "flows.servers.prefect_server", "--listener", str(listener.fileno()), "--parent", str(os.getpid())],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=[listener.fileno()],
                start_new_session=True,
            )
        os.environ["PREFECT_API_URL"] = self._url
        atexit.register(self._stop)  # the last registered is called first: Prefect's own come before

    def wait(self) -> None:
        """Return when the server answers.

        Raises WorkspaceError if it ended, or does not answer in time, or the disk is full; or the server that is named does not answer.
        """
        if self._process is None:
            named = os.environ["PREFECT_API_URL"]
            if not answers(named):
                raise WorkspaceError(f"no Prefect server answers at {named}; start it, or unset PREFECT_API_URL for an embedded one")
            return
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self._process.poll() is None:
            if answers(self._url):
                return
            time.sleep(0.1)
        if shutil.disk_usage(self._workspace.root).free < LEAST:  # then its log has no room for the reason either
            raise WorkspaceError(f"the disk of {self._workspace.root} is full; make room, and the same command goes on")
        raise WorkspaceError(
            f"Prefect's server for {self._workspace.root} did not start; see {self._log}, or name a running one by PREFECT_API_URL"
        )

    def answers(self) -> bool:
        """Whether the server that is used still answers."""
        return answers(os.environ["PREFECT_API_URL"])

    def _stop(self) -> None:
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _serve(*, ephemeral: bool, sockets: list[socket.socket] | None = None, **listen: Any) -> None:
    """Prefect's server behind the guard. Of this Prefect home one at a time makes or migrates the database first.

    Args:
        ephemeral: without the UI and the services that only matter beyond a run.
    """
    gc.set_threshold(50_000)  # new objects; with Python's 700 a quarter of the time of imports goes into looking for garbage
    import uvicorn
    from filelock import FileLock
    from prefect.server.api.server import create_app
    from prefect.settings import PREFECT_HOME

    from flows.servers.request_guard import RequestGuard

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            # Several first runs at once would all create the same tables.
            with FileLock(PREFECT_HOME.value() / ".start.lock"):
                await super().startup(sockets)

    app = create_app(ephemeral=ephemeral)
    app.add_middleware(RequestGuard, guarded_by_login=bool(os.environ.get("PREFECT_SERVER_API_AUTH_STRING")))
    Server(uvicorn.Config(app, log_level="error", lifespan="on", **listen)).run(sockets=sockets)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parent", type=int, help="of a run's server: its number")
    parser.add_argument("--listener", type=int, help="of a run's server: the inherited socket")
    parser.add_argument("--host")
    parser.add_argument("--port", type=int)
    options = parser.parse_args()
    if not options.parent:
        _serve(ephemeral=False, host=options.host, port=options.port)
    else:  # a run's server, for as long as the run lives
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGTERM)
        if os.getppid() == options.parent:
            _serve(ephemeral=True, sockets=[socket.socket(fileno=options.listener)])
