"""What this machine has and lacks."""

import os
import platform
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from evals.engines import ENGINES
from evals.provenance import version_of
from tasks.format import gigabytes
from tasks.workspace import Workspace, WorkspaceError, named_address

MEMORY = 6e9  # bytes: what quickstart needs
DISK = 5e9
PORTS = {  # who takes a port, and how to give another one
    4200: ("Prefect's server", "r1flow up --prefect-port N"),
    5000: ("MLflow's server", "r1flow up --mlflow-port N"),
    8265: ("Ray's dashboard", "Ray finds one by itself"),
}
OPTIONAL: dict[str, tuple[tuple[str, ...], str]] = {  # what is imported: the packages that bring it, and how to get one
    **{engine.package: (engine.distributions, engine.install) for engine in ENGINES.values() if engine.package},
    "deepspeed": (("deepspeed",), "pip install 'r1flow[gpu]'"),
}


@dataclass(frozen=True)
class Finding:
    """One line of the examination."""

    subject: str
    text: str
    fine: bool = True
    needed: bool = True  # if it is not fine, nothing works; otherwise it is a note


def examine(workspace: Workspace, data_dir: Path | None) -> list[Finding]:
    """Look at everything; imports no heavy package."""
    return [*_python(), *_packages(), *_devices(), _memory(), _workspace(workspace), *_ports(), *_servers(), *_data(data_dir)]


def _python() -> Iterator[Finding]:
    fine = (3, 11) <= sys.version_info[:2] < (3, 13)
    remedy = "" if fine else "; needed is 3.11 or 3.12: make quickstart PYTHON=python3.11"
    yield Finding("python", f"{platform.python_version()} on {platform.system()} {platform.machine()}{remedy}", fine)


def _packages() -> Iterator[Finding]:
    from packaging.requirements import Requirement

    try:
        required = [Requirement(line) for line in requires("r1flow") or []]
    except PackageNotFoundError:
        yield Finding("r1flow", "not installed in this environment: pip install -e . in the repository", fine=False)
        return
    found = []
    for requirement in required:
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        installed = version_of(requirement.name)
        if installed is None:
            yield Finding(requirement.name, f"not installed: pip install '{requirement}'", fine=False)
        elif requirement.specifier.contains(installed, prereleases=True):
            found.append(f"{requirement.name} {installed}")
        else:
            yield Finding(requirement.name, f"{installed} is not {requirement.specifier}: pip install '{requirement}'", fine=False)
    yield Finding("packages", ", ".join(found))
    for name, (packages, remedy) in OPTIONAL.items():
        there = [f"{package} {there_is}" for package in packages if (there_is := version_of(package))]
        text = ", ".join(there) or f"not installed; where it is wanted: {remedy}"
        yield Finding(name, text, fine=bool(there), needed=False)


def _devices() -> Iterator[Finding]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    yield Finding("cpu", f"{cores} cores", fine=cores >= 2, needed=False)
    command = shutil.which("nvidia-smi")
    if command is None:
        yield Finding("gpu", "none (no nvidia-smi); small models train on the CPU", fine=False, needed=False)
        return
    query = [command, "--query-gpu=name,memory.total,memory.free,driver_version", "--format=csv,noheader"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError) as error:
        yield Finding("gpu", f"nvidia-smi does not answer ({type(error).__name__}); look at the driver", fine=False, needed=False)
        return
    for line in answer.strip().splitlines():
        yield Finding("gpu", line)


def _memory() -> Finding:
    import psutil

    memory = psutil.virtual_memory()
    text = f"{gigabytes(memory.available)} free of {gigabytes(memory.total)}"
    fine = memory.available >= MEMORY
    return Finding("memory", text if fine else f"{text}; quickstart needs {gigabytes(MEMORY)}", fine, needed=False)


def _workspace(workspace: Workspace) -> Finding:
    existing = next(path for path in (workspace.root, *workspace.root.parents) if path.exists())
    try:
        workspace.require_writable(workspace.root / "any", "another --workspace")  # in it: it may be there, and a file
    except WorkspaceError as error:
        return Finding("workspace", str(error), fine=False)
    try:
        workspace.require_space(int(DISK))
    except WorkspaceError as error:
        return Finding("disk", str(error), fine=False, needed=False)
    return Finding("workspace", f"{workspace.root}, {gigabytes(shutil.disk_usage(existing).free)} of disk free")


def _ports() -> Iterator[Finding]:
    for port, (use, instead) in PORTS.items():
        with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
            probe.settimeout(0.5)
            taken = probe.connect_ex(("127.0.0.1", port)) == 0
        if taken:
            yield Finding(f"port {port}", f"taken: {use} needs another one: {instead}", fine=False, needed=False)
        else:
            yield Finding(f"port {port}", f"free for {use}")


def _servers() -> Iterator[Finding]:
    for name, otherwise in (
        ("PREFECT_API_URL", "embedded in the workspace"),
        ("MLFLOW_TRACKING_URI", "SQLite in the workspace"),
        ("RAY_ADDRESS", "a local cluster for each training stage"),
    ):
        subject = name.partition("_")[0].lower()
        try:
            yield Finding(subject, named_address(name) or otherwise)
        except WorkspaceError as error:
            yield Finding(subject, str(error), fine=False)


def _data(data_dir: Path | None) -> Iterator[Finding]:
    if data_dir is None:
        yield Finding("data", "no --data-dir: puzzles are generated, other data comes from the hub")
        return
    if not data_dir.is_dir():
        yield Finding("data", f"{data_dir}: no such directory", fine=False)
        return
    from evals.benchmarks.registry import BENCHMARKS
    from rl_core.environments.registry import ENVIRONMENTS

    there = [name for name, found in BENCHMARKS.items() if all((data_dir / file).is_file() for file in found.files)]
    there += [f"{name} (training)" for environment in ENVIRONMENTS.values() for name in environment.sets_in(data_dir)]
    yield Finding("data", f"{data_dir} has {', '.join(there) or 'none of the known data sets'}", fine=bool(there), needed=False)
