"""Which way a policy's weights take to vLLM's engines, and the form they have there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from rl_core.config.rl import RlConfig
from rl_core.errors import InputError
from rl_core.rollout.description import Transfer
from rl_core.rollout.engines import ENGINES
from rl_core.training.lora import is_adapter

if TYPE_CHECKING:
    import torch

HEAD, BIAS, EMBEDDING = "lm_head.weight", "lm_head.bias", "embed_tokens.weight"


def transfer_of(config: RlConfig, *, gpus: bool) -> Transfer:
    """From device to device where engines are on GPUs, unless the recipe wants a copy.

    NCCL has no two processes on one device; IPC wants a training process on each of an engine's.
    """
    resources = config.resources
    if not gpus or not ENGINES[config.engine].by_device or resources.weight_transfer == "copy":
        return "shared_memory"
    if not resources.ray:
        return "ipc" if resources.tensor_parallel == 1 else "shared_memory"
    return "nccl" if resources.placement == "separate" else "ipc"


class Form(NamedTuple):
    """What vLLM's copy of a model is like."""

    vocabulary: int  # rows of the embedding (rows, hidden), those of tokens that exist
    own_head: bool  # its output head is a weight of its own, even where the policy's is tied; Gemma 2 and Cohere cannot have that


def for_vllm(weights: Iterable[tuple[str, torch.Tensor]], form: Form) -> Iterator[tuple[str, torch.Tensor]]:
    """A policy's weights in the form that vLLM's copy of the model has. Adapters are left out: they go another way.

    Raises InputError if the embedding is not among them under the usual name, or there is an output head that vLLM's copy has no place for.
    """
    embedding: torch.Tensor | None = None
    own_head = False
    for name, tensor in weights:
        if is_adapter(name):
            continue
        own_head |= name == HEAD
        cut = tensor[: form.vocabulary] if name in (HEAD, BIAS) or name.endswith(EMBEDDING) else tensor
        embedding = cut if name.endswith(EMBEDDING) else embedding
        yield name.replace(".base_layer.", "."), cut.contiguous()
    if embedding is None:
        raise InputError(f"engine: vllm wants a model whose embedding is called {EMBEDDING}; use engine: transformers for this one")
    if own_head and not form.own_head:
        raise InputError(f"engine: vllm ties this model's {HEAD} to its {EMBEDDING}, the checkpoint does not; use engine: transformers")
    if form.own_head and not own_head:
        yield HEAD, embedding.clone()
