"""The trainer as a process of its own: `python -m rl_core.train JOB.json` (exit codes: `run_job`)."""

import sys

from rl_core.config.jobs import TrainJob
from rl_core.job_process import run_job
from rl_core.model.pretrained import spare_scikit_learn


def main(arguments: list[str]) -> int:
    """Run the job file named by the only argument."""
    return run_job(arguments, TrainJob, _train)


def _train(job: TrainJob) -> None:
    job.output.mkdir(parents=True, exist_ok=True)
    spare_scikit_learn()
    if job.sft:
        from rl_core.training.sft import train_sft
        from rl_core.workers.build import use_threads

        use_threads(job.sft.resources)
        train_sft(job, job.sft)
    if job.rl:
        from rl_core.trainer import train_rl

        train_rl(job, job.rl)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
