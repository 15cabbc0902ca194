"""The one directory under which everything is kept: stages, the SQL warehouse, and the embedded Prefect and MLflow."""

import json
import os
import shutil
import stat
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

from rl_core.addresses import holds_secret
from rl_core.errors import InputError
from rl_core.files import write_json
from rl_core.seal import sealed, unseal

RECORDS = "runs"  # folder of an experiment in which its runs are recorded
ARTIFACTS = ".mlflow-artifacts"  # folder of MLflow's files
PREFECT_DATABASE = "PREFECT_SERVER_DATABASE_CONNECTION_URL"
INSTEAD = {  # where the secret of an address in the environment is to be given
    "HF_ENDPOINT": "HF_TOKEN",
    "MLFLOW_BACKEND_STORE_URI": "PGPASSWORD or a ~/.pgpass file",
    "MLFLOW_TRACKING_URI": "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN",
    "PREFECT_API_URL": "PREFECT_API_AUTH_STRING",
    "RAY_ADDRESS": "RAY_AUTH_MODE=token and RAY_AUTH_TOKEN",
}
RESERVED = {"cells", "comparisons", "evaluations", "queries"}  # folders of a workspace that are no experiments
NO_PATHS = {"databricks", "databricks-uc", "uc"}  # addresses of MLflow without a colon that are no directories
OF_OTHERS = "it belongs to {}, who has not given you the right; ask for the right"


class WorkspaceError(InputError):
    """The workspace cannot be used; the message names the directory and the remedy."""


@dataclass(frozen=True)
class Workspace:
    """Paths below the workspace's root, which is absolute."""

    root: Path

    @classmethod
    def at(cls, root: Path) -> Self:
        """Raises WorkspaceError if it exists and may not be read."""
        root = root.expanduser().resolve()
        if root.is_dir() and not os.access(root, os.R_OK | os.X_OK, effective_ids=True):
            raise WorkspaceError(f"workspace {root}: {OF_OTHERS.format(owner_of(root))} to read it, or give another --workspace")
        return cls(root)

    @property
    def warehouse(self) -> Path:
        """The responses of every experiment, for `r1flow sql`."""
        return self.root / "warehouse.duckdb"

    @property
    def replies(self) -> Path:
        """What judges have answered, whatever stage or command asked them."""
        return self.root / ".judge.sqlite"

    @property
    def cells(self) -> Path:
        """Finished cells of evaluations (a checkpoint on a benchmark each) of all stages and commands."""
        return self.root / "cells"

    @property
    def digests(self) -> Path:
        return self.root / ".digests.json"

    @property
    def prefect_home(self) -> Path:
        return self.root / ".prefect"

    @property
    def prefect_file(self) -> Path:
        return self.prefect_home / "prefect.db"

    @property
    def prefect_environment(self) -> dict[str, str]:
        """Variables that have Prefect keep all in the workspace, unless another database is named."""
        home = {"PREFECT_HOME": str(self.prefect_home)}
        if "?" in str(self.root):  # which Prefect's own address of its file does not survive
            home[PREFECT_DATABASE] = os.environ.get(PREFECT_DATABASE) or sqlite_address(self.prefect_file, "sqlite+aiosqlite")
        return home

    @property
    def tracking_uri(self) -> str:
        """MLflow's server where one is named, else its database. Raises WorkspaceError if the address holds a password."""
        return named_address("MLFLOW_TRACKING_URI") or self.mlflow_database

    @property
    def tracking_server(self) -> str | None:
        """Address of the MLflow server that keeps the runs, if it is not a database."""
        return self.tracking_uri if self.tracking_uri.startswith("http") else None

    @property
    def mlflow_database(self) -> str:
        """The database that is named, else a SQLite file; absolute, for MLflow takes a relative one from the current directory.

        Raises WorkspaceError if the address holds a password.
        """
        return named_address("MLFLOW_BACKEND_STORE_URI") or self.own_mlflow_database

    @property
    def own_mlflow_database(self) -> str:
        return sqlite_address(self.mlflow_file)

    @property
    def mlflow_file(self) -> Path:
        return self.root / "mlflow.db"

    def artifacts(self, experiment: str) -> str:
        """Where MLflow keeps an experiment's files when no server does."""
        return (self.root / ARTIFACTS / experiment).as_uri()

    @property
    def mlflow_lock(self) -> Path:
        """Held while MLflow's database is made, migrated or changed."""
        return self.root / ".mlflow.lock"

    def experiments(self) -> list[str]:
        """Names of the experiments that have ever run here."""
        return sorted({path.parent.parent.name for path in self.root.glob("*/*/spec.json")})

    def run_records(self, experiment: str = "*") -> list[Path]:
        """`<experiment>/runs/<time>.json` of every run, in the order of time within an experiment."""
        return sorted(self.root.glob(f"{experiment}/{RECORDS}/*.json"))

    def create(self, *inside: Path) -> None:
        """Make the directory and try to write in it.

        Args:
            inside: files and directories of it that will be written, too, where they are there.

        Raises:
            WorkspaceError: it is no directory, or cannot be written.
        """
        probe = self.root / f".writable-{uuid.uuid4().hex}"
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            probe.write_text("")
            probe.unlink()
        except OSError as error:
            raise WorkspaceError(f"workspace {self.root}: {error.strerror}; give a directory you can write by --workspace") from error
        for path in inside:
            if path.exists():
                self.require_writable(path, "another --workspace")

    def require_writable(self, path: Path, instead: str) -> None:
        """Raises WorkspaceError if nothing can be written to a path in the workspace; `instead`: what else can be given."""
        if why := why_not_writable(path):
            raise WorkspaceError(f"workspace {self.root}: {why}, or give {instead}")

    def require_space(self, needed: int) -> None:
        """Raises WorkspaceError if less than `needed` bytes are free."""
        existing = next(path for path in (self.root, *self.root.parents) if path.exists())
        free = shutil.disk_usage(existing).free
        if free < needed:
            raise WorkspaceError(
                f"workspace {self.root}: {free / 1e9:,.1f} GB free, this run writes about {needed / 1e9:,.1f} GB; "
                "free space, or give another --workspace"
            )


