"""The processes that train one model together, and what they tell each other."""

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist

from rl_core.model.pretrained import device
from rl_core.training.sequences import TokenSequence


@dataclass(frozen=True)
class TrainingGroup:
    """This process's place among those that train. Every process must make the same calls in the same order."""

    rank: int = 0
    size: int = 1

    def share(self, sequences: Sequence[TokenSequence]) -> list[int]:
        """Indices of this process's rows: every `size`-th in the order of length, so that all have nearly equal work."""
        order = sorted(range(len(sequences)), key=lambda index: len(sequences[index]), reverse=True)
        return order[self.rank :: self.size]

    def sum_(self, tensor: torch.Tensor) -> torch.Tensor:
        """Replace a tensor by its sum over the processes."""
        if self.size > 1:
            dist.all_reduce(tensor)
        return tensor

    def largest(self, value: int) -> int:
        """The largest of the processes' values."""
        if self.size == 1:
            return value
        found = torch.tensor(value)
        dist.all_reduce(found, op=dist.ReduceOp.MAX)
        return int(found)

    def gather(self, value: Any) -> list[Any]:
        """The values of all processes, by rank."""
        if self.size == 1:
            return [value]
        found: list[Any] = [None] * self.size
        dist.all_gather_object(found, value)
        return found


def join(rank: int, size: int, address: str, timeout: float) -> TrainingGroup:
    """Meet the other processes at `address` (host:port of rank 0) and exchange a first number with all of them.

    Raises RuntimeError if they did not come within `timeout` seconds.
    """
    limit = timedelta(seconds=timeout)
    try:
        store = _store(address, rank, size, limit)
        dist.init_process_group(_communication(), store=store, rank=rank, world_size=size, timeout=limit)
        ranks = dist.get_world_size() * (dist.get_world_size() - 1) // 2
        total = torch.tensor(rank, device=device())
        dist.all_reduce(total)
    except (RuntimeError, OSError, dist.DistError) as error:
        raise RuntimeError(f"training worker {rank} of {size} could not reach the others at {address} within {timeout:.0f} s") from error
    if int(total) != ranks:
        raise RuntimeError(f"training worker {rank} of {size}: an all-reduce of the ranks gave {int(total)} instead of {ranks}")
    return TrainingGroup(rank, size)


def _store(address: str, rank: int, size: int, limit: timedelta) -> Any:
    """Where the processes find each other; one that torch opens itself listens on every interface of rank 0's machine."""
    host, _, port = address.rpartition(":")
    listener: dict[str, Any] = {}
    if rank == 0:
        opened = socket.create_server((host, int(port)), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        listener = {"master_listen_fd": opened.detach()}
    return dist.TCPStore(host, int(port), size, is_master=rank == 0, timeout=limit, **listener)  # type: ignore[attr-defined]


def alone() -> TrainingGroup:
    """A group of this process only, for libraries that want a process group; nothing listens."""
    if not dist.is_initialized():
        dist.init_process_group(_communication(), store=dist.HashStore(), rank=0, world_size=1)  # type: ignore[attr-defined]
    return TrainingGroup()


def _communication() -> str:
    """CPU tensors always have a way, so that lists and counts need no device; gradients of a GPU go over NCCL."""
    return "cpu:gloo,cuda:nccl" if device() == "cuda" else "gloo"
