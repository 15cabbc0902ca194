"""The record of every run: which stages it made or reused, how it ended."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal, Self

from flows.planning.plan import Plan
from flows.recipe.load import resolved
from rl_core.errors import InputError
from rl_core.nearest import listed, nearest
from tasks.process import this_process
from tasks.stage.lease import HEARTBEAT, holder
from tasks.stage.records import read_record
from tasks.workspace import RECORDS, Workspace, write_record

NAME = "%Y%m%d-%H%M%S-%f"  # of a run: when it began, to the millisecond

LISTED = 3  # last runs that a refusal names
Service = Literal["prefect", "mlflow"]
KNOWN: dict[Service, str] = {"prefect": "settled", "mlflow": "closed"}  # the mark of an end that it knows


@dataclass
class RunRecord:
    """`<workspace>/<experiment>/runs/<id>.json`."""

    path: Path
    content: dict[str, Any]
    ended: threading.Event = field(default_factory=threading.Event)

    @classmethod
    def begin(cls, plan: Plan) -> Self:
        """Record that a run of a plan begins."""
        folder = plan.workspace.root / plan.recipe.name / RECORDS
        folder.mkdir(parents=True, exist_ok=True)
        name = _next_name(folder)
        stages = {
            stage.spec.stage: {
                "kind": stage.spec.kind,
                "action": stage.action,
                "reasons": stage.reasons,
                "position": stage.spec.position,
                "fingerprint": stage.spec.fingerprint,
                "directory": stage.spec.directory.name,
            }
            for stage in plan.stages
        }
        record = cls(
            folder / f"{name}.json",
            {
                "run": name,
                "experiment": plan.recipe.name,
                "recipe": resolved(plan.recipe),
                "order": plan.request.model_dump(mode="json"),
                "stages": stages,
                "started": time.time(),
                "heartbeat": time.time(),
                "owner": this_process(),
                "state": "running",
            },
        )
        record.note()
        record._beat()
        return record

    @property
    def name(self) -> str:
        return str(self.content["run"])

    def note(self, **facts: Any) -> None:
        self.content |= facts
        write_record(self.path, self.content)

    def _beat(self) -> None:
        """From now until its end, renew the file's time: so other hosts know that this process is alive."""

        def beat() -> None:
            while not self.ended.wait(HEARTBEAT):
                with suppress(OSError):
                    os.utime(self.path)

        threading.Thread(target=beat, name=f"signs of life of run {self.name}", daemon=True).start()

    def end(self, state: str, error: str | None = None) -> None:
        """Save how it ended: done, failed or stopped."""
        self.ended.set()
        self.note(state=state, error=error, finished=time.time())


def _next_name(folder: Path) -> str:
    """The time of day, or just after the last run where the clock was set back: runs are in the order of their names."""
    earlier = [_moment(path.stem) + timedelta(milliseconds=1) for path in folder.glob("*.json")]
    return max([datetime.now(), *earlier]).strftime(NAME)[:-3]


def _moment(name: str) -> datetime:
    try:
        return datetime.strptime(name, NAME)
    except ValueError:  # a file that is no run's, or an imported run
        return datetime.min


def find_run(workspace: Workspace, run: str) -> dict[str, Any]:
    """A run by `experiment` (its last one), `experiment/id` or id.

    Raises InputError if there is none; the message names those that are.
    """
    experiment, _, name = run.partition("/")
    paths = workspace.run_records()
    of_experiment = [path for path in paths if path.parent.parent.name == experiment and name in ("", path.stem)]
    fitting = of_experiment or [path for path in paths if path.stem == run]
    if not fitting:
        known = sorted({path.parent.parent.name for path in paths})
        if name and experiment in known:
            last = [f"{experiment}/{path.stem}" for path in paths if path.parent.parent.name == experiment][-LISTED:]
            raise InputError(f"{run}: {experiment} has no run {name!r}; a run is wanted here, not a stage: {experiment}, or {listed(last)}")
        raise InputError(f"no run {run!r} in {workspace.root}; {nearest(run, known)}")
    content = read_record(fitting[-1])
    if content is None:
        raise InputError(f"{fitting[-1]}: not readable as JSON; name another run")
    found: dict[str, Any] = content
    return found


def own_run(workspace: Workspace, experiment: str) -> dict[str, Any] | None:
    """The last run that this process recorded."""
    for path in reversed(workspace.run_records(experiment)):
        record = read_record(path)
        if record and record["owner"] == this_process():
            return record
    return None


def unreported(workspace: Workspace, service: Service) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Records of runs that have ended and whose end Prefect, or the workspace's MLflow, does not know yet."""
    for path in workspace.run_records():
        record = read_record(path)
        known = (record or {}).get(service)
        elsewhere = known and service == "mlflow" and known["tracking_uri"] != workspace.tracking_uri
        if record and known and not known.get(KNOWN[service]) and not elsewhere and not holder(path, record):
            yield path, record
