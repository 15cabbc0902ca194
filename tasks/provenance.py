"""With what a run was made: code, packages, hardware; as MLflow tags."""

import os
import platform
import shutil
import subprocess
from pathlib import Path

from evals.engines import ENGINES
from evals.provenance import ROOT, git_state, version_of

OF_ENGINES = (name for engine in ENGINES.values() for name in engine.distributions)
PACKAGES = ("r1flow", "torch", "ray", *OF_ENGINES, "deepspeed", "peft", "prefect", "mlflow", "duckdb", "datasets")
LARGEST_DIFF = 1_000_000  # characters


def made_with() -> dict[str, str]:
    state = git_state()
    return versions() | hardware() | ({"r1flow.git.commit": state["commit"]} if state else {})


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that results may depend on."""
    found = {f"r1flow.version.{name}": known for name in PACKAGES if (known := version_of(name))}
    return {"r1flow.version.python": platform.python_version()} | found


def hardware() -> dict[str, str]:
    import psutil

    found = {
        "r1flow.host": platform.node(),
        "r1flow.cpu": f"{os.cpu_count()} x {_processor()}",
        "r1flow.memory": f"{psutil.virtual_memory().total / 1e9:.0f} GB",
    }
    command = shutil.which("nvidia-smi")
    if command and (gpus := _output([command, "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"])):
        found["r1flow.gpu"] = "; ".join(gpus.splitlines())
    return found


def git_diff() -> str | None:
    """Changes of tracked files since that commit; None without any."""
    return (_output(["git", "-C", str(ROOT), "diff", "HEAD"]) or "")[:LARGEST_DIFF] or None if git_state() else None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _output(command: list[str]) -> str | None:
    try:
        return subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
