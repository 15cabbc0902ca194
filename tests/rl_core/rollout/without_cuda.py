"""What moves bytes in vLLM's weight transfer, without CUDA: a store for NCCL, files for CUDA IPC. All the rest is vLLM's own."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from vllm.distributed.utils import StatelessProcessGroup
from vllm.distributed.weight_transfer import ipc_engine, nccl_common, nccl_engine
from vllm.distributed.weight_transfer.packed_tensor import PackedIpcChunk

from rl_core.config.rl import RlConfig
from rl_core.rollout import vllm_engine
from rl_core.rollout.engine import RolloutEngine
from rl_core.rollout.vllm_weights import Transfer
from rl_core.training.backends.collective import TrainingGroup
from rl_core.training.policy import Policy
from rl_core.workers.build import make_engine, make_policy
from rl_core.workers.interface import Models
from tests import warm_vllm

PART = 5  # weights that travel together


def own_device() -> str:
    """The device of a training process, or of the part of an engine beside it."""
    return f"GPU-{torch.distributed.get_rank() if torch.distributed.is_initialized() else 0}"


class Store:
    """Broadcasts through the store at which the members of a group met."""

    def __init__(self, group: StatelessProcessGroup) -> None:
        self.group = group

    def destroy(self) -> None:
        """Nothing is held."""


def meet(host: str, port: int, rank: int, world_size: int, device: int) -> Store:
    return Store(StatelessProcessGroup.create(host, port, rank, world_size))


def broadcast(iterator: Iterator[tuple[str, torch.Tensor]], group: Store, src: int, **_: Any) -> None:
    for item in iterator:
        group.group.broadcast_obj(item, src)


def receive(iterator: Iterator[tuple[str, Any]], group: Store, src: int, post_unpack_func: Callable[[Any], Any], **_: Any) -> None:
    for name, (shape, dtype) in iterator:
        sent, tensor = group.group.broadcast_obj(None, src)
        assert (sent, list(tensor.shape), tensor.dtype) == (name, list(shape), dtype)
        post_unpack_func([(name, tensor)])


def write_parts(iterator: Iterator[tuple[str, torch.Tensor]], gpu_uuid: str, **_: Any) -> Iterator[PackedIpcChunk]:
    weights = list(iterator)
    with tempfile.TemporaryDirectory() as directory:
        for first in range(0, len(weights), PART):
            part = dict(weights[first : first + PART])
            path = Path(directory) / "part.safetensors"  # the same for all parts, as the buffer on a GPU
            save_file(part, path)
            shapes, dtypes = [list(tensor.shape) for tensor in part.values()], [str(tensor.dtype)[6:] for tensor in part.values()]
            yield PackedIpcChunk(list(part), shapes, dtypes, [tensor.nbytes for tensor in part.values()], {gpu_uuid: (str(path),)})


def read_part(ipc_handle: dict[str, tuple[str]], names: list[str], **_: Any) -> list[tuple[str, torch.Tensor]]:
    found = load_file(ipc_handle[own_device()][0])
    return [(name, found[name].clone()) for name in names]


def install(put: Callable[[Any, str, Any], Any] = setattr) -> None:
    """Put all that in place, in this process."""
    for owner, name, replacement in (
        (torch.accelerator, "current_device_index", lambda: 0),
        (torch.accelerator, "synchronize", lambda *_: None),
        (torch.cuda, "get_device_properties", lambda *_: SimpleNamespace(uuid=own_device())),
        (torch.cuda, "synchronize", lambda: None),
        (torch.cuda, "ipc_collect", lambda: None),
        (nccl_common, "stateless_init_process_group", meet),
        (nccl_engine, "packed_nccl_broadcast_producer", broadcast),
        (nccl_engine, "packed_nccl_broadcast_consumer", receive),
        (ipc_engine, "packed_ipc_producer", write_parts),
        (ipc_engine, "packed_ipc_consumer", read_part),
        (vllm_engine, "WORKER_EXTENSION", "tests.rl_core.rollout.vllm_worker_without_cuda.WorkerExtension"),
    ):
        put(owner, name, replacement)


def make_engine_without_cuda(models: Models, config: RlConfig, transfer: Transfer) -> RolloutEngine:
    """For a Ray actor: `make_engine`."""
    install()
    warm_vllm.install()
    return make_engine(models, config, transfer)


def make_policy_without_cuda(models: Models, config: RlConfig, group: TrainingGroup | None = None) -> Policy:
    """For a Ray actor: `make_policy`."""
    install()
    return make_policy(models, config, group)
