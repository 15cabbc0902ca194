"""Modes of files heeded also by root: tests of what may not be read or written say the same whoever runs them."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

PAST_MODES = 1 << 1 | 1 << 2 | 1 << 3  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER
VERSION = 0x20080522  # of the kernel's structures, with two words for each set


@contextmanager
def modes_heeded() -> Iterator[None]:
    """Within it, this thread has no right that its user's modes do not give."""
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(VERSION, 0)
    words = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; twice
    assert libc.capget(header, words) == 0
    before = words[0]
    words[0] = before & ~PAST_MODES
    assert libc.capset(header, words) == 0
    try:
        yield
    finally:
        words[0] = before
        assert libc.capset(header, words) == 0
