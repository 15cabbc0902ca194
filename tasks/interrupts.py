"""Ctrl-C and SIGTERM, heard whenever they come.

Python raises what a signal means wherever the main thread is, and not every place lets it pass: in a destructor or the callback of a weak
reference, of which every import runs some, it is printed and dropped; some libraries make another error of it, or go on. So it is noted
that a signal came, what was dropped is sent once more, and whoever works on asks from time to time.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import suppress
from types import FrameType

AGAIN = 0.05  # seconds until a signal is sent once more: by then the main thread is somewhere else

_heard = threading.Event()


def hear_signals() -> None:
    """From now on, signals that already mean something to this process are noted, and sent once more where they are dropped."""
    sys.unraisablehook = _dropped
    if threading.current_thread() is threading.main_thread():  # no other may
        for number in (signal.SIGINT, signal.SIGTERM):
            _note(number)


def is_interrupted() -> bool:
    """Whether a signal came: an error since then is what some library made of it."""
    return _heard.is_set()


def is_of_a_signal(error: BaseException) -> bool:
    """Whether an error is what Python or Prefect makes of a signal, or what a library made of it."""
    return is_interrupted() or _signal_of(type(error)) is not None


def go_on() -> None:
    """Raises KeyboardInterrupt if a signal came and something swallowed it."""
    if is_interrupted():
        raise KeyboardInterrupt


def leave_at_once() -> None:
    """From now on Ctrl-C ends this process without a word: what had to be saved is saved, and only servers are still to be stopped."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _note(number: signal.Signals) -> None:
    handler = signal.getsignal(number)
    if not callable(handler) or getattr(handler, "notes", False):  # ignored, or left to the system
        return

    def noting(number: int, frame: FrameType | None) -> None:
        _heard.set()
        handler(number, frame)

    noting.notes = True  # type: ignore[attr-defined]
    signal.signal(number, noting)


def _dropped(dropped: sys.UnraisableHookArgs) -> None:
    number = _signal_of(dropped.exc_type)
    if number is None:
        sys.__unraisablehook__(dropped)
        return
    again = threading.Timer(AGAIN, os.kill, (os.getpid(), number))
    again.daemon = True
    with suppress(RuntimeError):  # the interpreter is about to end
        again.start()


def _signal_of(kind: type[BaseException]) -> signal.Signals | None:
    """The signal that an exception was made of; None for any other exception."""
    if issubclass(kind, KeyboardInterrupt):
        return signal.SIGINT
    return signal.SIGTERM if kind.__name__ == "TerminationSignal" else None  # Prefect's, which takes seconds to import
