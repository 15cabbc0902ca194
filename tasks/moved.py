"""A workspace that was moved or copied: MLflow's database and the notes of stages and runs name places in it by absolute paths."""

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tasks.stage.records import MLFLOW, read_record
from tasks.workspace import ARTIFACTS, Workspace, write_record

PLACES = (  # tables and columns of MLflow's database with addresses of files
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "storage_location"),
    ("model_versions", "source"),
)


def follow_move(workspace: Workspace) -> list[Path]:
    """Change what names the places where the workspace was before to those where it is; returns the former.

    Only the workspace's own database is changed, one after another with whoever else starts (the caller holds `mlflow_lock` for that).
    """
    database = workspace.mlflow_file
    if workspace.tracking_uri != workspace.own_mlflow_database or not database.exists():
        return []
    with closing(sqlite3.connect(database, timeout=20)) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if "experiments" not in tables:  # not MLflow's yet
            return []
        locations = connection.execute("SELECT artifact_location FROM experiments").fetchall()
        left = sorted({root for (location,) in locations if (root := _root_of(location)) not in (None, workspace.root)})
        for root in left:
            before, now = (f"{place.as_uri()}/{ARTIFACTS}/" for place in (root, workspace.root))
            for table, column in PLACES:
                if table in tables:
                    connection.execute(
                        f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE substr({column}, 1, ?) = ?",
                        (now, len(before) + 1, len(before), before),
                    )
        connection.commit()
    former = {Workspace(root).own_mlflow_database for root in left}
    for path in [*workspace.root.glob(f"*/*/{MLFLOW}"), *workspace.run_records()] if left else []:
        content = read_record(path) or {}
        notes = content if path.name == MLFLOW else content.get("mlflow")
        if notes and notes.get("tracking_uri") in former:
            notes["tracking_uri"] = workspace.tracking_uri
            write_record(path, content)
    return left


def _root_of(location: str) -> Path | None:
    """The workspace in which an experiment's artifacts are; None for one that r1flow did not make."""
    parts = urlsplit(location)
    path = Path(unquote(parts.path))
    return path.parent.parent if parts.scheme == "file" and path.parent.name == ARTIFACTS else None
