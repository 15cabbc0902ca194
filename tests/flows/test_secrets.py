"""A secret in every place where an address can be given: it is in no output and in no file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from flows.cli import main

FIXTURES = Path(__file__).parents[1] / "fixtures"
MINI = str(FIXTURES / "mini.yaml")
RUN = ["run", MINI]
EVALUATE = ["evaluate", "m", "--engine", "openai", "--benchmarks", "gsm8k", "--data-dir", str(FIXTURES / "data")]
ON_RAY = ["--set", "warm.resources.ray=true"]
SECRET = "geheimnis"
OF_WEB = [
    "http://me:{}@127.0.0.1:1/v1",
    "http://{}@127.0.0.1:1/v1",
    "http://me:a/{}@127.0.0.1:1",
    "http://me:a?{}@127.0.0.1:1",
    "http://me:a#{}@127.0.0.1:1",
    "http://me%3A{}%40127.0.0.1:1",
    "http://127.0.0.1:1/v1?password={}",
    "http://127.0.0.1:1/v1?X-Amz-Signature={}",
    "http://127.0.0.1:1/v1?{}",
    "http://127.0.0.1:1/v1#{}",
    "http://me:{}@[::1",
    "htp://me:{}@127.0.0.1:1",
    "me:{}@127.0.0.1:1",
    "{}@127.0.0.1:1",
]
OF_DATABASES = [
    "postgresql://me:{}@127.0.0.1:1/db",
    "postgresql://me:a/{}@127.0.0.1:1/db",
    "postgresql://me%3A{}@127.0.0.1:1/db",
    "postgresql://127.0.0.1:1/db?password={}",
    "postgresql://127.0.0.1:1/db?pass%77ord={}",
    "postgresql://127.0.0.1:1/db?sslpassword={}",
    "postgresql+psycopg2://127.0.0.1:1/db#token={}",
    "mysql+pymysql://me:{}@127.0.0.1:1/db",
    "sqlite+pysqlcipher://:{}@/x.db",
]


def r1flow(workspace: Path, *arguments: str) -> Result:
    result = CliRunner().invoke(main, [*arguments, "--workspace", str(workspace)])
    assert result.exit_code != 0, result.output
    assert isinstance(result.exception, SystemExit), result.exception
    for text in (result.output, result.stderr):
        assert SECRET not in text
    for path in workspace.rglob("*"):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes(), path
    return result


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Without the settings of whoever runs this, and with those that commands make undone."""
    for name in list(os.environ):
        if name.startswith(("MLFLOW_", "PREFECT_", "R1FLOW_", "RAY_")):
            monkeypatch.delenv(name)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "")
    monkeypatch.setattr("sys.excepthook", print)
    return monkeypatch


@pytest.mark.parametrize("address", OF_WEB)
def test_of_web_addresses(clean: pytest.MonkeyPatch, tmp_path: Path, address: str) -> None:
    given = address.format(SECRET)
    for arguments in (
        [*EVALUATE, "--base-url", given],
        [*RUN, "--set", "scores.engine=openai", "--set", f"scores.resources.base_url={given!r}"],
        [*RUN, *ON_RAY, "--set", f"warm.resources.cluster={given!r}"],
        *([["evaluate", given, "--benchmarks", "gsm8k"], ["evaluate", given, *EVALUATE[2:]]] if "://" in given else []),
        [*RUN, "--set", f"model={given!r}"],
    ):
        assert "error: " in r1flow(tmp_path, *arguments).stderr
    for variable, commands in (
        ("PREFECT_API_URL", [RUN, ["up"], ["doctor"]]),
        ("MLFLOW_TRACKING_URI", [["up"], ["doctor"]]),
        ("RAY_ADDRESS", [[*RUN, *ON_RAY], ["doctor"]]),
        ("HF_ENDPOINT", [RUN, ["evaluate", "a/b", "--benchmarks", "gsm8k"]]),
    ):
        with clean.context() as patch:
            patch.setenv(variable, given)
            for arguments in commands:
                assert f"{variable} holds a password or a query" in r1flow(tmp_path, *arguments).output


@pytest.mark.parametrize("address", OF_DATABASES)
@pytest.mark.parametrize("variable", ["MLFLOW_BACKEND_STORE_URI", "MLFLOW_TRACKING_URI"])
def test_of_databases(clean: pytest.MonkeyPatch, tmp_path: Path, variable: str, address: str) -> None:
    clean.setenv(variable, address.format(SECRET))
    assert r1flow(tmp_path, "up").stderr.startswith(f"error: {variable} holds a password or a query")


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "http://me:{}@127.0.0.1:1/x.yaml"],
        [*RUN, "--data-dir", "http://me:{}@127.0.0.1:1/x", "--set", "puzzles.source=files"],
        [*RUN, "--set", "scores.resources.base_urll=http://me:{}@127.0.0.1:1"],
        [*RUN, "--set", "nothing.resources.base_url=http://me:{}@127.0.0.1:1"],
        [*RUN, "--set", "warm.resources.cluster=[http://me:{}@127.0.0.1:1]"],
        [*RUN, "--set", "seed=http://me:{}@127.0.0.1:1"],
        ["import", "http://me:{}@127.0.0.1:1/x.tar"],
        ["analyze", "http://me:{}@127.0.0.1:1/x.jsonl"],
        ["sql", "ATTACH 'postgres://me:{}@127.0.0.1:1/db' AS p (TYPE postgres)"],
        ["promote", "http://me:{}@127.0.0.1:1/x"],
    ],
)
def test_of_addresses_where_none_belongs(clean: pytest.MonkeyPatch, tmp_path: Path, arguments: list[str]) -> None:
    r1flow(tmp_path, *(argument.format(SECRET) if "{}" in argument else argument for argument in arguments))


def test_of_the_environment(clean: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in (
        ("R1FLOW_AUTH", SECRET),
        ("OPENAI_API_KEY", f"sk-{SECRET}\nx"),
        ("ALL_PROXY", f"socks9://me:{SECRET}@127.0.0.1:1"),
    ):
        with clean.context() as patch:
            patch.setenv(name, value)
            assert name in r1flow(tmp_path, *EVALUATE, "--base-url", "http://127.0.0.1:1/v1", "--limit", "1").stderr
