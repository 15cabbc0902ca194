"""Which way a policy's weights take to vLLM's engines, and the form they have there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Literal

from rl_core.config import RlConfig
from rl_core.errors import InputError

if TYPE_CHECKING:
    import torch

Transfer = Literal["nccl", "ipc", "shared_memory"]
HEAD, EMBEDDING = "lm_head.weight", "embed_tokens.weight"


def transfer_of(config: RlConfig, *, gpus: bool) -> Transfer:
    """From device to device where engines are on GPUs, unless the recipe wants a copy.

    NCCL has no two processes on one device; IPC wants a training process on each of an engine's.
    """
    resources = config.resources
    if not gpus or config.engine != "vllm" or resources.weight_transfer == "copy":
        return "shared_memory"
    if not resources.ray:
        return "ipc" if resources.tensor_parallel == 1 else "shared_memory"
    return "nccl" if resources.placement == "separate" else "ipc"


def for_vllm(weights: Iterable[tuple[str, torch.Tensor]], vocabulary: int) -> Iterator[tuple[str, torch.Tensor]]:
    """Weights of a model whose embedding (rows, hidden) is cut to the tokens that exist and whose output head is its own, not tied.

    Raises:
        InputError: the embedding is not among them under the usual name.
    """
    embedding: torch.Tensor | None = None
    own_head = False
    for name, tensor in weights:
        own_head |= name == HEAD
        cut = tensor[:vocabulary] if name == HEAD or name.endswith(EMBEDDING) else tensor
        embedding = cut if name.endswith(EMBEDDING) else embedding
        yield name, cut.contiguous()
    if embedding is None:
        raise InputError(f"engine: vllm wants a model whose embedding is called {EMBEDDING}; use engine: transformers for this one")
    if not own_head:
        yield HEAD, embedding.clone()
