"""What is sent to MLflow of one stage, and what has been sent: `mlflow.json` in the stage's directory.

Everything sent is made of the stage's files and these notes, so what could not be sent while MLflow was away is sent later, by whoever
comes next. What was sent is noted and not sent twice; points of curves keep their time stamps, by which MLflow knows one sent again.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rl_core.errors import InputError
from rl_core.training.journal import LAST_STEP, damaged_steps, read_steps
from tasks.stage.lease import holder
from tasks.stage.records import MLFLOW, SCORES, SPEC, STATE, read_record
from tasks.stage.spec import directory_name, read_manifest
from tasks.workspace import Workspace, write_record

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric
    from mlflow.exceptions import MlflowException

BATCH = 1000  # metrics in one request, the limit of MLflow's API
SMALL = 2e6  # bytes of a sample file that is copied; larger ones stay where they are
SYSTEM = ("memory/", "seconds/")  # metrics that go to MLflow as those of the system: its charts show the others first
WHERE = {"data": "data", "start": "models", "checkpoints": "models"}  # role of an upstream stage -> kind of input


class StageRecord:
    """The MLflow run of an attempt at a stage."""

    def __init__(self, client: MlflowClient, directory: Path, notes: dict[str, Any]) -> None:
        self._client = client
        self._directory = directory
        self._notes = notes
        self._unsent: list[Metric] = []

    @classmethod
    def begin(cls, client: MlflowClient, directory: Path, *, tracking_uri: str, experiment: str, parent: str) -> StageRecord:
        """Notes for a new attempt at the stage of a directory; nothing is sent yet.

        Raises InputError if what the stage is cannot be read.
        """
        spec = read_record(directory / SPEC)
        if spec is None:
            raise InputError(f"{directory / SPEC}: missing or damaged; r1flow resume writes it again")
        inputs = spec["identity"]["inputs"]
        notes = {
            "tracking_uri": tracking_uri,
            "experiment": experiment,
            "parent": parent,
            "stage": spec["stage"],
            "kind": spec["kind"],
            "fingerprint": spec["fingerprint"],
            "settings": {name: str(value) for name, value in flatten({**spec["settings"], "seed": spec["seed"]})},
            "upstream": {role: [directory_name(*stage) for stage in inputs.get(role, {}).items()] for role in WHERE},
            "began": int(time.time() * 1000),
            "sent": [],
            "step": 0,
            "models": {},
        }
        record = cls(client, directory, notes)
        record._save()
        return record

    @classmethod
    def unsent(cls, client: MlflowClient, experiment: Path, tracking_uri: str) -> Iterator[StageRecord]:
        """Records of ended attempts under an experiment's directory of which MLflow does not have everything."""
        for path in sorted(experiment.glob(f"*/{MLFLOW}")):
            notes = read_record(path)
            if not notes or notes.get("closed") or notes["tracking_uri"] != tracking_uri or holder(path.parent / STATE):
                continue
            notes.setdefault("status", "FINISHED" if read_manifest(path.parent) else "KILLED")
            yield cls(client, path.parent, notes)

    @classmethod
    def is_known(cls, client: MlflowClient, directory: Path, tracking_uri: str) -> bool:
        """Whether a store has the run of the stage in a directory: it may be another one, or its database was lost."""
        from mlflow.exceptions import MlflowException

        notes = read_record(directory / MLFLOW)
        if not notes or notes["tracking_uri"] != tracking_uri or "run" not in notes:
            return False
        try:
            client.get_run(notes["run"])
        except MlflowException as error:
            if not is_missing(error):
                raise
            return False
        return True

    def start_anew(self, *, experiment: str, parent: str) -> None:
        """Forget what was sent: the store that had it is gone."""
        for name in ("run", "closed"):
            self._notes.pop(name, None)
        self._unsent = []
        self._note(experiment=experiment, parent=parent, sent=[], step=0, models={})

    def end(self, status: str) -> None:
        """Note how the attempt ended: FINISHED, FAILED or KILLED."""
        self._notes["status"] = status
        self._save()

    def send(self) -> None:
        """Send what is there and has not been sent.

        Raises:
            Exception: of MLflow's, its HTTP client's or its database's, when it cannot be reached.
        """
        from mlflow.entities import Param

        if "run" not in self._notes:
            tags = {
                "mlflow.parentRunId": self._notes["parent"],
                "r1flow.kind": self._notes["kind"],
                "r1flow.fingerprint": self._notes["fingerprint"],
                "r1flow.directory": str(self._directory),
            }
            name, began = self._notes["stage"], self._notes["began"]
            run = self._client.create_run(self._notes["experiment"], start_time=began, tags=tags, run_name=name)
            self._note(run=run.info.run_id)
        settings = self._notes["settings"].items()
        self._once("settings", lambda: self._client.log_batch(self._run, params=[Param(name, value) for name, value in settings]))
        self._once("inputs", self._send_inputs)
        self._send_steps()
        manifest = read_manifest(self._directory)
        if manifest:
            result, outputs = manifest["result"], manifest["outputs"]
            self._once("summary", lambda: self._send_summary(result))
            for checkpoint in result.get("checkpoints", []):
                if checkpoint not in self._notes["models"]:
                    self._send_model(checkpoint, outputs.get(f"{checkpoint}/model.safetensors", {}).get("sha256", ""))
            if (self._directory / SCORES).is_file():
                self._once("scores", self._send_scores)
            self._once("files", self._send_files)
        if status := self._notes.get("status"):
            self._client.set_terminated(self._run, status)
            self._note(closed=True)

    @property
    def _run(self) -> str:
        return str(self._notes["run"])

    def _once(self, what: str, send: Callable[[], object]) -> None:
        if what not in self._notes["sent"]:
            send()
            self._note(sent=[*self._notes["sent"], what])

    def _note(self, **facts: Any) -> None:
        self._notes |= facts
        self._save()

    def _save(self) -> None:
        write_record(self._directory / MLFLOW, self._notes)

    def _send_inputs(self) -> None:
        """Prompt sets, and the models that the stage starts from or judges."""
        from mlflow.entities import Dataset, DatasetInput, InputTag, LoggedModelInput

        datasets, models = [], []
        for role, names in self._notes["upstream"].items():
            for directory in (self._directory.parent / name for name in names):
                manifest = read_manifest(directory) or {}
                if WHERE[role] == "models":
                    models += [LoggedModelInput(model)] if (model := self._model_of(directory)) else []
                    continue
                output = manifest.get("outputs", {}).get("train.parquet", {})
                source = json.dumps({"uri": (directory / "train.parquet").as_uri()})
                profile = json.dumps({"num_rows": manifest.get("result", {}).get("train")})
                data = Dataset(manifest.get("stage", directory.name), output.get("sha256", "")[:36], "local", source, profile=profile)
                datasets.append(DatasetInput(data, [InputTag("mlflow.data.context", "training")]))
        if datasets or models:
            self._client.log_inputs(self._run, datasets, models)

    def _send_steps(self) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        known = max([self._notes["step"], *(point.step for point in self._unsent)])
        # A trainer that goes on makes damaged steps again, and what follows them.
        sound = next(damaged_steps(self._directory, after=known), LAST_STEP + 1)
        for row in read_steps(self._directory / "metrics.jsonl"):
            if known < row["step"] < sound:
                self._unsent += [Metric(chart_name(name), float(value), now, row["step"]) for name, value in row.items() if name != "step"]
        while self._unsent:
            part = self._unsent[:BATCH]
            self._client.log_batch(self._run, metrics=part)
            del self._unsent[: len(part)]
            # A step that is cut in two by a batch counts with its second part.
            self._note(step=self._unsent[0].step - 1 if self._unsent else part[-1].step)

    def _send_summary(self, result: dict[str, Any]) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        numbers = [(name, value) for name, value in flatten(result) if isinstance(value, int | float) and not isinstance(value, bool)]
        found = [Metric(f"system/result/{metric_name(name)}", float(value), now, 0) for name, value in numbers]
        self._client.log_batch(self._run, metrics=found)

    def _send_model(self, checkpoint: str, sha256: str) -> None:
        import mlflow
        from mlflow.entities import LoggedModelOutput

        path = self._directory / checkpoint
        step = int(path.name.rpartition("-")[2])
        upstream = self._notes["upstream"]
        parents = {name: (read_manifest(self._directory.parent / name) or {"result": {}})["result"] for name in upstream["start"]}
        model = mlflow.create_external_model(
            name=f"{self._notes['stage']}-{path.name}",
            source_run_id=self._run,
            model_type="checkpoint",
            params={
                "path": str(path),
                "sha256": sha256,
                "stage": self._notes["stage"],
                "step": str(step),
                "parent": ", ".join(f"{name}/{parents[name].get('checkpoint', '')}" for name in upstream["start"]),
                "data": ", ".join(upstream["data"]),
            },
            tags={"r1flow.fingerprint": self._notes["fingerprint"]},
            experiment_id=self._notes["experiment"],
        )
        self._client.log_outputs(self._run, [LoggedModelOutput(model.model_id, step)])
        self._note(models=self._notes["models"] | {checkpoint: model.model_id})

    def _model_of(self, directory: Path) -> str | None:
        """The model that stands for a stage's last checkpoint in this store; None if it was made under another one."""
        notes, manifest = read_record(directory / MLFLOW), read_manifest(directory)
        if not notes or not manifest or notes["tracking_uri"] != self._notes["tracking_uri"]:
            return None
        model: str | None = notes["models"].get(manifest["result"].get("checkpoint"))
        return model

    def _send_scores(self) -> None:
        """Each score on the evaluation's run, and on the model it belongs to."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        judged = [self._directory.parent / name for name in self._notes["upstream"]["checkpoints"]]
        model_ids = {(read_manifest(directory) or {}).get("stage"): self._model_of(directory) for directory in judged}
        for score in (read_record(self._directory / SCORES) or {"scores": []})["scores"]:
            name = metric_name("/".join(str(score[key]) for key in ("benchmark", "subset", "mode", "metric") if score[key]))
            here = [Metric(f"{score['checkpoint']}/{name}", score["value"], now, 0)]
            self._client.log_batch(self._notes["parent"], metrics=here)  # runs of an experiment are compared by their parents
            model = model_ids.get(score["checkpoint"])
            if model:
                here.append(Metric(name, score["value"], now, 0, model_id=model, run_id=self._run))
            self._client.log_batch(self._run, metrics=here)

    def _send_files(self) -> None:
        """Pages, tables, figures; a sample file too where one is small enough to look at."""
        for run in (self._run, self._notes["parent"]):
            for path in [*self._directory.glob("*.html"), *self._directory.glob("scores.json")]:
                self._client.log_artifact(run, str(path))
            if (figures := self._directory / "figures").is_dir():
                self._client.log_artifacts(run, str(figures), "figures")
        for path in sorted(self._directory.glob("samples/**/*.parquet")):
            if path.stat().st_size <= SMALL:
                self._client.log_artifact(self._run, str(path), path.parent.relative_to(self._directory).as_posix())


def is_reported(workspace: Workspace, directories: Iterable[Path]) -> bool:
    """Whether the workspace's store has finished stages, by their notes and its file; the store itself is not asked."""
    uri = workspace.tracking_uri
    file = workspace.mlflow_file if uri == workspace.own_mlflow_database else Path(uri.removeprefix("sqlite:///"))
    lost = uri.startswith("sqlite:///") and not file.exists()
    return not lost and all((read_record(directory / MLFLOW) or {}).get("tracking_uri") == uri for directory in directories)


def is_missing(error: MlflowException) -> bool:
    """Whether MLflow does not have what was asked for."""
    return bool(error.error_code == "RESOURCE_DOES_NOT_EXIST")


def flatten(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested settings as `algorithm.clip_low` and value."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def chart_name(name: str) -> str:
    """The name of a step's metric in MLflow, which shows what begins with `system/` on a page of its own."""
    return f"system/{name}" if name.startswith(SYSTEM) else name


def metric_name(text: str) -> str:
    """MLflow refuses some characters: `avg@4` becomes `avg_at_4`."""
    return re.sub(r"[^\w\-. /]", "_", text.replace("@", "_at_"))
