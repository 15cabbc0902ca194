"""What can be wrong with a warehouse or with what goes into it."""

from __future__ import annotations

from rl_core.errors import InputError, is_disk_full

LIMIT = "File too large"  # as the system says of a limit of files, and DuckDB repeats it


class WarehouseError(InputError):
    """A stage's file or the database is broken; the message names the file and the remedy."""


def first_line(error: Exception) -> str:
    """An engine's message without its source excerpt."""
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def is_full(error: Exception) -> bool:
    """Whether an engine's error is that of a disk, a quota or a limit of files, in which nothing is damaged."""
    return is_disk_full(error) or LIMIT in str(error)
