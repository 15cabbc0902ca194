"""Command stage: any program, such as another trainer, in a process of its own; what it leaves is read like what ours leave."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, StrictBool, StrictFloat, StrictInt, StrictStr, ValidationInfo, model_validator

from rl_core.addresses import names_secret, without_secrets
from rl_core.config.base import OnlyHow, Settings
from rl_core.config.own_files import FOLDERS
from rl_core.devices import GIB
from rl_core.errors import InputError, naming
from rl_core.fence import Fence
from rl_core.training.journal import Journal
from tasks.command import template
from tasks.command.outputs import OUT, Outputs, take
from tasks.command.running import Running
from tasks.command.supervise import BASH
from tasks.costs.formulas import Memory
from tasks.costs.machine import Machine
from tasks.costs.models import Model
from tasks.format import count
from tasks.kind import MODEL, ModelKind, Product, Role, Stages, StageSettings, Stated, Work, as_list
from tasks.stage.lease import StageFailed
from tasks.stage.spec import StageSpec, read_manifest
from tasks.trainer.train import start_model

Variable = Annotated[str, Field(pattern="^[A-Za-z_][A-Za-z0-9_]*$")]
Value = StrictStr | StrictInt | StrictFloat | None
WORD = re.compile(r"[^\s'\"=;|&<>(){}$`]+")  # of a command: what may be the name of a file
SCRIPTS = {".py", ".sh", ".toml", ".yaml", ".yml"}
CACHES = {"__pycache__"}


class SmokeCommand(Settings):
    """What is other under the smoke profile."""

    run: str | None = Field(None, description="The command in place of `run`.")
    resume: StrictBool | str = Field(False, description="In place of `resume`.")
    env: dict[Variable, Value] = Field({}, description="Variables besides those of `env`, or in place of some.")
    steps: int | None = Field(None, ge=1, description="In place of `steps`.")

    @model_validator(mode="after")
    def _says_something(self) -> SmokeCommand:
        if self.run is None and not self.env:
            raise ValueError("a small run is wanted here: `run`, `env` or both")
        return self


class CommandStage(StageSettings):
    """Any program: it runs in bash, and its checkpoint, rollouts and metrics are read like ours."""

    kind: Literal["command"] = Field(description="The kind of stage.")
    run: str = Field(
        min_length=1,
        description="The command, for bash. {start}: checkpoint; {data}, {of}: directories of stages, {data.NAME} of one of several; "
        "{output}: the directory to write to; {seed}, {gpus}; {python}: the Python of r1flow. Values are quoted as needed.",
    )
    start: str | None = Field(
        None, description="`model`, or the stage whose checkpoint {start} is; default: `model` where {start} is used."
    )
    data: Stages | None = Field(None, description="The data stage whose directory {data} is, or several.")
    of: Stages | None = Field(
        None, description="Any other stage, whose directory {of} is, or several; what a command left is in its `out`."
    )
    env: dict[Variable, Value] = Field({}, description="Variables besides those of r1flow's own environment; null takes one away.")
    inputs: list[str] = Field([], description="Files, folders and patterns, besides scripts that `run` names: changed, it runs again.")
    outputs: Annotated[Outputs, OnlyHow()] = Field(
        Outputs(), description="What is taken of what the command left; changed, it is taken again."
    )
    resume: Annotated[StrictBool | str, OnlyHow()] = Field(
        False, description="The command that goes on with what an earlier attempt left in {output}; true: `run` does; default: starts anew."
    )
    directory: Annotated[str | None, OnlyHow()] = Field(
        None, description="Where the command runs; default: the folder of the recipe's file."
    )
    steps: Annotated[int | None, OnlyHow()] = Field(None, ge=1, description="How many it will do, as far as known: for progress.")
    gpus: Annotated[int | None, OnlyHow()] = Field(None, ge=0, description="GPUs that it takes, for the plan.")
    memory: Annotated[float | None, OnlyHow()] = Field(
        None, gt=0, description="GB of each GPU that it takes, without `gpus` of the machine."
    )
    hours: Annotated[float | None, OnlyHow()] = Field(None, gt=0, description="How long it takes, for the plan.")
    smoke: Annotated[SmokeCommand | None, OnlyHow()] = Field(None, description="A small run on a CPU, for --profile smoke.")

    @model_validator(mode="before")
    @classmethod
    def _with_start_and_directory(cls, written: Any, info: ValidationInfo) -> Any:
        if not isinstance(written, dict):
            return written
        found = dict(written)
        if "start" not in written and "start" in template.placeholders(str(written.get("run", ""))):
            found["start"] = MODEL
        if folders := (info.context or {}).get(FOLDERS):
            found["directory"] = _directory(written, folders)
        return found


class Command(ModelKind[CommandStage]):
    """A program of somebody else."""

    name = "command"
    settings = CommandStage
    roles: ClassVar[Mapping[str, Role]] = {
        "start": Role("checkpoint", model=True),
        "data": Role("prompts"),
        "of": Role("files"),
    }
    makes = frozenset({"checkpoint", "responses"})

    def run(self, spec: StageSpec, work: Work) -> dict[str, Any]:
        """Run the command, where it has not ended well yet, and take what it left; returns counts and checkpoints."""
        stage = CommandStage.model_validate({"kind": self.name} | spec.settings)
        journal = Journal(spec.directory, stage.steps or 0, Fence(work.lease.held))
        wanted = spec.settings["outputs"]
        running = Running(spec, work, journal, stage.outputs.metrics)
        if not running.ended_well or running.refused == wanted:
            values = values_of(stage, spec)
            resume = stage.run if stage.resume is True else stage.resume or None
            running.attempt(
                template.fill_in_command(stage.run, values),
                resume=template.fill_in_command(resume, values) if resume and running.refused is None else None,
                directory=Path(stage.directory or "."),
                env={name: None if value is None else template.fill_in(str(value), values) for name, value in stage.env.items()},
            )
        try:
            result = take(stage.outputs, spec.directory, journal, spec.stage)
        except InputError as error:
            running.refuse(wanted)
            raise StageFailed(
                f"stage {spec.directory.name}: {error}. The command ended well and is not repeated if `outputs` is corrected; "
                "otherwise the next run starts it anew"
            ) from error
        running.forget_earlier()
        return result | {"taken": wanted}

    # Before a run

    def lacks(self, stage: CommandStage, product: Product) -> str | None:
        """Without the setting for it."""
        outputs = {"checkpoint": stage.outputs.checkpoint, "responses": stage.outputs.rollouts or stage.outputs.metrics}
        wanted = {"checkpoint": "outputs.checkpoint", "responses": "outputs.rollouts"}
        return f"its {wanted[product]} is not set" if product in outputs and not outputs[product] else None

    def check_names(self, stage: CommandStage, where: str) -> None:
        """Placeholders, secrets, and the format of rollouts."""
        from evals.analytics.external.read import format_called
        from evals.analytics.external.table import ROLES
        from rl_core.nearest import nearest

        known = dict.fromkeys(names_of(stage))
        for path, text in _texts(stage):
            with naming(f"{where}.{path}"):
                for name in template.placeholders(text):
                    role = name.partition(".")[0]
                    if role in self.roles and getattr(stage, role) is None:
                        raise InputError(f"{{{name}}} is the directory of a stage; name the stage by `{role}`")
                template.check(text, known)
                if without_secrets(text) != text or names_secret(path.rpartition(".")[2]):
                    raise InputError(
                        "a secret, which records would show; set it in the environment of r1flow, which the command has, too, and "
                        "remove it here"
                    )
        if rollouts := stage.outputs.rollouts:
            with naming(f"{where}.outputs.rollouts"):
                if rollouts.format:
                    format_called(rollouts.format)
                if unknown := next((role for role in rollouts.columns if role not in ROLES), None):
                    raise InputError(f"columns: there is no role {unknown!r}; {nearest(unknown, ROLES)}")

    def own_files(self, stage: CommandStage, where: str) -> dict[str, Path]:
        """Those of `inputs`, and the scripts in its directory that the command names."""
        directory = Path(stage.directory or ".")
        if not directory.is_dir():
            raise InputError(f"{where}.directory: {directory} is no directory; make it, or name another one")
        found = {word: directory / word for word in _words(stage.run) if _is_own_file(directory, word)}
        for number, name in enumerate(stage.inputs):
            there = dict(_files(directory, name))
            if not there:
                raise InputError(f"{where}.inputs.{number}: {directory / name}: no such file or folder; correct the path, or remove it")
            found |= there
        return found

    def check_before_run(self, stage: CommandStage, spec: StageSpec, where: str) -> None:
        """Whether bash is there and can read the command."""
        if shutil.which(BASH[0]) is None:
            raise InputError(f"{where}.run: commands run in bash, which is not here; install it")
        for name in ("run", "resume"):
            if isinstance(text := getattr(stage, name), str):
                filled = template.fill_in_command(text, dict.fromkeys(names_of(stage), "x"))
                read = subprocess.run([BASH[0], "-n", "-c", filled], capture_output=True, text=True)
                if read.returncode:
                    raise InputError(f"{where}.{name}: bash cannot read it: {read.stderr.strip().splitlines()[-1]}")

    def smoke(self, stage: CommandStage, scale: float, answer_form: str) -> dict[str, Any]:
        """What the recipe says. Raises InputError where it says nothing: nobody else knows how to make a program's run small."""
        if stage.smoke is None:
            raise InputError("a command has no small size of its own; add smoke: {run: …} or smoke: {env: …}, or leave --profile smoke out")
        small = stage.smoke
        return {
            "run": small.run or stage.run,
            "resume": small.resume if small.run else stage.resume,
            "env": stage.env | small.env,
            "steps": small.steps,
            "smoke": None,
            **dict.fromkeys(("gpus", "memory", "hours")),
        }

    # Costs

    def tokens(self, stage: CommandStage, prompts: int) -> int:
        """Not known."""
        return 0

    def seconds(self, stage: CommandStage, model: Model, machine: Machine, prompts: int) -> float | None:
        """Only what is stated."""
        return None

    def memory(self, stage: CommandStage, model: Model, *, gpus: bool) -> Memory | None:
        """Only what is stated."""
        return None

    def stated(self, stage: CommandStage) -> Stated:
        """By `gpus`, `memory` and `hours`."""
        return Stated(stage.gpus, stage.memory and stage.memory * GIB, stage.hours and stage.hours * 3600)

    def gpus(self, stage: CommandStage) -> int:
        """As stated."""
        return stage.gpus or 0

    def host_memory(self, stage: CommandStage, model: Model, machine: Machine) -> float:
        """Not known."""
        return 0.0

    def shortages(self, stage: CommandStage, machine: Machine) -> list[str]:
        """What is stated and not there."""
        found = []
        if stage.gpus and machine.gpus == 0:
            found.append(f"it asks for {stage.gpus} GPU{'s' if stage.gpus > 1 else ''}")
        there = machine.gpu_memory if stage.gpus else machine.memory
        if stage.memory and there and stage.memory * GIB > there:
            found.append(f"it asks for {stage.memory:g} GB of {'each GPU' if stage.gpus else 'memory'}")
        return found

    # After a run

    def why_again(self, spec: StageSpec) -> tuple[str, bool] | None:
        """Other outputs are wanted of it; the command is not repeated for that."""
        result = (read_manifest(spec.directory) or {"result": {}})["result"]
        return None if result.get("taken") == spec.settings["outputs"] else ("outputs changed", False)

    def note(self, spec: StageSpec, manifest: Mapping[str, Any]) -> str:
        """Steps, rollouts and the checkpoint."""
        result = manifest["result"]
        parts = [f"{result[name]:,} {name}" for name in ("steps", "rollouts") if result.get(name)]
        parts += [f"{count(result['tokens'])} tokens"] if result.get("tokens") else []
        made = ", ".join(parts) or "its command ended well"
        return f"{made} -> {spec.experiment}/{spec.stage}/{Path(result['checkpoint']).name}" if "checkpoint" in result else made

    def warnings(self, directory: Path, settings: Mapping[str, Any], result: Mapping[str, Any]) -> list[str]:
        """What its rollouts do not say."""
        return list(result.get("notes", []))


