"""The JSON files that stages and runs leave, and what each must have to be read.

A file that is missing, cut, of another shape, or does not match its own digest reads as None, so that nobody meets a part of it that is
not there: what it was about is made again, or whoever needs it names it. What a file holds besides is left in, for later versions may add
to it.
"""

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tasks.workspace import RECORDS, read_sealed

SPEC, STATE, MANIFEST, MLFLOW, SCORES = "spec.json", "state.json", "manifest.json", "mlflow.json", "scores.json"
WRITTEN = "report.json"  # in the directory of a report that belongs to no stage
HEX = "^[0-9a-f]{8,64}$"


class _Shape(BaseModel):
    model_config = ConfigDict(strict=True)


class File(_Shape):
    """An output of a stage, or a file of an archive."""

    bytes: int = Field(ge=0)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


class Entry(_Shape):
    """A stage in a run's record."""

    kind: str
    action: str
    position: int
    fingerprint: str = Field(pattern=HEX)
    directory: str


class Owner(_Shape):
    """A process that works for a run or a stage (`tasks/process.py`)."""

    host: str
    pid: int
    born: float


class Run(_Shape):
    """`<experiment>/runs/<id>.json`."""

    experiment: str
    run: str
    state: Literal["running", "done", "failed", "stopped"]
    started: float
    finished: float | None = None
    error: str | None = None
    owner: Owner
    recipe: dict[str, Any]
    order: dict[str, Any]
    stages: dict[str, Entry] = Field(min_length=1)
    prefect: dict[str, Any] | None = None
    mlflow: dict[str, Any] | None = None


class _Identity(_Shape):
    inputs: dict[str, dict[str, str]]
    files: dict[str, str] = {}


class Spec(_Shape):
    """What a stage is."""

    experiment: str
    stage: str
    kind: str
    position: int
    seed: int
    settings: dict[str, Any]
    identity: _Identity
    fingerprint: str = Field(pattern=HEX)
    model: str | dict[str, Any] | None
    token_budget: int | None = None
    inputs: dict[str, str | None] = {}


class State(_Shape):
    """Who works, or worked, in a stage's directory."""

    state: Literal["running", "done", "failed", "stopped"]
    owner: Owner
    started: float
    heartbeat: float
    attempt: int = 1
    error: str | None = None
    previous: dict[str, Any] = {}
    trainer: dict[str, Any] | None = None


class _Result(_Shape):
    checkpoint: str = ""
    checkpoints: list[str] = []


class Manifest(_Shape):
    """What a stage made."""

    stage: str
    fingerprint: str = Field(pattern=HEX)
    inputs: dict[str, str | None]
    result: _Result
    content: str
    seconds: float = 0.0
    finished: float = 0.0
    outputs: dict[str, File]


class _Notes(_Shape):
    """What was sent to MLflow of a stage."""

    tracking_uri: str
    experiment: str = ""
    parent: str = ""
    run: str = ""
    step: int = 0
    sent: list[str] = []
    models: dict[str, str]
    upstream: dict[str, list[str]] = {}


class _Scores(_Shape):
    scores: list[dict[str, Any]]


class _Written(_Shape):
    files: dict[str, File]


SHAPES: dict[str, type[_Shape]] = {SPEC: Spec, STATE: State, MANIFEST: Manifest, MLFLOW: _Notes, SCORES: _Scores, WRITTEN: _Written}


def read_record(path: Path) -> dict[str, Any] | None:
    """A file of a stage or the record of a run; None if it is missing or not what it should be."""
    content = read_sealed(path)
    shape = Run if path.parent.name == RECORDS else SHAPES[path.name]
    try:
        shape.model_validate(content)
    except (ValidationError, RecursionError):
        return None
    return content
