"""A process that runs a user's own code: `python -m rl_core.own_code.worker REPLIES SCRATCH CODE...`, started by `OwnWorkers`.

It reads requests from its standard input and writes replies to the file descriptor REPLIES, a JSON text a line each. What the code prints
goes to its standard output. Whatever the code raises is a reply; what ends the process, its owner sees.
"""

from __future__ import annotations

import ctypes
import json
import os
import random
import resource
import signal
import sys
import traceback
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

from rl_core.errors import InputError
from rl_core.own_code.calls import CALLS

MEMORY = 2 * 1024**3  # bytes of address space
PARENT_DIES = 1  # PR_SET_PDEATHSIG of prctl(2)
OURS = str(Path(__file__).parents[1])
LONGEST = 200  # characters of an error's line


def main(arguments: list[str]) -> None:
    """Carry out requests until there are no more."""
    ctypes.CDLL(None).prctl(PARENT_DIES, signal.SIGKILL)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    descriptor, scratch, *code = arguments
    process = os.getpid()
    os.set_inheritable(int(descriptor), False)
    requests = os.fdopen(os.dup(0))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.path[:0] = code
    os.chdir(scratch)
    with os.fdopen(int(descriptor), "w") as replies:
        for line in requests:
            reply = _carried_out(line, tuple(code))
            if os.getpid() != process:  # a fork that the call made, and that came back from it
                os._exit(0)
            replies.write(json.dumps(reply) + "\n")
            replies.flush()
            _end_children()


def _carried_out(line: str, code: tuple[str, ...]) -> dict[str, Any]:
    request = json.loads(line)
    # The same call has the same random numbers, in whichever process and whenever it runs.
    random.seed(line)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(zlib.crc32(line.encode()))
    try:
        value = CALLS[request["call"]](**request["arguments"])
        return {"value": value}
    except BaseException as error:  # also sys.exit()
        return {"why": _line(error, code), "trace": "".join(_trace(error))}


def _line(error: BaseException, code: tuple[str, ...]) -> str:
    """Kind, message and place of an error; `code`: directories of the user's."""
    if isinstance(error, InputError):
        return str(error)
    if isinstance(error, SystemExit):
        said = f"it called sys.exit({error.code!r})"
    elif isinstance(error, MemoryError):
        said = f"it wanted more than {MEMORY >> 30} GiB of memory"
    else:
        message = ""
        with suppress(Exception):  # of a __str__ of its own
            message = next((part.strip() for part in str(error).splitlines() if part.strip()), "")
        said = f"{type(error).__name__}: {message}" if message else type(error).__name__
    said = said if len(said) <= LONGEST else f"{said[:LONGEST]} …"
    theirs = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(code)]
    return f"{said} ({Path(theirs[-1].filename).name}, line {theirs[-1].lineno})" if theirs else said


def _trace(error: BaseException) -> list[str]:
    """The traceback from the user's code on."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None and trace.tb_frame.f_code.co_filename.startswith((OURS, "<frozen")):
        trace = trace.tb_next
    try:
        return traceback.format_exception(type(error), error, trace)
    except Exception:
        return traceback.format_tb(trace)


def _end_children() -> None:
    """Kill processes that a call started and left."""
    if any(path.read_text().strip() for path in Path("/proc/self/task").glob("*/children")):
        import psutil

        children = psutil.Process().children(recursive=True)
        for child in children:
            with suppress(psutil.Error):
                child.kill()
        psutil.wait_procs(children, timeout=1)


if __name__ == "__main__":
    main(sys.argv[1:])
