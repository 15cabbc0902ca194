"""Token sequences and the padded micro-batches made of them."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

# Widths of batches are multiples of it. On a CPU oneDNN compiles and keeps a kernel for every shape: with few shapes a model of 1 M
# parameters trained 1.5 times as fast in half the memory.
WIDTH_STEP = 32


@dataclass(frozen=True)
class TokenSequence:
    """A prompt and the response that is trained on."""

    prompt: list[int]
    response: list[int]

    def __len__(self) -> int:
        return len(self.prompt) + len(self.response)


@dataclass(frozen=True)
class PaddedBatch:
    """Right-padded sequences. Causal attention needs no padding mask: a real token never sees the padding after it, whatever it is."""

    indices: list[int]  # positions of the rows in the list the batch was cut from
    tokens_BT: torch.Tensor  # long
    response_mask_BT: torch.Tensor  # bool, over tokens_BT[:, 1:]: the predicted token belongs to the response


def micro_batches(sequences: Sequence[TokenSequence], tokens_per_batch: int) -> Iterator[PaddedBatch]:
    """Cut sequences, sorted by length, into batches of at most `tokens_per_batch` padded tokens (at least one sequence each)."""
    order = sorted(range(len(sequences)), key=lambda index: len(sequences[index]), reverse=True)
    while order:
        width = math.ceil(len(sequences[order[0]]) / WIDTH_STEP) * WIDTH_STEP
        rows = max(1, tokens_per_batch // width)
        indices, order = order[:rows], order[rows:]
        tokens_BT = torch.zeros((len(indices), width), dtype=torch.long)
        mask_BT = torch.zeros((len(indices), width - 1), dtype=torch.bool)
        for row, sequence in enumerate(sequences[index] for index in indices):
            tokens_BT[row, : len(sequence)] = torch.tensor(sequence.prompt + sequence.response)
            mask_BT[row, len(sequence.prompt) - 1 : len(sequence) - 1] = True
        yield PaddedBatch(indices, tokens_BT, mask_BT)


def filler_batch() -> PaddedBatch:
    """A batch without rows of its own: processes that share a model must make equally many passes."""
    mask_BT = torch.zeros((1, WIDTH_STEP - 1), dtype=torch.bool)
    mask_BT[0, 0] = True
    return PaddedBatch([], torch.zeros((1, WIDTH_STEP), dtype=torch.long), mask_BT)
