"""The life of a stage: what it is, its directory, and when it is done.

A stage's directory holds `spec.json` (what it is), `state.json` (who works in it: `tasks/stage/lease.py`),
`log.txt`, the stage's outputs, and last of all `manifest.json` with the size and sha256 of every output. It is done when the manifest
is there and the outputs match it. A directory without manifest belongs to whoever takes it next and goes on where it stopped.
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from rl_core.addresses import without_secrets
from rl_core.config.base import Settings
from rl_core.config.model import ScratchModel
from rl_core.errors import first_line
from tasks.interrupts import is_interrupted
from tasks.stage.digests import Digests
from tasks.stage.lease import Lease, refuse_if_busy, state_lock
from tasks.stage.records import MANIFEST, MLFLOW, SPEC, STATE, read_record
from tasks.workspace import write_record

LOG, PROGRESS, JOB = "log.txt", "progress.jsonl", "job.json"
HOUSEKEEPING = {SPEC, STATE, MANIFEST, LOG, PROGRESS, JOB, MLFLOW}
# Files by which a stage made again is recognised as the same; the others hold timings.
CONTENT = {".parquet", ".safetensors"}


class StageStopped(RuntimeError):
    """A stage was told to stop and can be continued; one line."""


class Upstream(Settings):
    """A stage that another one needs."""

    stage: str
    kind: str
    fingerprint: str
    directory: Path
    position: int
    start: str | None = None  # the stage whose checkpoint it continues


class StageSpec(Settings):
    """One stage of one experiment, ready to be made."""

    experiment: str
    stage: str
    kind: str
    position: int  # topological, in the recipe
    seed: int
    settings: dict[str, Any]  # of the kind's settings class, resources included
    identity: dict[str, Any]  # what the fingerprint is taken of
    fingerprint: str
    workspace: Path
    upstream: dict[str, list[Upstream]]  # by role: start, data, checkpoints, of
    model: str | ScratchModel | None = None  # where `model` is among the references
    data_dir: Path | None = None
    code: dict[str, str] = Field({}, description="Texts of a user's own code by file, as they were when the stage was planned.")
    held_out: tuple[dict[str, Any], ...] = ()  # of a data stage: the benchmarks that the recipe evaluates
    token_budget: int | None = None  # the most it can see or write, for estimates of later runs
    pace: str | None = None  # model, machine and engine: what a later stage must share for its speed to be this one's

    @property
    def directory(self) -> Path:
        """`<workspace>/<experiment>/<stage>-<first 8 of the fingerprint>`."""
        return stage_directory(self.workspace, self.experiment, self.stage, self.fingerprint)

    @property
    def parents(self) -> list[Upstream]:
        return [upstream for group in self.upstream.values() for upstream in group]

    @property
    def run_seed(self) -> int:
        """Seed of training: each stage draws its own numbers, whatever its place in the recipe."""
        return int.from_bytes(hashlib.sha256(f"{self.seed}/{self.stage}".encode()).digest()[:4]) >> 1


def stage_directory(workspace: Path, experiment: str, stage: str, fingerprint: str) -> Path:
    return workspace / experiment / directory_name(stage, fingerprint)


def directory_name(stage: str, fingerprint: str) -> str:
    return f"{stage}-{fingerprint[:8]}"


def read_manifest(directory: Path) -> dict[str, Any] | None:
    """The manifest of a stage; None where there is none, or none that can be read."""
    return read_record(directory / MANIFEST)


def input_contents(spec: StageSpec) -> dict[str, str | None]:
    """Digest of what each needed stage holds now; None where it is not done."""
    return {upstream.stage: (read_manifest(upstream.directory) or {}).get("content") for upstream in spec.parents}


def why_not_done(spec: StageSpec, digests: Digests) -> str | None:
    """What keeps a stage from being reused; None if its manifest verifies."""
    manifest = read_manifest(spec.directory)
    if manifest is None:
        return "unfinished" if (spec.directory / SPEC).exists() else "not run yet"
    if manifest["fingerprint"] != spec.fingerprint:
        return "its directory holds another stage"
    if read_record(spec.directory / SPEC) is None:
        return f"{SPEC} is missing or damaged"
    spoiled = damage(spec.directory, manifest, digests)
    if spoiled:
        name, what = next(iter(spoiled.items()))
        return f"{name} {what}"
    for name, content in input_contents(spec).items():
        if content is not None and content != manifest["inputs"].get(name):
            return f"{name} was made again"
    return None


def damage(
    directory: Path, manifest: dict[str, Any], digests: Digests, *, below: tuple[str, ...] = ("",), again: bool = False
) -> dict[str, str]:
    """Outputs that are not as the manifest says, and what is wrong with each.

    Args:
        below: look only at those whose names begin with one of these.
        again: read the files even if they seem unchanged.

    Raises:
        PermissionError: one may not be read, which says nothing of what is in it.
    """
    spoiled = {}
    for name, recorded in manifest["outputs"].items():
        path = directory / name
        if not name.startswith(below):
            continue
        try:
            if path.stat().st_size != recorded["bytes"] or digests.of(path, again=again) != recorded["sha256"]:
                spoiled[name] = "was changed after it was made"
        except PermissionError:
            raise
        except OSError as error:
            spoiled[name] = "is missing" if isinstance(error, FileNotFoundError) else f"cannot be read ({error.strerror})"
    return spoiled


def set_aside(directory: Path) -> Path | None:
    """Rename a stage's directory so that the stage is made anew; nothing is deleted. Raises StageBusy if another process works in it."""
    if not directory.exists():
        return None
    with state_lock(directory):
        refuse_if_busy(directory)
        target = directory.with_name(f"{directory.name}.superseded-{datetime.now(UTC):%Y%m%dT%H%M%S%f}")
        directory.rename(target)
    return target