def make_addresses_absolute() -> None:
    """Make the relative addresses of MLflow in the environment absolute: servers and runners work in other directories."""
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_BACKEND_STORE_URI"):
        address = os.environ.get(name, "")
        file = address.removeprefix("sqlite:///")
        if file != address and file and not file.startswith(("/", "file:", ":memory:")):
            os.environ[name] = sqlite_address(Path(file).resolve())
        elif address and ":" not in address and address not in NO_PATHS:
            os.environ[name] = Path(address).resolve().as_uri()


def owner_of(path: Path) -> str:
    """The name of a file's owner, or the number where this machine has no name for it."""
    try:
        return path.owner()
    except KeyError:
        return f"user {path.stat().st_uid}"


def why_not_writable(path: Path) -> str | None:
    """Why nothing can be written to a path, be it there or not, as the beginning of a sentence; None if it can."""
    place = path.absolute()
    while not place.exists():
        place = place.parent
    if place != path.absolute() and not place.is_dir():
        return f"{place} is no directory; remove it"
    regular = stat.S_ISREG(place.stat().st_mode)
    for wanted in (place, place.parent) if regular else (place,):  # a file is written beside itself and renamed
        if os.statvfs(wanted).f_flag & os.ST_RDONLY and not stat.S_ISCHR(wanted.stat().st_mode):
            return f"{wanted} is on a disk that is mounted read-only; mount it anew"
        if not os.access(wanted, os.W_OK | (os.X_OK if wanted.is_dir() else 0), effective_ids=True):
            return f"{wanted}: {OF_OTHERS.format(owner_of(wanted))}"
    return None


def named_address(name: str) -> str | None:
    """An address in the environment, which records and pages may show; None where there is none.

    Raises WorkspaceError if it holds a password or a token.
    """
    address = os.environ.get(name)
    if address and holds_secret(address):
        of_database = name == "MLFLOW_TRACKING_URI" and not address.lower().startswith("http")
        instead = INSTEAD["MLFLOW_BACKEND_STORE_URI" if of_database else name]
        raise WorkspaceError(f"{name} holds a password or a query, and would show it in records and pages; give a password by {instead}")
    return address or None


def sqlite_address(path: Path, driver: str = "sqlite") -> str:
    """SQLAlchemy's address of a SQLite file. A `?` in its path would begin the options, so such a path is written as a URI."""
    return f"{driver}:///file:{quote(str(path))}?uri=true" if "?" in str(path) else f"{driver}:///{path}"


def write_record(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON object in one piece, with its own digest as its last entry."""
    write_json(path, sealed(content))


def read_sealed(path: Path) -> dict[str, Any] | None:
    """What `write_record` wrote, without the digest; None if it is missing, broken, or does not match it. Older files have none."""
    return unseal(read_json(path))


def read_json(path: Path) -> Any:
    """The content of a JSON file; None if it is missing or broken.

    Raises PermissionError if it may not be read, which says nothing of what is in it.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except PermissionError:
        raise
    except (OSError, ValueError, RecursionError):
        return None
