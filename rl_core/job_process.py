"""The main function of a process that carries out a job file; its exit code says how the job ended."""

import gc
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from rl_core.addresses import without_secrets
from rl_core.config.jobs import Job
from rl_core.errors import InputError, is_disk_full
from rl_core.fence import end_with_owner
from rl_core.training.journal import STOPPED, Stopped

AnyJob = TypeVar("AnyJob", bound=Job)


def run_job(arguments: list[str], job_class: type[AnyJob], body: Callable[[AnyJob], None]) -> int:
    """Read the job file named by the only argument and run `body` on it.

    Returns:
        0 done; 1 failed (a traceback on stderr); 2 bad input or a file that cannot be read or written (one line on stderr); 75 stopped
        by a signal, to be continued.
    """
    if len(arguments) != 1:
        print("error: give one argument, the job file", file=sys.stderr)
        return 2
    # Before torch is loaded: its threads would wait for each other by spinning, and where anything else runs on the cores, small models
    # become 10 to 50 times slower; asleep they wait a fifth longer on a machine of their own, and large products not at all.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    gc.set_threshold(50_000)  # new objects; with Python's 700 a sixth of the time of importing torch goes into looking for garbage
    try:
        job = job_class.model_validate_json(Path(arguments[0]).read_text())
        end_with_owner(job.lease)
        body(job)
    except Stopped:
        return STOPPED
    except ValidationError as error:
        first = error.errors()[0]
        print(f"error: {arguments[0]}: {'.'.join(map(str, first['loc']))}: {first['msg']}", file=sys.stderr)
        return 2
    except Exception as error:
        if is_disk_full(error):
            print(f"error: the disk of {Path(arguments[0]).parent} is full; make room, and the same command goes on", file=sys.stderr)
        elif isinstance(error, InputError | OSError):
            print(without_secrets(f"error: {error}"), file=sys.stderr)
        else:
            print(without_secrets(traceback.format_exc()), end="", file=sys.stderr)  # it is kept in the stage's log
            return 1
        return 2
    return 0
