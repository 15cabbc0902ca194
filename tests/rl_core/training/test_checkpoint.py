import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from rl_core.training.checkpoint import checkpoints, drop_others, latest_whole, save_checkpoint, verify
from tests.rights import modes_heeded


def save(root, step: int, keep_last: int = 2):
    return save_checkpoint(root, step, lambda path: (path / "weights").write_bytes(b"w" * step), {"step": step}, keep_last=keep_last)


def test_newest_are_kept_and_nothing_partial_counts(tmp_path) -> None:
    for step in (1, 2, 10):
        save(tmp_path, step)
    assert [path.name for path in checkpoints(tmp_path)] == ["step-000002", "step-000010"]
    (tmp_path / ".step-000011.partial").mkdir()
    path, state = latest_whole(tmp_path)
    assert (path.name, state) == ("step-000010", {"step": 10})
    save(tmp_path, 12)
    assert not list(tmp_path.glob(".*"))  # what a killed attempt left half written


@pytest.mark.parametrize("damage", ["flip", "truncate", "remove"])
def test_a_damaged_checkpoint_is_passed_over_and_the_loss_is_said(tmp_path, damage: str, capsys) -> None:
    save(tmp_path, 1)
    weights = save(tmp_path, 2) / "weights"
    if damage == "flip":
        weights.write_bytes(b"wx")
    elif damage == "truncate":
        weights.write_bytes(b"w")
    else:
        weights.unlink()
    assert not verify(weights.parent)
    path, _ = latest_whole(tmp_path)
    assert path.name == "step-000001"
    assert capsys.readouterr().err == f"warning: {weights.parent} does not match its digests; going on from the one before it\n"


def test_a_failed_write_leaves_the_older_checkpoints(tmp_path) -> None:
    save(tmp_path, 1, keep_last=1)

    def fail(path) -> None:
        raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space"):
        save_checkpoint(tmp_path, 2, fail, {"step": 2}, keep_last=1)
    assert [path.name for path in checkpoints(tmp_path)] == ["step-000001"]
    assert latest_whole(tmp_path / "nowhere") is None


def test_a_step_is_replaced_without_a_moment_in_which_none_is_there(tmp_path, monkeypatch) -> None:
    old = save(tmp_path, 3)
    (old / "old").touch()
    rename, seen = Path.rename, []

    def killed(path: Path, target: Path) -> Path:
        seen.append(sorted(directory.name for directory in tmp_path.iterdir()))
        if target == old:
            raise KeyboardInterrupt
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", killed)
    with pytest.raises(KeyboardInterrupt):
        save(tmp_path, 3)
    assert seen == [[".step-000003.partial", "step-000003"], [".step-000003.partial", ".step-000003.replaced"]]
    monkeypatch.undo()
    path, state = latest_whole(tmp_path)  # the next start finds the old one, in its place
    assert (path, state) == (old, {"step": 3})
    assert (old / "old").exists()
    save(tmp_path, 3)
    assert not (old / "old").exists()
    assert [directory.name for directory in tmp_path.iterdir()] == ["step-000003"]


def test_a_run_that_goes_back_drops_the_later_ones_and_keeps_its_own(tmp_path) -> None:
    for step in (4, 8, 12):
        save(tmp_path, step, keep_last=3)
    found = latest_whole(tmp_path, before=8)
    assert found is not None
    assert found[0].name == "step-000004"
    assert latest_whole(tmp_path, before=4) is None
    drop_others(tmp_path, 4)
    save(tmp_path, 5, keep_last=2)
    assert [path.name for path in checkpoints(tmp_path)] == ["step-000004", "step-000005"]


@pytest.mark.parametrize("damage", ["weights", "files.json"])
def test_a_damaged_one_before_the_newest_is_not_kept_as_an_output(tmp_path, damage: str, capsys) -> None:
    for step in (4, 8, 12):
        save(tmp_path, step, keep_last=3)
    damaged = tmp_path / "step-000008" / damage
    damaged.write_bytes(b"x" + damaged.read_bytes()[1:])
    found = latest_whole(tmp_path)
    assert found is not None
    assert found[0].name == "step-000012"
    assert capsys.readouterr().err == ""
    drop_others(tmp_path, 12)
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["step-000004", "step-000012"]
    assert capsys.readouterr().err.startswith(f"warning: {tmp_path}/step-000008 does not match its digests; removed")


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o002, 0o664), (0o077, 0o600)])
def test_weights_have_the_mode_that_the_umask_says(tmp_path, mask: int, mode: int) -> None:
    def write(path: Path) -> None:
        (path / "adapter").mkdir()
        for name in ("model.safetensors", "adapter/adapter_model.safetensors"):
            save_file({"weight": torch.zeros(2)}, path / name)
            (path / name).chmod(0o600)  # as safetensors leaves them

    before = os.umask(mask)
    try:
        made = save_checkpoint(tmp_path, 1, write, {"step": 1}, keep_last=1)
    finally:
        os.umask(before)
    assert {path.name: oct(path.stat().st_mode & 0o777) for path in made.rglob("*") if path.is_file()} == dict.fromkeys(
        ("model.safetensors", "adapter_model.safetensors", "trainer.json", "files.json"), oct(mode)
    )


def test_what_may_not_be_read_is_not_taken_for_damaged(tmp_path, capsys) -> None:
    (save(tmp_path, 1) / "weights").chmod(0)
    with modes_heeded(), pytest.raises(PermissionError, match="step-000001/weights"):
        latest_whole(tmp_path)
    assert capsys.readouterr().err == ""