def names_of(stage: CommandStage) -> list[str]:
    """The placeholders that stand for something in the texts of a stage."""
    found = ["output", "seed", "gpus", "python", *(["start"] if stage.start else [])]
    for role in ("data", "of"):
        names = list(as_list(getattr(stage, role)) or [])
        found += [role] if len(names) == 1 else []
        found += [f"{role}.{name}" for name in names]
    return found


def values_of(stage: CommandStage, spec: StageSpec) -> dict[str, str]:
    """What they stand for."""
    values = {"output": str(spec.directory / OUT), "seed": str(spec.run_seed), "gpus": str(stage.gpus or 0), "python": sys.executable}
    if "start" in spec.upstream:
        start = str(start_model(spec))
        values["start"] = str(Path(start).resolve()) if Path(start).is_dir() else start
    for role in ("data", "of"):
        stages = spec.upstream.get(role, [])
        values |= {f"{role}.{above.stage}": str(above.directory) for above in stages}
        values |= {role: str(stages[0].directory)} if len(stages) == 1 else {}
    return values


def _directory(written: Mapping[str, Any], folders: Sequence[Path]) -> Any:
    """Where a command runs, absolute: beside the recipe that is read, else beside one that it extends, wherever there is what it names."""
    given = written.get("directory")
    if given is not None and not isinstance(given, str):
        return given
    candidates = [Path(os.path.abspath(folder / Path(given or ".").expanduser())) for folder in folders]
    own = [place for place in candidates if place.is_dir() and (given is not None or _has_own_files(written, place))]
    return str((own or candidates)[0])


