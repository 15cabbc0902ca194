"""The trainer as a process of its own: `python -m rl_core.train JOB.json`.

Exit codes: 0 done, 2 bad input (one line on stderr), 75 stopped by a signal with its checkpoint written.
"""

from __future__ import annotations

import sys
from pathlib import Path

from pydantic import ValidationError

from rl_core.config import TrainJob
from rl_core.errors import InputError
from rl_core.training.journal import STOPPED, Stopped


def main(arguments: list[str]) -> int:
    """Run the job file named by the only argument."""
    if len(arguments) != 1:
        print("usage: python -m rl_core.train JOB.json", file=sys.stderr)
        return 2
    try:
        job = TrainJob.model_validate_json(Path(arguments[0]).read_text())
        job.output.mkdir(parents=True, exist_ok=True)
        _run(job)
    except Stopped:
        return STOPPED
    except ValidationError as error:
        first = error.errors()[0]
        print(f"error: {arguments[0]}: {'.'.join(map(str, first['loc']))}: {first['msg']}", file=sys.stderr)
        return 2
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _run(job: TrainJob) -> None:
    if job.sft:
        from rl_core.training.sft import train_sft
        from rl_core.workers import use_threads

        use_threads(job.sft.resources)
        train_sft(job, job.sft)
    if job.rl:
        from rl_core.trainer import train_rl

        train_rl(job, job.rl)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
