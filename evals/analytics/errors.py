"""What can be wrong with a warehouse or with what goes into it."""

from __future__ import annotations

from rl_core.errors import InputError


class WarehouseError(InputError):
    """A stage's file or the database is broken; the message names the file and the remedy."""


def first_line(error: Exception) -> str:
    """An engine's message without its source excerpt."""
    return str(error).splitlines()[0] if str(error) else type(error).__name__
