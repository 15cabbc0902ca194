import os
import subprocess
import sys
from pathlib import Path

import pytest

from rl_core.config.jobs import Job, TrainJob
from rl_core.config.rl import RlConfig
from rl_core.job_process import run_job


def test_threads_of_torch_that_wait_sleep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_WAIT_POLICY")
    assert run_job([str(tmp_path / "job.json")], TrainJob, lambda job: None) == 2  # there is no such file
    assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE"


@pytest.mark.follows("give one argument, the job file")
def test_one_job_file_is_wanted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    job, done = tmp_path / "job.json", []
    job.write_text(Job(output=tmp_path).model_dump_json())
    for arguments in ([], [str(job), str(job)]):
        assert run_job(arguments, Job, done.append) == 2
        assert capsys.readouterr().err == "error: give one argument, the job file\n"
    assert run_job([str(job)], Job, done.append) == 0
    assert [found.output for found in done] == [tmp_path]


@pytest.mark.parametrize("module", ["rl_core.train", "evals.run"])
def test_that_is_said_before_torch_is_loaded(module: str) -> None:
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_full_disk_is_one_line_that_names_the_directory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    job = tmp_path / "job.json"
    job.write_text(
        TrainJob(kind="rl", rl=RlConfig(steps=1), model="m", prompts=[tmp_path / "p"], output=tmp_path, seed=0).model_dump_json()
    )

    def in_rust(job: TrainJob) -> None:
        raise RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)")

    for body in (lambda job: Path("/dev/full").write_text("x" * 10_000), in_rust):
        assert run_job([str(job)], TrainJob, body) == 2
        assert capsys.readouterr().err == f"error: the disk of {tmp_path} is full; make room, and the same command goes on\n"
