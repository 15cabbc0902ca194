"""What can be wrong with a warehouse or with what goes into it."""

import errno
import os

from rl_core.errors import InputError, first_line, is_disk_full

LIMIT = "File too large"  # as the system says of a limit of files, and DuckDB repeats it


class WarehouseError(InputError):
    """A stage's file or the database is broken; the message names the file and the remedy."""


def is_full(error: Exception) -> bool:
    """Whether an engine's error is that of a disk, a quota or a limit of files, in which nothing is damaged."""
    return is_disk_full(error) or LIMIT in str(error)


def is_no_damage(error: Exception) -> bool:
    """Whether an engine's error is about what surrounds its files: room, rights, paths."""
    return is_full(error) or is_of_the_system(error)


def is_of_the_system(error: Exception) -> bool:
    """Whether an engine's error repeats the operating system's word for why a file does not open: no rights, no such directory."""
    line = first_line(error)
    return any(line.endswith((f": {word}", f": {word}.")) for word in map(os.strerror, errno.errorcode))
