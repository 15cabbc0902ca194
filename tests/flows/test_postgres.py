"""Prefect and MLflow on a PostgreSQL of their own, behind a login; addresses that would show a password."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tasks.workspace import Workspace, WorkspaceError
from tests.end_to_end.command import plain_environment

ROOT = Path(__file__).parents[2]
MINI = ROOT / "tests" / "fixtures" / "mini.yaml"


@pytest.mark.parametrize(
    ("name", "address", "instead"),
    [
        (
            "MLFLOW_TRACKING_URI",
            "http://me:secret@host:5000",
            "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN",
        ),
        ("MLFLOW_TRACKING_URI", "postgresql://me:secret@host/mlflow", "PGPASSWORD or a ~/.pgpass file"),
        ("MLFLOW_BACKEND_STORE_URI", "postgresql://me:secret@host/mlflow", "PGPASSWORD or a ~/.pgpass file"),
        ("MLFLOW_BACKEND_STORE_URI", "postgresql://me@host/mlflow?password=secret", "PGPASSWORD or a ~/.pgpass file"),
    ],
)
def test_an_address_with_a_password_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, address: str, instead: str) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv(name, address)
    with pytest.raises(
        WorkspaceError, match=f"^{name} holds a password or a query, and would show it in records and pages; give a password by {instead}$"
    ):
        print(Workspace(Path("/runs")).tracking_uri)


@pytest.mark.parametrize(
    ("name", "instead"), [("PREFECT_API_URL", "PREFECT_API_AUTH_STRING"), ("RAY_ADDRESS", "RAY_AUTH_MODE=token and RAY_AUTH_TOKEN")]
)
def test_other_addresses_with_a_password_are_refused_without_showing_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, instead: str
) -> None:
    changes = ["--set", "warm.resources.ray=true"] if name == "RAY_ADDRESS" else []
    done = subprocess.run(
        [sys.executable, "-m", "flows.cli", "run", str(MINI), *changes, "--workspace", str(tmp_path / "runs")],
        cwd=ROOT,
        env=plain_environment() | {name: "http://me:geheimnis@127.0.0.1:1/api"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (
        2,
        f"error: {name} holds a password or a query, and would show it in records and pages; give a password by {instead}\n",
    )
    assert "geheimnis" not in done.stdout


@pytest.fixture
def postgres(free_port: Callable[[], int]) -> Iterator[str]:
    """`host:port` of a server with the databases `prefect` and `mlflow`, and a user `r1flow` whose password PGPASSWORD holds."""
    for program in ("initdb", "pg_ctl"):
        if shutil.which(program) is None:
            pytest.skip(f"PostgreSQL is not installed: no {program} on the PATH")
    for package in ("psycopg2", "flask_wtf"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed: pip install 'r1flow[servers]'")
    user = {"user": "postgres"} if os.geteuid() == 0 else {}  # it refuses to run as root
    directory = Path(tempfile.mkdtemp())
    patch = pytest.MonkeyPatch()
    patch.setenv("PGPASSWORD", "of-a-test-alone")
    try:
        (directory / "password").write_text(os.environ["PGPASSWORD"])
        if user:
            owner = pwd.getpwnam("postgres")
            for path in (directory, directory / "password"):
                os.chown(path, owner.pw_uid, owner.pw_gid)
        port, data = free_port(), str(directory / "data")
        options = ["-U", "r1flow", "-A", "scram-sha-256", f"--pwfile={directory / 'password'}", "--no-sync"]
        subprocess.run(["initdb", "-D", data, *options], check=True, capture_output=True, cwd="/", **user)
        listen = f"-h 127.0.0.1 -p {port} -k {directory} -c fsync=off"
        subprocess.run(
            ["pg_ctl", "-D", data, "-l", f"{data}/log", "-w", "-o", listen, "start"], check=True, stdout=subprocess.DEVNULL, cwd="/", **user
        )
        try:
            for name in ("prefect", "mlflow"):
                execute(f"127.0.0.1:{port}", "postgres", f"CREATE DATABASE {name}")
            yield f"127.0.0.1:{port}"
        finally:
            subprocess.run(["pg_ctl", "-D", data, "-m", "immediate", "stop"], check=True, stdout=subprocess.DEVNULL, cwd="/", **user)
    finally:
        patch.undo()
        shutil.rmtree(directory)


def execute(host: str, database: str, sql: str) -> list[tuple[object, ...]]:
    import psycopg2

    with closing(psycopg2.connect(f"postgresql://r1flow@{host}/{database}")) as connection:
        connection.autocommit = True
        cursor = connection.cursor()
        cursor.execute(sql)
        return list(cursor.fetchall()) if cursor.description else []


@pytest.mark.xdist_group("engines")  # whose tests look for what is left in /dev/shm, where PostgreSQL keeps something, too
@pytest.mark.slow
def test_a_run_is_kept_in_postgresql_behind_a_login(postgres: str, tmp_path: Path, free_port: Callable[[], int]) -> None:
    prefect, mlflow = free_port(), free_port()
    known = plain_environment()
    known |= {
        "R1FLOW_AUTH": "ada:a-long-password",
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"postgresql+asyncpg://r1flow@{postgres}/prefect",
        "MLFLOW_BACKEND_STORE_URI": f"postgresql://r1flow@{postgres}/mlflow",
    }

    def r1flow(*arguments: object, **more: str) -> str:
        command = [sys.executable, "-m", "flows.cli", *map(str, arguments), "--workspace", str(tmp_path)]
        done = subprocess.run(command, cwd=ROOT, env=known | more, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    try:
        r1flow("up", "--prefect-port", prefect, "--mlflow-port", mlflow)
        for url in (f"http://127.0.0.1:{prefect}/api/flow_runs/filter", f"http://127.0.0.1:{mlflow}/api/2.0/mlflow/experiments/search"):
            with pytest.raises(urllib.error.HTTPError, match="401"):
                urllib.request.urlopen(urllib.request.Request(url, b"{}", {"content-type": "application/json"}), timeout=30)
        # Through both servers, for which the login is in the same variable.
        r1flow("run", MINI, "--until", "cold", MLFLOW_TRACKING_URI=f"http://127.0.0.1:{mlflow}")
    finally:
        r1flow("down")
    assert execute(postgres, "prefect", "SELECT state_type FROM flow_run") == [("COMPLETED",)]
    assert execute(postgres, "mlflow", "SELECT name FROM experiments WHERE name = 'mini'") == [("mini",)]
    steps = execute(postgres, "mlflow", "SELECT DISTINCT step FROM metrics WHERE key = 'loss' ORDER BY step")
    assert steps == [(1,), (2,), (3,)]
    assert execute(postgres, "mlflow", "SELECT username FROM users") == [("ada",)]
    assert [path for path in tmp_path.rglob("*.db*") if path.is_file()] == []
    for path in tmp_path.rglob("*.log"):
        assert "a-long-password" not in path.read_text(errors="replace")
