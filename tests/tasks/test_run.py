from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.run import require_whole
from tasks.stage.digests import Digests
from tasks.stage.lease import StageFailed
from tasks.stage.spec import StageSpec, Upstream, at_work, why_not_done, write_manifest

CHECKPOINT = "checkpoints/step-000003"
FILES = {
    "train.parquet": "prompts",
    f"{CHECKPOINT}/model.safetensors": "weights",
    "rollouts/step-000001.parquet": "rows",
    "notes.json": "{}",
}


@pytest.fixture
def digests(tmp_path: Path) -> Digests:
    return Digests(tmp_path / "digests.json")


@pytest.mark.parametrize(
    ("role", "loaded"),
    [
        ("start", f"{CHECKPOINT}/model.safetensors"),
        ("reference", f"{CHECKPOINT}/model.safetensors"),
        ("checkpoints", f"{CHECKPOINT}/model.safetensors"),
        ("data", "train.parquet"),
        ("of", "rollouts/step-000001.parquet"),
    ],
)
@pytest.mark.follows("run again: stage {} is repaired or made anew")
def test_bits_that_rot_are_found_before_they_are_loaded(
    spec_of: Callable[..., StageSpec], digests: Digests, tmp_path: Path, role: str, loaded: str
) -> None:
    above = spec_of("cold", kind="sft")
    with at_work(above, digests):
        for name, text in FILES.items():
            (above.directory / name).parent.mkdir(parents=True, exist_ok=True)
            (above.directory / name).write_text(text)
        write_manifest(above, {"checkpoint": CHECKPOINT}, digests)
    upstream = Upstream(stage="cold", kind="sft", fingerprint=above.fingerprint, directory=above.directory, position=0)
    spec = spec_of(kind={"checkpoints": "eval", "of": "analyze"}.get(role, "rl"), upstream={role: [upstream]})
    require_whole(spec, digests)
    for name, text in FILES.items():
        path = above.directory / name
        state = path.stat()
        path.write_text("x" * len(text))
        os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
        assert why_not_done(above, digests) is None  # neither size nor time tell
        if name == loaded:
            with pytest.raises(StageFailed, match=rf"{name} was changed after it was made; run again: stage cold"):
                require_whole(spec, digests)
            assert why_not_done(above, Digests(tmp_path / "digests.json")) == f"{name} was changed after it was made"  # what it says holds
            return
        require_whole(spec, digests)  # it does not read this one
