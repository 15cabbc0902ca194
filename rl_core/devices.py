"""Accelerators by name: memory, arithmetic and bandwidth as their makers' data sheets give them."""

import re
from dataclasses import dataclass

GIB = 1024**3


@dataclass(frozen=True)
class Device:
    """One accelerator."""

    name: str  # as it is typed: h100, a100-80gb
    gibibytes: int  # of memory
    flops: float  # dense bfloat16 products per second; float32 where it has no bfloat16
    bandwidth: float  # bytes per second to and from its memory

    @property
    def memory(self) -> float:
        """Bytes."""
        return float(self.gibibytes * GIB)


# From the data sheet or white paper of each. Sheets that give products with sparsity are halved.
DEVICES = [
    Device("b300", 270, 2250e12, 8.0e12),  # NVIDIA DGX B300: 2.1 TB of eight
    Device("b200", 180, 2250e12, 8.0e12),  # NVIDIA DGX B200: 1,440 GB and 64 TB/s of eight
    Device("h200", 141, 989e12, 4.8e12),
    Device("h100", 80, 989e12, 3.35e12),  # SXM
    Device("h100-nvl", 94, 835e12, 3.9e12),
    Device("h100-pcie", 80, 756e12, 2.0e12),
    Device("h800", 80, 989e12, 3.35e12),
    Device("h20", 96, 148e12, 4.0e12),
    Device("a100", 80, 312e12, 2.039e12),  # SXM
    Device("a100-80gb", 80, 312e12, 2.039e12),
    Device("a100-40gb", 40, 312e12, 1.555e12),
    Device("a800", 80, 312e12, 2.039e12),
    Device("l40s", 48, 362e12, 864e9),
    Device("l40", 48, 181e12, 864e9),
    Device("a40", 48, 150e12, 696e9),
    Device("a6000", 48, 155e12, 768e9),
    Device("a5000", 24, 111e12, 768e9),
    Device("rtx-pro-6000", 96, 503e12, 1.792e12),
    Device("rtx6000-ada", 48, 364e12, 960e9),
    Device("rtx5090", 32, 209e12, 1.792e12),
    Device("rtx4090", 24, 165e12, 1.008e12),
    Device("rtx3090", 24, 71e12, 936e9),
    Device("l4", 24, 121e12, 300e9),
    Device("a10", 24, 125e12, 600e9),
    Device("a10g", 24, 70e12, 600e9),
    Device("v100", 32, 15.7e12, 900e9),  # no bfloat16
    Device("t4", 16, 8.1e12, 320e9),  # no bfloat16
    Device("mi300x", 192, 1307e12, 5.3e12),  # AMD
    Device("mi325x", 256, 1307e12, 6.0e12),
]


def device_called(name: str) -> Device | None:
    """The device meant by `H100`, `NVIDIA A100-SXM4-40GB` or `NVIDIA GeForce RTX 4090`; None: not in the table."""
    words = set(_words(name))
    fitting = [device for device in DEVICES if words.issuperset(_words(device.name))]
    return max(fitting, key=lambda device: len(_words(device.name)), default=None)


def _words(name: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", re.sub(r"rtx\s*-?\s*(?=[0-9])", "rtx", name.casefold()))
