"""The evaluation as a process of its own: `python -m evals.run JOB.json` (exit codes: `run_job`).

SIGTERM and SIGINT end it at once; finished cells are kept and the next run goes on.
"""

import signal
import sys
from types import FrameType

from evals.config import EvalJob
from rl_core.job_process import run_job
from rl_core.model.pretrained import spare_scikit_learn
from rl_core.training.journal import Stopped


def main(arguments: list[str]) -> int:
    """Run the job file named by the only argument."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)
    return run_job(arguments, EvalJob, _evaluate)


def _evaluate(job: EvalJob) -> None:
    spare_scikit_learn()
    from evals.runner import evaluate

    evaluate(job)


def _leave(number: int, frame: FrameType | None) -> None:
    # At once, not between batches: one batch of long responses can take minutes, and files are written in one piece anyway.
    raise Stopped


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
