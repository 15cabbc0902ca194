"""A model's own logits, at the positions that are asked for."""

from __future__ import annotations

from typing import Any

import torch
from transformers import PreTrainedModel

from rl_core.model.pretrained import ModelError


def logits_at(model: PreTrainedModel, positions_M: torch.Tensor, **inputs: Any) -> torch.Tensor:
    """Logits (M, V) of the model's own forward pass.

    What a model does besides multiplying with its output head (soft caps, scales, biases) is done by its own code. Only the head's input is
    cut down to the positions: with a vocabulary of 50,000 the logits are most of the memory.

    Args:
        positions_M: which of the batch's B x T positions, in row-major order.
        inputs: of the model: input_ids (B, T), ...

    Raises:
        ModelError: the model has no output head that sees every position once.
    """
    head = model.get_output_embeddings()
    if head is None:
        raise _without_head(model)

    def cut(_: torch.nn.Module, arguments: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        hidden_BTH, *others = arguments
        return (hidden_BTH.flatten(0, -2)[None, positions_M], *others)

    handle = head.register_forward_pre_hook(cut)
    try:
        logits: torch.Tensor = model(**inputs).logits
    finally:
        handle.remove()
    if logits.shape[:2] != (1, len(positions_M)):
        raise _without_head(model)
    return logits[0]


def _without_head(model: PreTrainedModel) -> ModelError:
    return ModelError(
        f"{type(model).__name__}: its logits do not come from one output head at each position; give a model of another architecture"
    )
