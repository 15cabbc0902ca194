"""What a result was made with, to decide whether two scores are comparable."""

import subprocess
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


def version_of(*names: str) -> str | None:
    """The version of the first of several packages that is installed."""
    for name in names:
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return None


@cache
def git_state() -> dict[str, Any] | None:
    """Commit of the code that runs, and whether files differ from it; None outside of a checkout."""
    if not (ROOT / ".git").exists():  # else git would look further up, and find the project of whoever installed this
        return None

    def git(*arguments: str) -> str:
        return subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=True, timeout=10).stdout.strip()

    try:
        return {"commit": git("rev-parse", "HEAD"), "changed": bool(git("status", "--porcelain", "--untracked-files=no"))}
    except (OSError, subprocess.SubprocessError):
        return None


def software() -> dict[str, Any]:
    """Versions that verdicts depend on, and the state of the code."""
    return {"r1flow": version_of("r1flow"), "math_verify": version_of("math-verify"), "git": git_state()}
