"""What can be wrong with a warehouse or with what goes into it."""

from __future__ import annotations

from rl_core.errors import InputError

FULL = ("No space left on device", "Disk quota exceeded", "File too large")  # as the system says it, and DuckDB repeats it


class WarehouseError(InputError):
    """A stage's file or the database is broken; the message names the file and the remedy."""


def first_line(error: Exception) -> str:
    """An engine's message without its source excerpt."""
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def is_full(error: Exception) -> bool:
    """Whether an engine's error is that of a disk, a quota or a limit of files, in which nothing is damaged."""
    return any(text in str(error) for text in FULL)
