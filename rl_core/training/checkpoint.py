"""Checkpoints: Hugging Face directories plus what a trainer needs to go on, written aside, verified and renamed."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

FILES = "files.json"  # written last: size and sha256 of every other file
STATE = "trainer.json"
OPTIMIZER = "optimizer.safetensors"


def save_model(directory: Path, model: Any, tokenizer: Any) -> None:
    """A directory that `from_pretrained` loads."""
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)


def save_checkpoint(root: Path, step: int, write: Callable[[Path], None], state: dict[str, Any], *, keep_last: int) -> Path:
    """Write `root/step-NNNNNN` through a temporary directory, then prune to the newest `keep_last`.

    Args:
        write: puts model, tokenizer and optimizer files into the directory it is given.
        state: JSON-able state of the loop (step, sampler, ...).
    """
    final = root / f"step-{step:06d}"
    aside = root / f".step-{step:06d}.partial"
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    write(aside)
    (aside / STATE).write_text(json.dumps(state))
    (aside / FILES).write_text(json.dumps({path.name: _describe(path) for path in sorted(aside.iterdir())}, indent=1))
    for path in [*aside.iterdir(), aside]:
        _flush(path)
    if final.exists():
        shutil.rmtree(final)
    aside.rename(final)
    _flush(root)
    for old in checkpoints(root)[:-keep_last]:
        shutil.rmtree(old)
    return final


def checkpoints(root: Path) -> list[Path]:
    """Finished checkpoint directories, oldest first."""
    return sorted(path.parent for path in root.glob(f"step-*/{FILES}"))


def latest_whole(root: Path) -> tuple[Path, dict[str, Any]] | None:
    """The newest checkpoint whose files match their digests, with its loop state; damaged ones are passed over."""
    for path in reversed(checkpoints(root)):
        if verify(path):
            return path, json.loads((path / STATE).read_text())
    return None


def verify(directory: Path) -> bool:
    """Whether every file is there with its recorded size and sha256."""
    try:
        recorded = json.loads((directory / FILES).read_text())
        return all(_describe(directory / name) == described for name, described in recorded.items())
    except (OSError, ValueError):
        return False


def _describe(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
