"""A model's own logits, at the positions that are asked for, all at once or a part at a time."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from transformers import PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPast

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
    with _head_input(model, lambda hidden_NH: hidden_NH[positions_M]):
        logits: torch.Tensor = model(**inputs).logits
    if logits.shape[:2] != (1, len(positions_M)):
        raise _without_head(model)
    return logits[0]


def hidden_at(model: PreTrainedModel, positions_M: torch.Tensor, **inputs: Any) -> torch.Tensor:
    """What the output head of the model's own forward pass gets at the positions (M, H), differentiable: for `logits_of`.

    Raises ModelError if the model has no output head that sees every position once.
    """
    found: list[torch.Tensor] = []

    def take(hidden_NH: torch.Tensor) -> torch.Tensor:
        found.append(hidden_NH[positions_M])
        return hidden_NH[:1]  # the logits of this pass are not used

    with _head_input(model, take):
        logits: torch.Tensor = model(**inputs).logits
    if len(found) != 1 or logits.shape[:2] != (1, 1):
        raise _without_head(model)
    return found[0]


class _Decoded(BaseModelOutputWithPast):
    """A decoder's output that has nothing but hidden states; what some architectures look for beside them (routers' logits) is None."""

    def __getattr__(self, name: str) -> None:
        if name.startswith("__"):
            raise AttributeError(name)


def logits_of(model: PreTrainedModel, hidden_CH: torch.Tensor) -> torch.Tensor:
    """Logits (C, V) of the model's own code after its decoder, for what `hidden_at` gave of some positions."""
    decoder = model.get_decoder()
    own = decoder.__dict__.get("forward")
    decoder.forward = lambda *_, **__: _Decoded(last_hidden_state=hidden_CH[None])  # type: ignore[arg-type]
    try:
        logits: torch.Tensor = model(input_ids=hidden_CH.new_zeros((1, 1), dtype=torch.long), use_cache=False).logits
    finally:
        del decoder.forward
        if own is not None:
            decoder.forward = own
    return logits[0]


@contextmanager
def _head_input(model: PreTrainedModel, change: Callable[[torch.Tensor], torch.Tensor]) -> Iterator[None]:
    """While it is open, the output head gets `change` of its rows, as a batch of one sequence."""
    head = model.get_output_embeddings()
    if head is None:
        raise _without_head(model)

    def hook(_: torch.nn.Module, arguments: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        hidden_BTH, *others = arguments
        return (change(hidden_BTH.flatten(0, -2))[None], *others)

    handle = head.register_forward_pre_hook(hook)
    try:
        yield
    finally:
        handle.remove()


def _without_head(model: PreTrainedModel) -> ModelError:
    return ModelError(
        f"{type(model).__name__}: its logits do not come from one output head at each position; give a model of another architecture"
    )
