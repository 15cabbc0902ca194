from __future__ import annotations

import pytest

from rl_core.devices import DEVICES, device_called


@pytest.mark.parametrize(
    ("name", "device"),
    [
        # As nvidia-smi and torch write them.
        ("NVIDIA H100 80GB HBM3", "h100"),
        ("NVIDIA H100 PCIe", "h100-pcie"),
        ("NVIDIA H100 NVL", "h100-nvl"),
        ("NVIDIA H200", "h200"),
        ("NVIDIA H20", "h20"),
        ("NVIDIA A100-SXM4-80GB", "a100-80gb"),
        ("NVIDIA A100-PCIE-40GB", "a100-40gb"),
        ("NVIDIA A10G", "a10g"),
        ("NVIDIA A10", "a10"),
        ("NVIDIA L40S", "l40s"),
        ("NVIDIA L4", "l4"),
        ("NVIDIA RTX A6000", "a6000"),
        ("NVIDIA GeForce RTX 4090", "rtx4090"),
        ("NVIDIA RTX PRO 6000 Blackwell Server Edition", "rtx-pro-6000"),
        ("NVIDIA RTX 6000 Ada Generation", "rtx6000-ada"),
        ("NVIDIA B300 SXM6 AC", "b300"),
        ("NVIDIA A100 80GB PCIe", "a100-80gb"),
        ("NVIDIA GB10", None),
        ("Tesla T4", "t4"),
        ("Tesla V100-SXM2-32GB", "v100"),
        ("AMD Instinct MI300X", "mi300x"),
        # As people type them.
        ("8xH100", None),
        ("rtx-4090", "rtx4090"),
        ("A100", "a100"),
        ("NVIDIA GeForce GTX 1080 Ti", None),
    ],
)
def test_a_device_by_its_name(name: str, device: str | None) -> None:
    found = device_called(name)
    assert (found.name if found else None) == device


def test_figures_are_of_their_order() -> None:
    for device in DEVICES:
        assert device_called(device.name) == device
        assert 16 <= device.gibibytes <= 300
        # Products per byte: from 25 (T4, in float32) to a few hundred, as makers balance them.
        assert 15 < device.flops / device.bandwidth < 500
