from __future__ import annotations

import stat
from pathlib import Path

import pytest

from rl_core.devices import GIB
from rl_core.errors import InputError
from tasks.costs.machine import Machine, machine_called, this_machine


@pytest.fixture(autouse=True)
def _look_again() -> None:
    this_machine.cache_clear()


@pytest.fixture
def nvidia_smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with two GPUs, as nvidia-smi lists them."""
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'NVIDIA A100-SXM4-80GB, 81920'\necho 'NVIDIA A100-SXM4-80GB, 81920'\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return program


def test_gpus_as_nvidia_smi_lists_them(nvidia_smi: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = this_machine()
    assert (machine.gpus, machine.gpu_memory, machine.label) == (2, 80 * GIB, "2 x NVIDIA A100-SXM4-80GB")
    assert machine.flops == 312e12
    this_machine.cache_clear()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert this_machine().gpus == 1
    this_machine.cache_clear()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert this_machine().gpus == 0


def test_a_gpu_that_the_table_does_not_have_is_there_all_the_same(nvidia_smi: Path) -> None:
    nvidia_smi.write_text("#!/bin/sh\necho 'NVIDIA GeForce GTX 1080 Ti, 11264'\n")
    machine = this_machine()
    assert (machine.gpus, machine.gpu_memory, machine.flops) == (1, 11264 * 1024**2, None)


def test_a_gpu_that_shares_the_memory_of_the_machine(nvidia_smi: Path) -> None:
    nvidia_smi.write_text("#!/bin/sh\necho 'NVIDIA GB10, [N/A]'\n")  # as a DGX Spark answers
    machine = this_machine()
    assert (machine.gpus, machine.gpu_memory, machine.flops) == (1, None, None)


def test_a_driver_that_does_not_answer(nvidia_smi: Path) -> None:
    nvidia_smi.write_text("#!/bin/sh\nexit 9\n")
    assert this_machine().gpus == 0


@pytest.mark.parametrize(
    ("text", "gpus", "memory"),
    [("8xh100", 8, 80), ("1xa100-40gb", 1, 40), ("4 x L40S", 4, 48), ("2xrtx4090", 2, 24), ("RTX 4090", 1, 24), ("16xMI300X", 16, 192)],
)
def test_a_machine_by_its_name(text: str, gpus: int, memory: int) -> None:
    machine = machine_called(text)
    assert (machine.gpus, machine.gpu_memory) == (gpus, memory * GIB)
    assert (machine.cores, machine.memory, machine.packages) == (None, None, None)


@pytest.mark.parametrize("text", ["", "8", "8xh1000", "0xh100", "h100x8", "-1xh100"])
def test_a_machine_that_nobody_knows(text: str) -> None:
    with pytest.raises(InputError, match=r"--on .*such as 8xh100; known devices: b300, b200, h200, h100,"):
        machine_called(text)


def test_what_is_known_in_words() -> None:
    assert str(Machine(0, cores=2, memory=23 * GIB, packages=frozenset({"deepspeed"}))) == (
        "no GPU, 2 cores, 23 GB of memory, no vllm, deepspeed"
    )
    assert str(machine_called("8xh100")) == "8 GPUs of 80 GB"
    assert str(Machine(None)) == "not known"
