"""Errors that a person can mend."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from rl_core.addresses import without_secrets

FULL = ("No space left on device", "Disk quota exceeded", "database or disk is full")  # as libraries say it whose errors are not Python's


class InputError(ValueError):
    """A setting, file or model given by a person is wrong; the one-line message names it and the remedy, and shows no secret."""

    def __init__(self, message: str) -> None:
        super().__init__(without_secrets(message))


@contextmanager
def naming(where: str) -> Iterator[None]:
    """Begin the message of an InputError with the path in the recipe that it is about."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{where}: {error}") from error


def first_line(error: BaseException) -> str:
    """An error in one line: the first of its message that is not empty, else its class."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def is_disk_full(error: BaseException | None) -> bool:
    """Whether an error, or one that it came of, is that of a full disk."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        if any(words in str(error) for words in FULL):
            return True
        error = error.__cause__ or error.__context__
    return False
