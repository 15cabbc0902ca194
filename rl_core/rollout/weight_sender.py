"""The training side of vLLM's weight transfer: a policy's weights to engines on GPUs, from device to device.

To engines with devices of their own they are broadcast over NCCL by the first training process. Engines on the trainers' devices read
them there by CUDA IPC, each of its devices from the process beside it. Imported only where vLLM is.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import torch
from vllm.distributed.weight_transfer.base import ParamMeta, TrainerWeightTransferEngine, WeightSource, WeightTransferUpdatePayload
from vllm.distributed.weight_transfer.factory import WeightTransferTrainerFactory
from vllm.distributed.weight_transfer.ipc_engine import IPCTrainerInitInfo
from vllm.distributed.weight_transfer.nccl_engine import NCCLTrainerInitInfo
from vllm.distributed.weight_transfer.packed_tensor import DEFAULT_PACKED_BUFFER_SIZE_BYTES

from rl_core.rollout.description import Transfer
from rl_core.rollout.vllm_weights import Form, for_vllm

CallEach = Callable[[str, Sequence[dict[str, Any]]], object]


class Engines:
    """Engines as vLLM's training side calls them, a `VLLMWeightSyncClient`: a call goes to all at once and returns after the last."""

    def __init__(self, call_each: CallEach, number: int, devices: int) -> None:
        """
        Args:
            call_each: calls a method of every engine's workers, each with its own arguments.
            number: of engines.
            devices: of each engine.
        """
        self.call_each, self.number, self.devices = call_each, number, devices

    def init_weight_transfer_engine(self, init_info: dict[str, Any]) -> None:
        """Let the engines meet the sender. In a group over NCCL an engine's devices follow those of the engine before."""
        infos = [dict(init_info) for _ in range(self.number)]
        if "rank_offset" in init_info:
            for engine, info in enumerate(infos):
                info["rank_offset"] += engine * self.devices
        self.call_each("init_weight_transfer_engine", [{"init_info": info} for info in infos])

    def start_weight_update(self) -> None:
        """New weights are to come."""
        self.call_each("start_weight_update", [{}] * self.number)

    def update_weights(self, update_info: WeightTransferUpdatePayload) -> None:
        """Weights come, all of them or a part."""
        self.call_each("update_weights", [{"update_info": update_info}] * self.number)

    def finish_weight_update(self, weight_version: str | None = None) -> None:
        """All weights have come; their version is not counted here."""
        self.call_each("finish_weight_update", [{}] * self.number)


class PolicyWeights(WeightSource):
    """The weights as engines want them, gathered anew whenever it is gone through."""

    def __init__(self, weights: Callable[[], Iterable[tuple[str, torch.Tensor]]], form: Form) -> None:
        self.weights, self.form = weights, form
        self.found: list[ParamMeta] = []

    def __iter__(self) -> Iterator[tuple[str, torch.Tensor]]:
        return for_vllm(self.weights(), self.form)

    def metadata(self) -> list[ParamMeta]:
        """Names, types and shapes: they never change, so that the weights are gathered for them only once."""
        self.found = self.found or [ParamMeta(name, tensor.dtype, tuple(tensor.shape)) for name, tensor in self]
        return self.found

    def largest(self) -> int:
        """Bytes of the largest weight."""
        return max(meta.dtype.itemsize * torch.Size(meta.shape).numel() for meta in self.metadata())


def weight_sender(
    transfer: Transfer, engines: Engines, weights: PolicyWeights, *, rank: int = 0, address: str = ""
) -> TrainerWeightTransferEngine[Any]:
    """Connect a training process with the engines; every process of the policy makes one, and all call its `send_weights` together.

    Args:
        rank: of the process; the first one talks to the engines.
        address: host:port at which the engines meet the first process, over NCCL.
    """
    info: NCCLTrainerInitInfo | IPCTrainerInitInfo
    if transfer == "nccl":
        host, _, port = address.rpartition(":")
        info = NCCLTrainerInitInfo(host, int(port), 1 + engines.number * engines.devices, rank=rank)
    else:
        # One buffer carries part after part of the weights; no weight may be larger than it.
        size = max(DEFAULT_PACKED_BUFFER_SIZE_BYTES, weights.largest())
        info = IPCTrainerInitInfo(packed=True, packed_buffer_size_bytes=size, rank=rank)
    return WeightTransferTrainerFactory.trainer_init(info, client=engines, source=weights)
