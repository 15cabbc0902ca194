"""What a stage takes of what its command has left: checkpoints, rollouts and metrics, in the form of those of our own trainers.

Nothing of what the command has left is changed or moved.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from rl_core.config.base import Settings
from rl_core.errors import InputError, first_line, naming
from rl_core.fence import Fence
from rl_core.nearest import listed
from rl_core.training.checkpoint import FILES, STATE, save_checkpoint
from rl_core.training.journal import Journal
from tasks.kind import as_list

OUT = "out"  # folder of the stage's directory that `{output}` stands for
EVERY = 10**6  # checkpoints that are kept
STEP = re.compile(r"(?:.*[-_.])?(?:global_step|step|checkpoint|ckpt|iter(?:ation)?)[-_]?(\d+)")  # names of folders: checkpoint-50
PICKLED = ("*.bin", "*.pt", "*.pth")


def _inside(pattern: str) -> str:
    """A path below the output, without what it begins with."""
    path = Path(pattern)
    if path.parts[:1] not in (("{output}",), (OUT,)) or len(path.parts) < 2 or ".." in path.parts:
        raise ValueError("a path below {output} is wanted, such as {output}/final")
    return pattern


Paths = Annotated[
    list[Annotated[str, AfterValidator(_inside)]], BeforeValidator(as_list, json_schema_input_type=str | list[str]), Field(min_length=1)
]


def _short(value: Any) -> Any:
    """A path, or a list of them, stands for settings with no more than that."""
    return {"path": value} if isinstance(value, str | list) else value


class Rollouts(Settings):
    """Responses of training, in any format that `r1flow analyze` reads."""

    path: Paths = Field(description="Files, as paths below {output} with *, ? and **.")
    format: str | None = Field(None, description="As its authors call it: trl, verl, openrlhf, ... or `table`; default: recognised.")
    columns: dict[str, str] = Field({}, description="Columns of a table by role, as of `r1flow analyze --map`: {response: text}.")
    correct_from: float | None = Field(None, description="Reward from which a response without a verdict counts as right.")
    think_tags: tuple[str, str] | None = Field(None, description="Tags around the thinking; default: the usual ones.")


class Metrics(Settings):
    """Values by step: JSON lines, JSON, CSV or trainer_state.json."""

    path: Paths = Field(description="Files, as paths below {output} with *, ? and **.")
    step: str | None = Field(None, description="The column with the step; default: `step`, `global_step` and the like.")
    names: dict[str, str] = Field({}, description="Names that figures look for, and the names in the files: {entropy: actor/entropy}.")


class Outputs(Settings):
    """What is taken of what the command has left."""

    checkpoint: Paths | None = Field(None, description="Hugging Face directories; the one of the last step is handed on.")
    rollouts: Annotated[Rollouts | None, BeforeValidator(_short, json_schema_input_type=Rollouts | str | list[str] | None)] = Field(
        None, description="Responses of training."
    )
    metrics: Annotated[Metrics | None, BeforeValidator(_short, json_schema_input_type=Metrics | str | list[str] | None)] = Field(
        None, description="Values by step, for MLflow and SQL."
    )


def find(paths: Sequence[str], directory: Path) -> list[Path]:
    """What is there of the paths of an output, in the order of names."""
    root = directory / OUT
    return sorted({found for pattern in paths for found in root.glob(Path(*Path(pattern).parts[1:]).as_posix())})


def take(outputs: Outputs, directory: Path, journal: Journal, name: str) -> dict[str, Any]:
    """Take everything that is asked for; returns what the stage's result says of it.

    Args:
        name: of the stage.

    Raises:
        InputError: something is not there, or not what it should be; the message names the setting, the path and the remedy.
    """
    journal.rewind(-1)  # what was read while the command wrote it, and what was taken for other settings
    for taken in ("rollouts", "checkpoints"):
        shutil.rmtree(directory / taken, ignore_errors=True)
    result: dict[str, Any] = {"external": True, "steps": 0}
    if outputs.metrics:
        with naming("outputs.metrics"):
            result["steps"] = take_metrics(outputs.metrics, directory, journal)
    if outputs.rollouts:
        with naming("outputs.rollouts"):
            result |= take_rollouts(outputs.rollouts, directory, journal.fence, name)
    if outputs.checkpoint:
        with naming("outputs.checkpoint"):
            result |= take_checkpoints(outputs.checkpoint, directory, journal.fence, result["steps"])
    return result


def take_metrics(settings: Metrics, directory: Path, journal: Journal) -> int:
    """Write `metrics.jsonl`; returns the last step."""
    from evals.analytics.external.metrics import read_metrics

    steps = read_metrics(_required(settings.path, directory), settings.step, settings.names)
    for step, values in steps.items():
        journal.log(step, values)
    return max(steps)


def take_rollouts(settings: Rollouts, directory: Path, fence: Fence, name: str) -> dict[str, Any]:
    """Write `rollouts/`; returns counts."""
    from evals.analytics.external.stages import write_stages

    aside, place = directory / ".rollouts.new", directory / "rollouts"
    shutil.rmtree(aside, ignore_errors=True)
    try:
        _, counts = write_stages(
            _required(settings.path, directory),
            aside,
            name=name,
            mapping=settings.columns,
            think_tags=settings.think_tags,
            correct_from=settings.correct_from,
            form=settings.format,
        )
        if counts.rollouts < counts.responses:
            raise InputError("these files hold responses to benchmarks, and those of training are wanted; read them with `r1flow analyze`")
        fence.require()
        (aside / "rollouts" / "rollouts").rename(place)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return {"rollouts": counts.rollouts, "tokens": counts.tokens, "notes": counts.lines()}


def take_checkpoints(paths: Sequence[str], directory: Path, fence: Fence, last_step: int) -> dict[str, Any]:
    """Seal each under its step as `checkpoints/step-NNNNNN`, with hard links to its files where the disk has them.

    Args:
        last_step: that of a checkpoint whose path tells none.
    """
    by_step: dict[int, Path] = {}
    for path in _required(paths, directory):
        check_checkpoint(path)
        step = _step_of(path.relative_to(directory / OUT), last_step)
        if step in by_step:
            raise InputError(f"{by_step[step]} and {path} are both of step {step}; name one of them")
        by_step[step] = path
    root = directory / "checkpoints"
    kept = []
    for step, source in sorted(by_step.items()):

        def link(aside: Path, source: Path = source) -> None:
            left_out = shutil.ignore_patterns(FILES, STATE)  # of a checkpoint of ours that was copied
            shutil.copytree(source, aside, copy_function=_link, ignore=left_out, dirs_exist_ok=True)

        kept.append(save_checkpoint(root, step, link, {"step": step}, keep_last=EVERY, fence=fence).relative_to(directory).as_posix())
    return {"checkpoint": kept[-1], "checkpoints": kept}


def check_checkpoint(path: Path) -> None:
    """Raises InputError if a path is no Hugging Face directory that later stages can load."""
    from rl_core.model.pretrained import NEEDED, ModelError, load_config, load_tokenizer

    if not path.is_dir():
        raise InputError(f"{path} is a file; a Hugging Face directory is wanted, with weights, configuration and tokenizer")
    if (path / "adapter_config.json").exists() and not (path / "config.json").exists():
        raise InputError(f"{path} holds adapters alone; have the command merge them into the model and save that with its tokenizer")
    for what, patterns in NEEDED.items():
        if not any(next(path.glob(pattern), None) for pattern in patterns):
            pickled = what == "weights" and any(next(path.glob(pattern), None) for pattern in PICKLED)
            why = "pickled weights alone, which are never loaded for they could run code" if pickled else f"no {what}"
            raise InputError(
                f"{path} is no checkpoint: {why}; have the command save {' or '.join(patterns)} there, as save_pretrained of "
                f"{'the tokenizer' if what == 'tokenizer' else 'the model'} does"
            )
    _check_weights(path)
    try:
        load_config(str(path))
        load_tokenizer(str(path))
    except ModelError as error:
        raise InputError(f"{path} is no checkpoint: {error}") from error


def _check_weights(path: Path) -> None:
    """Whether each file of weights is whole, as far as its header tells, and all parts of an index are there."""
    import json

    from safetensors import SafetensorError, safe_open

    for weights in sorted(path.glob("*.safetensors")):
        try:
            with safe_open(weights, framework="numpy"):
                pass
        except (SafetensorError, OSError) as error:
            raise InputError(f"{weights}: not a whole file of weights ({first_line(error)}); let the command write it again") from error
    for index in path.glob("*.safetensors.index.json"):
        try:
            parts = set(json.loads(index.read_text())["weight_map"].values())
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{index}: cannot be read ({first_line(error)}); let the command write it again") from error
        if missing := sorted(part for part in parts if not (path / str(part)).is_file()):
            raise InputError(f"{path / missing[0]} is missing, a part of {index.name}; let the command write it again")


def _required(paths: Sequence[str], directory: Path) -> list[Path]:
    found = find(paths, directory)
    if not found:
        root = directory / OUT
        there = [f"{path.name}{'/' if path.is_dir() else ''}" for path in sorted(root.glob("*"))[:10]]
        raise InputError(f"{listed(paths)}: nothing is there; the command left in {root}: {listed(there)}")
    return found


def _step_of(path: Path, last_step: int) -> int:
    """The step in the name of a folder or of one above it: `global_step_100/huggingface`."""
    for part in reversed(path.parts):
        if found := STEP.fullmatch(part):
            return int(found[1])
    return last_step


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # a disk without hard links
        shutil.copy2(source, target)
