"""Operations joined into few kernels by torch's compiler, on GPUs: one pass over a tensor there, instead of one for every operation.

TORCH_COMPILE_DISABLE=1 in the environment turns it off. On a machine without a C compiler, and for an architecture that torch's compiler
cannot read, torch warns, and training goes on without.
"""

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import torch
from transformers import PreTrainedModel
from transformers.modeling_layers import GradientCheckpointingLayer

from rl_core.model.pretrained import device

P = ParamSpec("P")
R = TypeVar("R")

# A layer is compiled for each of: one row or several, with a backward pass or without, first layer (whose input may need no gradient) or
# a later one. torch's own limit is 8.
KINDS = 32


@functools.cache
def fused(function: Callable[P, R]) -> Callable[P, R]:
    """The function, compiled for tensors of any length on a GPU. On a CPU as it is: compiling takes longer than it saves."""
    if device() != "cuda":
        return function
    _prepare()
    return torch.compile(function, dynamic=True)


def fuse_layers(model: PreTrainedModel) -> None:
    """The same for the layers of a decoder; they share what is compiled, so it takes as long as for one."""
    if device() == "cuda":
        _prepare()
        for layer in model.modules():
            if isinstance(layer, GradientCheckpointingLayer):
                layer.compile(dynamic=True)


def _prepare() -> None:
    torch._dynamo.config.suppress_errors = True
    torch._dynamo.config.recompile_limit = KINDS
