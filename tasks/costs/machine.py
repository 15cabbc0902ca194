"""The machine that a plan is for: this one, or one that is only named (`--on 8xh100`)."""

import math
import os
import platform
import re
import shutil
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from evals.engines import ENGINES
from rl_core.devices import DEVICES, GIB, Device, device_called
from rl_core.errors import InputError

PACKAGES = (*(engine.package for engine in ENGINES.values() if engine.package), "deepspeed")  # that a stage may ask for
CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
# Per core: what torch sustains in float32 on small matrices, and a share of a socket's memory channels.
CPU_FLOPS, CPU_BANDWIDTH = 6e10, 5e9


@dataclass(frozen=True)
class Machine:
    """What a machine has. None: not known, and no reason to refuse anything."""

    gpus: int | None
    device: Device | None = None  # what the GPUs are
    gpu_memory: float | None = None  # bytes, of the smallest GPU
    cores: int | None = None
    memory: float | None = None  # bytes
    packages: frozenset[str] | None = None  # of `PACKAGES`
    label: str = ""  # by which measurements tell machines apart

    @property
    def flops(self) -> float | None:
        """Of one GPU, or of all cores; at best on a GPU, sustained on a CPU."""
        if self.gpus == 0:
            return CPU_FLOPS * self.cores if self.cores else None
        return self.device.flops if self.device else None

    @property
    def bandwidth(self) -> float | None:
        """Bytes per second to and from the memory of one GPU, or of all cores."""
        if self.gpus == 0:
            return CPU_BANDWIDTH * self.cores if self.cores else None
        return self.device.bandwidth if self.device else None

    def __str__(self) -> str:
        parts = []
        if self.gpus == 0:
            parts.append("no GPU")
        elif self.gpus is not None:
            memory = f" of {self.gpu_memory / GIB:.0f} GB" if self.gpu_memory else ""
            parts.append(f"{self.gpus} GPU{'s' if self.gpus > 1 else ''}{memory}")
        if self.cores:
            parts.append(f"{self.cores} cores")
        if self.memory:
            parts.append(f"{self.memory / GIB:.0f} GB of memory")
        if self.packages is not None:
            parts += [name if name in self.packages else f"no {name}" for name in PACKAGES]
        return ", ".join(parts) or "not known"


@lru_cache(maxsize=1)
def this_machine() -> Machine:
    """GPUs as nvidia-smi or the AMD driver lists them, cores and memory that this process may use, engine packages."""
    import psutil

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    memory = min(psutil.virtual_memory().total, _memory_limit())
    packages = frozenset(name for name in PACKAGES if find_spec(name))
    gpus = _nvidia_gpus()
    if not gpus:
        return Machine(_amd_gpus(), None, None, cores, memory, packages, f"{cores} cores of {platform.node()}")
    name, sizes = gpus[0][0], [size for _, size in gpus if size is not None]
    return Machine(len(gpus), device_called(name), min(sizes, default=None), cores, memory, packages, f"{len(gpus)} x {name}")


def machine_called(text: str) -> Machine:
    """`8xh100`, `1xa100-40gb`, `4 x RTX 4090`; nothing but its GPUs is known of such a machine.

    Raises:
        InputError: no number of devices of the table.
    """
    match = re.fullmatch(r"\s*(?:(\d+)\s*x\s*)?(\S.*?)\s*", text, re.IGNORECASE)
    device = device_called(match[2]) if match else None
    count = int(match[1] or 1) if match else 0
    if device is None or count == 0:
        known = ", ".join(entry.name for entry in DEVICES)
        raise InputError(f"--on {text}: write how many of which device, such as 8xh100; known devices: {known}")
    return Machine(count, device, device.memory, label=f"{count} x {device.name}")


def _nvidia_gpus() -> list[tuple[str, float | None]]:
    """Name and bytes of the GPUs that this process may use; those that share the memory of the machine name none (DGX Spark: [N/A])."""
    command = shutil.which("nvidia-smi")
    if command is None:
        return []
    query = [command, "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    found: list[tuple[str, float | None]] = []
    for line in answer.splitlines():
        name, _, size = line.rpartition(",")
        if name:
            found.append((name.strip(), float(size) * 1024**2 if size.strip().isdigit() else None))
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return found if visible is None else found[: len([part for part in visible.split(",") if part.strip() not in ("", "-1")])]


def _amd_gpus() -> int | None:
    """0 where there is no AMD driver; what a driver without a list has is not known."""
    nodes = list(Path("/sys/class/kfd/kfd/topology/nodes").glob("*/gpu_id"))
    if not nodes:
        return None if Path("/dev/kfd").exists() else 0
    try:
        return sum(path.read_text().strip() not in ("", "0") for path in nodes)
    except OSError:
        return None


def _memory_limit() -> float:
    """Of the container that this process is in."""
    for path in CGROUP_LIMITS:
        with suppress(OSError, ValueError):  # another version of cgroups, or `max`
            return float(int(path.read_text()))
    return math.inf
