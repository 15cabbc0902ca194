"""The evaluation as a process of its own: `python -m evals.run JOB.json`.

Exit codes: 0 done, 2 bad input (one line on stderr), 75 stopped by SIGTERM or SIGINT; finished cells are kept and the next run goes on.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from types import FrameType

from pydantic import ValidationError

from evals.config import EvalJob
from rl_core.errors import InputError
from rl_core.training.journal import STOPPED, Stopped


def main(arguments: list[str]) -> int:
    """Run the job file named by the only argument."""
    if len(arguments) != 1:
        print("usage: python -m evals.run JOB.json", file=sys.stderr)
        return 2
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)
    try:
        job = EvalJob.model_validate_json(Path(arguments[0]).read_text())
        from evals.runner import evaluate

        evaluate(job)
    except Stopped:
        return STOPPED
    except ValidationError as error:
        first = error.errors()[0]
        print(f"error: {arguments[0]}: {'.'.join(map(str, first['loc']))}: {first['msg']}", file=sys.stderr)
        return 2
    except (InputError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _leave(number: int, frame: FrameType | None) -> None:
    # At once, not between batches: one batch of long responses can take minutes, and files are written in one piece anyway.
    raise Stopped


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
