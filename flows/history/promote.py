"""Names for checkpoints: `NAME@alias` in MLflow's registry, and in the workspace, where `r1flow gc` respects them."""

import re
from pathlib import Path
from typing import Any

from filelock import FileLock

from flows.history.lineage import Subject
from rl_core.errors import InputError
from tasks.moved import follow_move
from tasks.stage.records import MLFLOW, read_record
from tasks.workspace import Workspace, read_sealed, write_record

NAMES = re.compile(r"[A-Za-z0-9][\w.-]*@[A-Za-z][\w.-]*")
VERSION_LIKE = re.compile(r"v\d+", re.IGNORECASE)  # MLflow keeps such aliases for itself


def promoted(workspace: Workspace) -> dict[str, dict[str, Any]]:
    """What is promoted, by `NAME@alias`. Raises InputError if the list is there and cannot be read."""
    path = promoted_file(workspace)
    found: Any = read_sealed(path) if path.exists() else {}
    entries = found.values() if isinstance(found, dict) else [None]
    if not all(isinstance(entry, dict) and all(isinstance(entry.get(key), str) for key in ("stage", "checkpoint")) for entry in entries):
        raise InputError(f"{path}: cannot be read; bring it back from a backup, or remove it and promote again what has a name in MLflow")
    return found


def promote(workspace: Workspace, subject: Subject, target: str, facts: dict[str, str] | None = None) -> dict[str, Any]:
    """Give a checkpoint a name and an alias; an alias of another checkpoint is moved. Returns what is recorded of it, `facts` included.

    Raises:
        InputError: no such checkpoint, one that is damaged, one that MLflow does not know, a name it does not take.
    """
    from rl_core.training.checkpoint import verify

    if not NAMES.fullmatch(target) or VERSION_LIKE.fullmatch(target.partition("@")[2]) or target.endswith("@latest"):
        raise InputError(f"{target}: write NAME@alias, such as quickstart@best, of letters, digits, '.', '_' and '-'")
    made = subject.stage
    checkpoint = subject.weights()
    if not verify(checkpoint, to_train=False):
        raise InputError(f"{checkpoint}: does not match its digests; run the stage again, or name another checkpoint")
    with FileLock(workspace.mlflow_lock):
        follow_move(workspace)
    notes = read_record(made.directory / MLFLOW) or {"models": {}}
    model = notes["models"].get(checkpoint.relative_to(made.directory).as_posix())
    if model is None or notes["tracking_uri"] != workspace.tracking_uri:
        raise InputError(
            f"{checkpoint}: MLflow at {workspace.tracking_uri} does not know it yet; send it: r1flow resume {made.spec['experiment']}"
        )
    name, _, alias = target.partition("@")
    entry = {
        "checkpoint": str(checkpoint.relative_to(workspace.root)),
        "stage": str(made.directory.relative_to(workspace.root)),
        "model": model,
        "version": _register(workspace.tracking_uri, name, alias, model),
        **(facts or {}),
    }
    write_record(promoted_file(workspace), promoted(workspace) | {target: entry})
    return entry


def _register(uri: str, name: str, alias: str, model: str) -> str:
    """A version of the registered model, the old one if this checkpoint has one; returns its number."""
    import mlflow
    from mlflow.exceptions import MlflowException

    mlflow.set_tracking_uri(uri)  # the registry asks for the model by a client of its own
    client = mlflow.MlflowClient(uri)
    try:
        client.get_registered_model(name)
    except MlflowException:
        client.create_registered_model(name)
    known = {version.source: version.version for version in client.search_model_versions(f"name = '{name}'")}
    source = f"models:/{model}"
    version = known.get(source) or client.create_model_version(name, source, model_id=model).version
    client.set_registered_model_alias(name, alias, version)
    return str(version)


def promoted_file(workspace: Workspace) -> Path:
    return workspace.root / ".promoted.json"
