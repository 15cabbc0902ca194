"""MLflow: a run per experiment run, a child per stage, data sets as inputs, checkpoints as models whose scores hang on them.

Summaries, curves and links only: checkpoints and responses stay where they are. MLflow takes seconds to import, so it is imported when
the first stage runs. It keeps the books: when it fails after the start, the work goes on, the failure is reported once, and
what is missing is sent when it answers again, at the latest by the next run.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from rl_core.errors import InputError
from tasks.moved import follow_move
from tasks.stage.lease import LeaseLost
from tasks.tracking.stage_run import StageRecord, is_missing
from tasks.workspace import Workspace

if TYPE_CHECKING:
    from mlflow import MlflowClient

LIVE = 15.0  # seconds between two looks at the metrics of a running stage
SILENCE = 60.0  # seconds without a try after one that failed
# MLflow shows an experiment of this kind as training of a model: runs, curves and models, in place of traces and prompts. Its UI of
# version 3.17 hears it of the address instead: see `page`.
KIND = ("mlflow.experimentKind", "custom_model_development")


class TrackingError(InputError):
    """MLflow cannot be used; the message names its address and the remedy."""


class Lineage:
    """The MLflow side of one run of an experiment."""

    def __init__(self, workspace: Workspace, experiment: str, run_name: str, warn: Callable[[str], None]) -> None:
        """Open the store and start the parent run. Raises TrackingError if the store or server does not answer."""
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "15")
        self.uri = workspace.tracking_uri
        self._directory = workspace.root / experiment
        self._warn = warn
        self._warned = False
        self._silent_until = 0.0
        import mlflow

        _quiet()
        mlflow.set_tracking_uri(self.uri)  # models of runs are made by a function without a client
        local = workspace.tracking_server is None
        try:
            # Several first runs at once would all create the same tables, and the same experiment.
            with FileLock(workspace.mlflow_lock):
                for before in follow_move(workspace):
                    warn(f"this workspace was {before} before: what MLflow knows of it is now in {workspace.root}")
                self._client: MlflowClient = mlflow.MlflowClient(self.uri)
                found = self._client.get_experiment_by_name(experiment)
                self.experiment_id: str = (
                    found.experiment_id
                    if found
                    else self._client.create_experiment(experiment, workspace.artifacts(experiment) if local else None)
                )
                if found is None or KIND[0] not in found.tags:
                    self._client.set_experiment_tag(self.experiment_id, *KIND)
            self.run_id: str = self._client.create_run(self.experiment_id, run_name=run_name).info.run_id
        except Exception as error:  # the clients of its stores raise their own, MLflow's, and SQLAlchemy's
            if self.uri.startswith("sqlite:"):
                remedy = "wait for who locks it, or move the file away: a new one is made"
            elif local:
                remedy = "start the database or unset MLFLOW_BACKEND_STORE_URI"
            else:
                remedy = "start it or unset MLFLOW_TRACKING_URI"
            raise TrackingError(f"MLflow at {self.uri} cannot be used ({_first_line(error)}); {remedy}") from error

    def describe(self, recipe: dict[str, Any], tags: dict[str, str], diff: str | None = None) -> None:
        """Keep the resolved recipe, tags and uncommitted changes with the parent run."""
        import yaml

        with self._bookkeeping():
            self._client.log_text(self.run_id, yaml.safe_dump(recipe, sort_keys=False), "recipe.yaml")
            if diff:
                tags = tags | {"r1flow.git.dirty": "true"}
                self._client.log_text(self.run_id, diff, "uncommitted.diff")
            for key, value in tags.items():
                self._client.set_tag(self.run_id, key, value)

    @contextmanager
    def child(self, directory: Path) -> Iterator[Callable[[], None]]:
        """The child run of the stage at work in a directory, ended as the block ends; yields what sends new steps, for now and then."""
        record = self._begin(directory)
        self._send(record)
        looked = time.monotonic()

        def follow() -> None:
            nonlocal looked
            if time.monotonic() - looked >= LIVE:
                self._send(record)
                looked = time.monotonic()

        try:
            yield follow
        except LeaseLost:  # the process that has the stage now sends what there is, and closes this run
            raise
        except BaseException as error:
            record.end("FAILED" if isinstance(error, Exception) else "KILLED")
            self._send(record)
            raise
        record.end("FINISHED")
        self._send(record)

    def adopt(self, directory: Path) -> None:
        """A finished stage that was made elsewhere."""
        record = self._begin(directory)
        record.end("FINISHED")
        self._send(record)

    def recall(self, directory: Path) -> None:
        """A stage that is reused: sent again if the store does not have it, as after its database was lost."""
        with self._bookkeeping():
            if not StageRecord.is_known(self._client, directory, self.uri):
                self.adopt(directory)

    def keep(self, page: Path) -> None:
        """A page with its figures, as the artifacts of the parent run."""
        with self._bookkeeping():
            self._client.log_artifact(self.run_id, str(page))
            self._client.log_artifacts(self.run_id, str(page.parent / "figures"), "figures")

    def catch_up(self) -> None:
        """Send what earlier attempts of this experiment could not."""
        for record in StageRecord.unsent(self._client, self._directory, self.uri):
            self._send(record)

    def close(self, run_id: str, status: str) -> bool:
        """End a parent run, this one or an earlier one; whether MLflow knows it now, or does not have that run any more."""
        from mlflow.exceptions import MlflowException

        with self._bookkeeping():
            try:
                self._client.set_terminated(run_id, status)
            except MlflowException as error:
                if not is_missing(error):
                    raise
            return True
        return False

    def _begin(self, directory: Path) -> StageRecord:
        return StageRecord.begin(self._client, directory, tracking_uri=self.uri, experiment=self.experiment_id, parent=self.run_id)

    def _send(self, record: StageRecord) -> None:
        from mlflow.exceptions import MlflowException

        if time.monotonic() < self._silent_until:
            return
        with self._bookkeeping():
            try:
                record.send()
            except MlflowException as error:
                if not is_missing(error):
                    raise
                # The database that had its run was lost: everything is in the stage's own files.
                record.start_anew(experiment=self.experiment_id, parent=self.run_id)
                record.send()

    @contextmanager
    def _bookkeeping(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self._silent_until = time.monotonic() + SILENCE
            if not self._warned:
                self._warn(f"MLflow at {self.uri}: {_first_line(error)}; the run goes on, what is missing there is sent later")
            self._warned = True


def page(server: str, path: str = "/experiments") -> str:
    """Address of a page of MLflow's UI, which opens in its mode for training; `path` such as `/experiments/1/runs/…`."""
    return f"{server}/#{path}?workflowType=machine_learning"


def _quiet() -> None:
    """Without this Alembic logs every migration of a new SQLite store, and MLflow every model."""
    import logging

    for name in ("alembic", "mlflow"):
        logging.getLogger(name).setLevel(logging.ERROR)
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)  # tracebacks of what we report in a line


def _first_line(error: BaseException) -> str:
    """The cause in a few words. MLflow repeats SQLAlchemy's errors, which begin with advice to programmers and end with the statement."""
    cause: BaseException | None = error
    while cause is not None:
        if original := getattr(cause, "orig", None):
            return _first_line(original)
        cause = cause.__cause__
    lines = [line for line in str(error).strip().splitlines() if not line.startswith("(raised as a result of")]
    return lines[0] if lines else type(error).__name__