def _has_own_files(written: Mapping[str, Any], directory: Path) -> bool:
    """Whether something is there of what a command names, or what is named as its inputs."""
    inputs = written.get("inputs")
    named = [name for name in inputs if isinstance(name, str)] if isinstance(inputs, list) else []
    words = _words(str(written.get("run", "")))
    return any(_is_own_file(directory, word) for word in words) or any(any(_files(directory, name)) for name in named)


def _texts(stage: CommandStage) -> Iterator[tuple[str, str]]:
    """Texts with placeholders, by their paths in the stage."""
    for prefix, settings in (("", stage), ("smoke.", stage.smoke)):
        if settings is not None:
            yield from ((f"{prefix}{name}", text) for name in ("run", "resume") if isinstance(text := getattr(settings, name), str))
            yield from ((f"{prefix}env.{name}", str(value)) for name, value in settings.env.items() if value is not None)


def _words(command: str) -> list[str]:
    return list(dict.fromkeys(WORD.findall(command)))


def _is_own_file(directory: Path, word: str) -> bool:
    """Whether a word of a command is a script or configuration in its directory; others may be what the command writes there."""
    path = directory / word
    try:
        return path.suffix in SCRIPTS and not Path(word).is_absolute() and path.is_file() and directory.resolve() in path.resolve().parents
    except OSError:  # too long for a name
        return False


def _files(directory: Path, name: str) -> Iterator[tuple[str, Path]]:
    """The files of an input, by the name under which each counts: as it is written, and within a folder from there."""
    path = directory / Path(name).expanduser()
    matched = {name: path} if path.exists() else {str(found.relative_to(directory)): found for found in _matching(directory, name)}
    for called, found in matched.items():
        if found.is_file():
            yield called, found
            continue
        for inside in sorted(found.rglob("*")):
            parts = inside.relative_to(found).parts
            if inside.is_file() and not any(part.startswith(".") or part in CACHES for part in parts):
                yield f"{called.rstrip('/')}/{'/'.join(parts)}", inside


def _matching(directory: Path, pattern: str) -> list[Path]:
    return [] if Path(pattern).is_absolute() else sorted(directory.glob(pattern))


KIND = Command()
