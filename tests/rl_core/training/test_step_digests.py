from __future__ import annotations

from pathlib import Path

import pytest

from rl_core.fence import Fence
from rl_core.training.journal import Journal, read_steps
from rl_core.training.step_digests import FILE


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    """Of a stage with four finished steps."""
    (tmp_path / "rollouts").mkdir()
    journal = Journal(tmp_path, 9, Fence(None))
    for step in range(1, 5):
        (tmp_path / "rollouts" / f"step-{step:06d}.parquet").write_bytes(bytes(range(step)))
        journal.log(step, {"reward": step / 8})
    return journal


def flip(path: Path, position: int, bit: int = 0) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 1 << bit
    path.write_bytes(content)


@pytest.mark.slow
def test_every_bit_of_the_metrics_and_rollouts_counts(journal: Journal, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    metrics = tmp_path / "metrics.jsonl"
    lengths = [len(line) + 1 for line in metrics.read_bytes().splitlines()]
    for step, begins in enumerate((sum(lengths[:n]) for n in range(4)), start=1):
        for position in range(begins, begins + lengths[step - 1]):
            for bit in range(8):
                flip(metrics, position, bit)
                found = journal.first_damaged()
                assert found is not None
                assert found <= step
                flip(metrics, position, bit)
    flip(tmp_path / "rollouts" / "step-000003.parquet", 1)
    capsys.readouterr()
    assert journal.first_damaged() == 3
    assert "the metrics or rollouts of step 3 were changed" in capsys.readouterr().err
    flip(tmp_path / "rollouts" / "step-000003.parquet", 1)
    assert journal.first_damaged() is None
    assert capsys.readouterr().err == ""


def test_a_step_whose_digest_is_damaged_is_made_again(journal: Journal, tmp_path: Path) -> None:
    row = (tmp_path / FILE).read_bytes().index(b"\n") + 1
    flip(tmp_path / FILE, row + 20)  # a digit or the quotation marks of the second step's digest
    assert journal.first_damaged() == 2


def test_what_came_after_the_checkpoint_is_forgotten(journal: Journal, tmp_path: Path) -> None:
    journal.rewind(2)
    (tmp_path / "rollouts" / "step-000003.parquet").unlink()
    assert journal.first_damaged() is None
    journal.log(3, {"reward": 0.0})
    assert journal.first_damaged() is None
    assert [row["step"] for row in read_steps(tmp_path / "metrics.jsonl")] == [1, 2, 3]


def test_a_run_that_was_killed_while_it_wrote_is_not_called_damaged(journal: Journal, tmp_path: Path) -> None:
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 5, "rew')
    with (tmp_path / FILE).open("a") as file:
        file.write('{"step": 5, "sha')
    assert journal.first_damaged() is None


def test_a_directory_of_an_older_version_is_taken_as_it_is(journal: Journal, tmp_path: Path) -> None:
    (tmp_path / FILE).unlink()
    flip(tmp_path / "metrics.jsonl", 12)
    assert journal.first_damaged() is None
    journal.log(5, {"reward": 0.0})
    assert journal.first_damaged() is None
