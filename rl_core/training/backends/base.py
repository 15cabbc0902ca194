"""What a training backend is: one model and its optimizer, in this process or spread over a group of them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

import torch
from transformers import PreTrainedModel

from rl_core.config.resources import TOKENS_PER_BATCH_CPU, TOKENS_PER_BATCH_GPU
from rl_core.training.backends.collective import TrainingGroup
from rl_core.training.sequences import PaddedBatch, TokenSequence, filler_batch, micro_batches

P = ParamSpec("P")
R = TypeVar("R")
Loss = Callable[[PaddedBatch], torch.Tensor]


class TrainingBackend(Protocol):
    """Calls on a group are made by all of its processes."""

    model: PreTrainedModel
    group: TrainingGroup
    tokens_per_batch: int

    def run(self, function: Callable[Concatenate[PreTrainedModel, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """`function(model, …)` in the backend's precision."""

    def update(self, batches: Sequence[PaddedBatch], loss: Loss, *, learning_rate: float) -> float:
        """One optimizer step on the sum of `loss` over the batches of all processes; returns the gradient norm.

        Losses are weighted by the step's global counts, so the gradient does not depend on how the rows were cut into batches or shared
        between processes. A gradient that is not finite skips the step; the returned norm then is not finite either.
        """

    def weights(self, wanted: Callable[[str], bool] = lambda _: True) -> Iterator[tuple[str, torch.Tensor]]:
        """The state dict weight by weight, each whole and on every process, tied copies and names that are not wanted left out."""

    def optimizer_state(self) -> dict[str, torch.Tensor]:
        """The optimizer's moments by `parameter name|moment`, on the CPU; empty on processes other than the first."""

    def load_optimizer_state(self, state: dict[str, torch.Tensor]) -> None:
        """Go on with what `optimizer_state` gave, whatever the number of processes was then."""


def on_first(group: TrainingGroup, weights: Iterable[tuple[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """Weights on the CPU; empty on processes other than the first, which go through them too: it takes all to gather one."""
    return {name: tensor.cpu() for name, tensor in weights if group.rank == 0}


def default_tokens_per_batch() -> int:
    """On a CPU small batches stay in its cache: 2,048 tokens ran 1.8 times as fast as 16,384 on a model of 3 M parameters."""
    return TOKENS_PER_BATCH_GPU if torch.cuda.is_available() else TOKENS_PER_BATCH_CPU


def by_response(
    backend: TrainingBackend, sequences: Sequence[TokenSequence], forward: Callable[[PaddedBatch], torch.Tensor]
) -> list[torch.Tensor]:
    """What `forward` says of the response tokens of a batch (N,), per response on the CPU, without gradients; on every process for all."""
    group = backend.group
    own = group.share(sequences)
    batches = list(micro_batches([sequences[index] for index in own], backend.tokens_per_batch))
    spare = group.largest(len(batches)) - len(batches)  # first: with sharded weights the passes themselves are collective
    found: dict[int, torch.Tensor] = {}
    with torch.no_grad():
        for batch in batches:
            indices = [own[row] for row in batch.indices]
            rows = forward(batch).cpu().split([len(sequences[index].response) for index in indices])
            found |= zip(indices, rows, strict=True)
        for _ in range(spare):
            forward(filler_batch())
    merged: dict[int, torch.Tensor] = {}
    for part in group.gather(found):
        merged |= part
    return [merged[index] for index in range(len(sequences))]


def trainable(model: PreTrainedModel) -> list[tuple[str, torch.nn.Parameter]]:
    """Parameters that are trained, with their names."""
    return [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]


def decay_groups(parameters: Sequence[torch.nn.Parameter], weight_decay: float) -> list[dict[str, Any]]:
    """Optimizer groups: matrices decay, vectors do not."""
    return [
        {"params": [parameter for parameter in parameters if parameter.ndim > 1], "weight_decay": weight_decay},
        {"params": [parameter for parameter in parameters if parameter.ndim <= 1], "weight_decay": 0.0},
    ]
