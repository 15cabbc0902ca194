"""Digests of what each finished step of an unfinished stage left: its line of metrics and its rollouts.

A finished stage has a manifest. Until then a resumed run would take over whatever became of these files; with the digests it goes back to
a checkpoint from before the first step that is not as it was.
"""

import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from rl_core.files import in_one_piece

FILE = ".step-digests.jsonl"  # hidden, for it is no output of the stage


def note_step(output: Path, step: int, line: bytes) -> None:
    """Add a step whose rollouts and line of metrics are written."""
    with (output / FILE).open("a") as file:
        file.write(json.dumps({"step": step, "sha256": _digest(output, step, line)}) + "\n")


def forget_after(output: Path, step: int) -> None:
    """A resumed run makes the later steps again."""
    known = {number: digest for number, digest in _known(output).items() if number <= step}
    with in_one_piece(output / FILE) as aside:
        aside.write_text("".join(json.dumps({"step": number, "sha256": digest}) + "\n" for number, digest in known.items()))


def damaged(output: Path, lines: dict[int, bytes], after: int = 0) -> Iterator[int]:
    """The steps that are not as they were when they were finished.

    Args:
        lines: those of `metrics.jsonl` by step.
        after: look only at the steps after this one.
    """
    known = _known(output)
    # A directory of an older version has no digests, or none of its first steps: what is not known is taken as it is.
    for step in range(max(min(known, default=1), after + 1), max(known, default=0) + 1):
        if known.get(step) != _digest(output, step, lines.get(step, b"")):
            yield step


def first_damaged(output: Path, lines: dict[int, bytes]) -> int | None:
    """The first of the `damaged` steps, which is named on stderr; None if all are as they were."""
    step = next(damaged(output, lines), None)
    if step is not None:
        print(
            f"warning: {output}: the metrics or rollouts of step {step} were changed after they were made; "
            "going on from the last checkpoint before it",
            file=sys.stderr,
            flush=True,
        )
    return step


def _digest(output: Path, step: int, line: bytes) -> str:
    digest = hashlib.sha256(line)
    rollouts = output / "rollouts" / f"step-{step:06d}.parquet"
    if rollouts.exists():
        digest.update(rollouts.read_bytes())
    return digest.hexdigest()


def _known(output: Path) -> dict[int, str]:
    """Digests by step; lines that are damaged are left out, so that their steps do not fit."""
    found = {}
    if (output / FILE).exists():
        for line in (output / FILE).read_bytes().splitlines():
            try:
                row = json.loads(line)
                found[int(row["step"])] = str(row["sha256"])
            except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
                continue
    return found
