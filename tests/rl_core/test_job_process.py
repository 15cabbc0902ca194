import os
import subprocess
import sys
from pathlib import Path

import pytest

from rl_core.config import TrainJob
from rl_core.job_process import run_job


def test_threads_of_torch_that_wait_sleep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_WAIT_POLICY")
    assert run_job([str(tmp_path / "job.json")], TrainJob, lambda job: None) == 2  # there is no such file
    assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE"


@pytest.mark.parametrize("module", ["rl_core.train", "evals.run"])
def test_that_is_said_before_torch_is_loaded(module: str) -> None:
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
