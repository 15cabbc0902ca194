import subprocess
import sys

import pytest

from rl_core.judge.start import start_judge
from tests.end_to_end.command import ROOT


@pytest.mark.parametrize("module", ["flows.planning.plan", "rl_core.rewards.pool"])
def test_without_a_judge_no_client_is_imported(module: str) -> None:
    assert start_judge(None, None) is None
    code = f"import sys, {module}; sys.exit(str({{'httpx', 'psutil'}} & sys.modules.keys() or ''))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stderr.strip() == ""
