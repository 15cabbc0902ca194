from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from tasks.kinds.report import where_to_look
from tasks.workspace import Workspace, make_addresses_absolute, sqlite_address

NAMES = ["runs", "two words", "what?", "a?b=c&d", "läufe", "工作区", "a#b%20c&d=e", "100%", "it's; [one]", 'a "b" $HOME']


@pytest.mark.parametrize("name", NAMES)
def test_a_database_lies_where_its_workspace_does_whatever_that_is_called(tmp_path: Path, name: str) -> None:
    workspace = Workspace.at(tmp_path / name)
    workspace.create()
    for file, address in (
        (workspace.mlflow_file, workspace.tracking_uri),
        (workspace.root / "other.db", sqlite_address(workspace.root / "other.db")),
    ):
        with create_engine(address).begin() as connection:
            connection.execute(text("CREATE TABLE made (here INTEGER)"))
        assert file.exists()
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", NAMES)
def test_the_commands_that_a_report_names_are_words_of_a_shell(tmp_path: Path, name: str) -> None:
    workspace = Workspace(tmp_path / name)
    mlflow, sql = (shlex.split(place["where"]) for place in where_to_look(workspace))
    assert mlflow == ["mlflow", "ui", "--backend-store-uri", workspace.tracking_uri]
    assert sql[:4] == ["r1flow", "sql", "--workspace", str(workspace.root)]
    assert len(sql) == 5


def test_prefects_database_is_named_only_where_its_own_address_would_be_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "PREFECT_SERVER_DATABASE_CONNECTION_URL"
    monkeypatch.delenv(name, raising=False)
    assert Workspace(tmp_path / "runs").prefect_environment == {"PREFECT_HOME": f"{tmp_path}/runs/.prefect"}
    database = Workspace(tmp_path / "what?").prefect_environment[name]
    assert database == f"sqlite+aiosqlite:///file:{tmp_path}/what%3F/.prefect/prefect.db?uri=true"
    monkeypatch.setenv(name, "postgresql+asyncpg://host/prefect")
    assert Workspace(tmp_path / "what?").prefect_environment[name] == "postgresql+asyncpg://host/prefect"


@pytest.mark.parametrize("name", ["MLFLOW_TRACKING_URI", "MLFLOW_BACKEND_STORE_URI"])
@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("sqlite:///mlflow.db", "sqlite:///{here}/mlflow.db"),
        ("sqlite:///./a/mlflow.db", "sqlite:///{here}/a/mlflow.db"),
        ("sqlite:///what?.db", "sqlite:///file:{here}/what%3F.db?uri=true"),
        ("sqlite:////abs/mlflow.db", "sqlite:////abs/mlflow.db"),
        ("sqlite:///:memory:", "sqlite:///:memory:"),
        ("mlruns", "file://{here}/mlruns"),
        ("./two words", "file://{here}/two%20words"),
        ("/abs/mlruns", "file:///abs/mlruns"),
        ("http://localhost:5000", "http://localhost:5000"),
        ("postgresql://db/mlflow", "postgresql://db/mlflow"),
        ("databricks", "databricks"),
    ],
)
def test_an_address_from_the_current_directory_is_made_absolute(
    name: str, given: str, meant: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(name, given)
    make_addresses_absolute()
    assert os.environ[name] == meant.format(here=tmp_path)
