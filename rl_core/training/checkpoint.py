"""Checkpoints: Hugging Face directories plus what a trainer needs to go on, written aside, verified and renamed."""

import hashlib
import json
import os
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from rl_core.fence import Fence

FILES = "files.json"  # written last: size and sha256 of every other file
STATE = "trainer.json"
PARTIAL, REPLACED = ".partial", ".replaced"  # endings of directories aside: one that is being written, one that makes way for it
OPTIMIZER = "optimizer.safetensors"
CRITIC, OPTIMIZER_OF_CRITIC = "critic.safetensors", "critic_optimizer.safetensors"
ONLY_TO_TRAIN = {OPTIMIZER, CRITIC, OPTIMIZER_OF_CRITIC}  # what the model itself is loaded without


def save_model(directory: Path, model: Any, tokenizer: Any, weights: dict[str, Any] | None = None) -> None:
    """A directory that `from_pretrained` loads; `weights` where the model in memory does not hold them as they are to be loaded."""
    model.save_pretrained(directory, state_dict=weights)
    tokenizer.save_pretrained(directory)


def save_checkpoint(
    root: Path,
    step: int,
    write: Callable[[Path], None],
    state: dict[str, Any],
    *,
    keep_last: int,
    keep_best: bool = False,
    fence: Fence | None = None,
) -> Path:
    """Write `root/step-NNNNNN` through a temporary directory, verify it, then prune to the newest `keep_last`.

    Args:
        write: puts model, tokenizer and optimizer files into the directory it is given.
        state: JSON-able state of the loop (step, sampler, ...).
        keep_best: spare the one with the highest `mean` in its state, too.
        fence: passed before anything is removed or put in place.

    Raises:
        LeaseLost: `root` belongs to another process now.
        OSError: what was written does not read back as it should; the checkpoints before it are untouched.
    """
    final = root / f"step-{step:06d}"
    aside = root / f".{final.name}{PARTIAL}"
    fence = fence or Fence(None)
    fence.require()
    _bring_back(root)
    _clear(root)
    aside.mkdir(parents=True)
    write(aside)
    (aside / STATE).write_text(json.dumps(state))
    mode = stat.S_IMODE((aside / STATE).stat().st_mode)
    files = sorted(path for path in aside.rglob("*") if path.is_file())
    for path in files:
        path.chmod(mode)  # the one that the umask gives: safetensors writes files that only their owner can read
    (aside / FILES).write_text(json.dumps({str(path.relative_to(aside)): _describe(path) for path in files}, indent=1))
    for path in [*aside.rglob("*"), aside]:
        _flush(path)
    if not verify(aside):
        raise OSError(f"{aside}: the checkpoint does not read back as it was written; check the disk")
    fence.require()
    if final.exists():
        final.rename(root / f".{final.name}{REPLACED}")
    aside.rename(final)
    _flush(root)
    _clear(root)
    spared = best(root) if keep_best else None
    for old in checkpoints(root)[:-keep_last]:
        if old != spared:
            shutil.rmtree(old)
    return final


def _bring_back(root: Path) -> None:
    """Put an old checkpoint back whose place stayed empty: the attempt to replace it was killed in between."""
    for old in root.glob(f".step-*{REPLACED}"):
        place = root / old.name.removeprefix(".").removesuffix(REPLACED)
        if not place.exists():
            old.rename(place)


def _clear(root: Path) -> None:
    """Remove what is half written, and what was replaced."""
    for left in (*root.glob(f".step-*{PARTIAL}"), *root.glob(f".step-*{REPLACED}")):
        shutil.rmtree(left)


def best(root: Path) -> Path | None:
    """The checkpoint with the highest `mean` in its state, the later of equals."""
    means = [(_state(path).get("mean"), path) for path in checkpoints(root)]
    return max(((mean, path) for mean, path in means if isinstance(mean, int | float) and mean == mean), default=(None, None))[1]


def _state(checkpoint: Path) -> dict[str, Any]:
    """The loop's state in a checkpoint; empty where it cannot be read."""
    try:
        state = json.loads((checkpoint / STATE).read_text())
    except PermissionError:
        raise
    except (OSError, ValueError, RecursionError):
        return {}
    return state if isinstance(state, dict) else {}


def checkpoints(root: Path) -> list[Path]:
    """Finished checkpoint directories, oldest first."""
    return sorted(path.parent for path in root.glob(f"step-*/{FILES}"))


def drop_others(root: Path, step: int) -> None:
    """Remove what a run that goes on from `step` must not keep: later checkpoints, which it makes again, and damaged earlier ones.

    A damaged one would be among the outputs of the finished stage; its removal is reported on stderr.
    """
    for path in sorted(root.glob("step-*")):
        if _step(path) > step:
            shutil.rmtree(path)
        elif _step(path) < step and not verify(path):
            print(f"warning: {path} does not match its digests; removed: training goes on from a later one", file=sys.stderr, flush=True)
            shutil.rmtree(path)


def latest_whole(root: Path, before: int | None = None) -> tuple[Path, dict[str, Any]] | None:
    """The newest checkpoint whose files match their digests, with its loop state; damaged ones are left out, with a warning on stderr.

    Args:
        before: only checkpoints of steps before this one.
    """
    _bring_back(root)
    for path in reversed(checkpoints(root)):
        if before is not None and _step(path) >= before:
            continue
        if verify(path) and (state := _state(path)):
            return path, state
        print(f"warning: {path} does not match its digests; going on from the one before it", file=sys.stderr, flush=True)
    return None


def _step(path: Path) -> int:
    return int(path.name.removeprefix("step-"))


def verify(directory: Path, *, to_train: bool = True) -> bool:
    """Whether every file is there with its recorded size and sha256.

    Args:
        to_train: with False the files of `ONLY_TO_TRAIN` are not asked for; exported checkpoints are without.

    Raises:
        PermissionError: a file may not be read, which says nothing of what is in it.
    """
    return next(damaged_files(directory, to_train=to_train), None) is None


def damaged_files(directory: Path, *, to_train: bool = True) -> Iterator[str]:
    """Names of a checkpoint's files that are not as they were written; `files.json` alone where it is not, for it tells of the others.

    Raises PermissionError if a file may not be read, which says nothing of what is in it.
    """
    try:
        recorded = json.loads((directory / FILES).read_text())
        wanted = {name: entry for name, entry in recorded.items() if to_train or name not in ONLY_TO_TRAIN}
    except PermissionError:
        raise
    except (OSError, ValueError, AttributeError, RecursionError):
        yield FILES
        return
    for name, entry in wanted.items():
        try:
            whole = _describe(directory / name) == entry
        except PermissionError:
            raise
        except (OSError, ValueError):
            whole = False
        if not whole:
            yield name


def _describe(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