@contextmanager
def at_work(spec: StageSpec, digests: Digests) -> Iterator[Lease]:
    """Hold the directory of a stage that is not done.

    What an earlier attempt left there is continued, unless it was made from other inputs or is spoiled: then it is set aside. Spoiled
    checkpoints alone are no reason, for trainers verify them and go back to the last whole one.

    Raises StageBusy if another process holds it.
    """
    directory = spec.directory
    inputs = input_contents(spec)
    found = read_record(directory / SPEC)
    manifest = read_manifest(directory)
    spoiled = damage(directory, manifest, digests) if manifest else {}
    if (found and found.get("inputs") != inputs) or any(not name.startswith("checkpoints/") for name in spoiled):
        set_aside(directory)
    directory.mkdir(parents=True, exist_ok=True)
    lease = Lease(directory)
    lease.take()
    try:
        (directory / MANIFEST).unlink(missing_ok=True)
        write_record(directory / SPEC, spec.model_dump(mode="json", exclude={"workspace", "upstream", "code"}) | {"inputs": inputs})
        yield lease
    except BaseException as error:
        lease.release(ending(error), message_of(error))
        raise
    lease.release("done")


def ending(error: BaseException) -> Literal["stopped", "failed"]:
    """How a stage or a run ended that raised an error: `stopped` if it was told to end."""
    stopped = is_interrupted() or isinstance(error, StageStopped) or not isinstance(error, Exception)
    return "stopped" if stopped else "failed"


def message_of(error: BaseException) -> str:
    """An error in one line for a record."""
    if isinstance(error, KeyboardInterrupt):
        return "interrupted from the keyboard"
    if not isinstance(error, Exception):  # what orchestrators make of SIGTERM
        return "told to stop by a signal"
    return without_secrets(first_line(error))


def write_manifest(spec: StageSpec, result: dict[str, Any], digests: Digests, **facts: Any) -> dict[str, Any]:
    """Seal a stage: from here on it is done."""
    outputs = {}
    for path in sorted(spec.directory.rglob("*")):
        name = path.relative_to(spec.directory).as_posix()
        if path.is_file() and name not in HOUSEKEEPING and not any(part.startswith(".") for part in Path(name).parts):
            outputs[name] = {"bytes": path.stat().st_size, "sha256": digests.of(path)}
    content = {name: output["sha256"] for name, output in outputs.items() if Path(name).suffix in CONTENT} or outputs
    manifest = {
        **{name: getattr(spec, name) for name in ("experiment", "stage", "kind", "fingerprint")},
        "inputs": input_contents(spec),
        "result": result,
        "content": hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest(),
        **facts,
        "outputs": outputs,
    }
    write_record(spec.directory / MANIFEST, manifest)
    digests.save()
    return manifest
