"""MLflow: a run per experiment run, a child per stage, data sets as inputs, checkpoints as models whose scores hang on them.

Summaries, curves and links only: checkpoints and responses stay where they are. MLflow takes seconds to import, so it is imported when
the first stage runs. It keeps the books: when it fails after the start, the work goes on and the failure is reported once.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rl_core.errors import InputError
from tasks.stage import StageSpec, Upstream, read_manifest
from tasks.workspace import Workspace, read_json

if TYPE_CHECKING:
    from mlflow import MlflowClient

BATCH = 1000  # metrics in one request, the limit of MLflow's API
LIVE = 15.0  # seconds between two looks at the metrics of a running stage


class TrackingError(InputError):
    """MLflow cannot be used; the message names its address and the remedy."""


class Lineage:
    """The MLflow side of one run of an experiment."""

    def __init__(self, workspace: Workspace, experiment: str, run_name: str, warn: Callable[[str], None]) -> None:
        """Open the store and start the parent run.

        Raises:
            TrackingError: the store or server does not answer.
        """
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
        self.uri = workspace.tracking_uri
        self._warn = warn
        self._broken = False
        import mlflow

        _quiet()
        mlflow.set_tracking_uri(self.uri)  # models of runs are made by a function without a client
        self._client: MlflowClient = mlflow.MlflowClient(self.uri)
        try:
            found = self._client.get_experiment_by_name(experiment)
            local = self.uri.startswith("sqlite:")
            self.experiment_id: str = (
                found.experiment_id
                if found
                else self._client.create_experiment(experiment, workspace.artifacts(experiment) if local else None)
            )
            self.run_id: str = self._client.create_run(self.experiment_id, run_name=run_name).info.run_id
        except Exception as error:  # the clients of its stores raise their own, MLflow's, and SQLAlchemy's
            raise TrackingError(
                f"MLflow at {self.uri} cannot be used ({_first_line(error)}); start it or unset MLFLOW_TRACKING_URI"
            ) from error

    def describe(self, recipe: dict[str, Any], tags: dict[str, str]) -> None:
        """Keep the resolved recipe and tags with the parent run."""
        import yaml

        with self._bookkeeping():
            self._client.log_text(self.run_id, yaml.safe_dump(recipe, sort_keys=False), "recipe.yaml")
            for key, value in tags.items():
                self._client.set_tag(self.run_id, key, value)

    def finish(self, status: str) -> None:
        """End the parent run: FINISHED, FAILED or KILLED."""
        with self._bookkeeping():
            self._client.set_terminated(self.run_id, status)

    @contextmanager
    def child(self, spec: StageSpec) -> Iterator[StageRecord]:
        """The child run of a stage, ended as the block ends."""
        record = StageRecord(self, spec)
        try:
            yield record
        except Exception:
            record.finish("FAILED")
            raise
        except BaseException:
            record.finish("KILLED")
            raise
        record.finish("FINISHED")

    @contextmanager
    def _bookkeeping(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            if not self._broken:
                self._warn(f"MLflow at {self.uri}: {_first_line(error)}; the run goes on, its records there are incomplete")
            self._broken = True


class StageRecord:
    """What MLflow hears of one stage."""

    def __init__(self, lineage: Lineage, spec: StageSpec) -> None:
        self._lineage = lineage
        self._client = lineage._client
        self._spec = spec
        self._logged = 0  # last step in MLflow
        self._looked = time.monotonic()
        self.run_id: str | None = None
        self.models: dict[str, str] = {}  # checkpoint -> model id
        with lineage._bookkeeping():
            tags = {"mlflow.parentRunId": lineage.run_id, "r1flow.kind": spec.kind, "r1flow.fingerprint": spec.fingerprint}
            tags["r1flow.directory"] = str(spec.directory)
            run = self._client.create_run(lineage.experiment_id, tags=tags, run_name=spec.stage)
            self.run_id = run.info.run_id
            self._log_settings()
            self._log_inputs()

    def follow(self) -> None:
        """Send new steps of `metrics.jsonl`, not more often than every few seconds."""
        if time.monotonic() - self._looked >= LIVE:
            self._looked = time.monotonic()
            with self._lineage._bookkeeping():
                self._log_steps()

    def complete(self, result: dict[str, Any]) -> dict[str, Any]:
        """Send the rest: steps, models, scores, figures. Returns what the manifest keeps of it."""
        with self._lineage._bookkeeping():
            self._log_steps()
            self._log_summary(result)
            for checkpoint in result.get("checkpoints", []):
                self._log_model(checkpoint)
            if self._spec.kind == "eval":
                self._log_scores()
            for path in [*self._spec.directory.glob("*.html"), *self._spec.directory.glob("scores.json")]:
                self._client.log_artifact(self._run, str(path))
                self._client.log_artifact(self._lineage.run_id, str(path))
            for path in sorted(self._spec.directory.glob("figures/*.png")):
                self._client.log_artifact(self._run, str(path), "figures")
        return {"tracking_uri": self._lineage.uri, "run_id": self.run_id, "models": self.models}

    def finish(self, status: str) -> None:
        with self._lineage._bookkeeping():
            self._client.set_terminated(self._run, status)

    @property
    def _run(self) -> str:
        if self.run_id is None:
            raise RuntimeError("the stage has no run")  # starting it failed, and was reported
        return self.run_id

    def _log_settings(self) -> None:
        from mlflow.entities import Param

        params = [Param(name, str(value)) for name, value in flatten({**self._spec.settings, "seed": self._spec.seed})]
        self._client.log_batch(self._run, params=params)

    def _log_inputs(self) -> None:
        """Prompt sets, and the models that the stage starts from or judges."""
        from mlflow.entities import Dataset, DatasetInput, InputTag, LoggedModelInput

        datasets = []
        for upstream in self._spec.upstream.get("data", []):
            manifest = read_manifest(upstream.directory) or {}
            digest = manifest.get("outputs", {}).get("train.parquet", {}).get("sha256", upstream.fingerprint)
            source = json.dumps({"uri": (upstream.directory / "train.parquet").as_uri()})
            profile = json.dumps({"num_rows": manifest.get("result", {}).get("train")})
            data = Dataset(upstream.stage, digest[:36], "local", source, profile=profile)
            datasets.append(DatasetInput(data, [InputTag("mlflow.data.context", "training")]))
        models = [model for role in ("start", "checkpoints") for up in self._spec.upstream.get(role, []) if (model := self._model_of(up))]
        if datasets or models:
            self._client.log_inputs(self._run, datasets, [LoggedModelInput(model) for model in models])

    def _log_steps(self) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        points = []
        for row in read_steps(self._spec.directory / "metrics.jsonl"):
            if row["step"] > self._logged:
                self._logged = row["step"]
                points += [Metric(name, float(value), now, row["step"]) for name, value in row.items() if name != "step"]
        for begin in range(0, len(points), BATCH):
            self._client.log_batch(self._run, metrics=points[begin : begin + BATCH])

    def _log_summary(self, result: dict[str, Any]) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        numbers = [(name, value) for name, value in flatten(result) if isinstance(value, int | float) and not isinstance(value, bool)]
        self._client.log_batch(self._run, metrics=[Metric(f"result/{metric_name(name)}", float(value), now, 0) for name, value in numbers])

    def _log_model(self, checkpoint: str) -> None:
        import mlflow
        from mlflow.entities import LoggedModelOutput

        path = self._spec.directory / checkpoint
        step = int(path.name.rpartition("-")[2])
        weights = (read_json(path / "files.json") or {}).get("model.safetensors", {})
        model = mlflow.create_external_model(
            name=f"{self._spec.stage}-{path.name}",
            source_run_id=self._run,
            model_type="checkpoint",
            params={"path": str(path), "sha256": str(weights.get("sha256", "")), "stage": self._spec.stage, "step": str(step)},
            tags={"r1flow.fingerprint": self._spec.fingerprint},
            experiment_id=self._lineage.experiment_id,
        )
        self._client.log_outputs(self._run, [LoggedModelOutput(model.model_id, step)])
        self.models[checkpoint] = model.model_id

    def _model_of(self, upstream: Upstream) -> str | None:
        """The model that stands for a stage's last checkpoint in this store; None if it was made under another one."""
        manifest = read_manifest(upstream.directory) or {}
        known = manifest.get("lineage") or {}
        if known.get("tracking_uri") != self._lineage.uri:
            return None
        model: str | None = known["models"].get(manifest["result"].get("checkpoint"))
        return model

    def _log_scores(self) -> None:
        """Each score on the evaluation's run, and on the model it belongs to."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        model_ids = {upstream.stage: self._model_of(upstream) for upstream in self._spec.upstream.get("checkpoints", [])}
        for score in (read_json(self._spec.directory / "scores.json") or {})["scores"]:
            name = metric_name("/".join(str(score[key]) for key in ("benchmark", "subset", "mode", "metric") if score[key]))
            here = [Metric(f"{score['checkpoint']}/{name}", score["value"], now, 0)]
            self._client.log_batch(self._lineage.run_id, metrics=here)  # runs of an experiment are compared by their parents
            model = model_ids.get(score["checkpoint"])
            if model:
                here.append(Metric(name, score["value"], now, 0, model_id=model, run_id=self._run))
            self._client.log_batch(self._run, metrics=here)


def read_steps(path: Path) -> Iterator[dict[str, Any]]:
    """Rows of a `metrics.jsonl`; a last line that is still being written is left out."""
    if path.exists():
        for line in path.read_text().split("\n")[:-1]:
            yield json.loads(line)


def flatten(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested settings as `algorithm.clip_low` and value."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def metric_name(text: str) -> str:
    """MLflow refuses some characters: `avg@4` becomes `avg_at_4`."""
    return re.sub(r"[^\w\-. /]", "_", text.replace("@", "_at_"))


def _quiet() -> None:
    """Alembic tells every migration of a new SQLite store, MLflow every model."""
    import logging

    for name in ("alembic", "mlflow", "mlflow.store.db.utils"):
        logging.getLogger(name).setLevel(logging.ERROR)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
