"""What a rollout engine is: prompts in, sampled responses with their log-probabilities out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from rl_core.errors import InputError

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Request:
    """One prompt and how many responses to draw for it."""

    prompt_token_ids: list[int]
    samples: int
    seed: int  # with the sample's index, determines its random numbers
    first: int = 0  # index of the first of the samples, where earlier ones were drawn before


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn. Only evaluations set `top_p`: with it the policy that samples is not the policy that is trained."""

    temperature: float  # 0: greedy
    max_tokens: int
    top_p: float = 1.0  # tokens are drawn from the most probable ones that have this share together
    stop: tuple[str, ...] = ()  # texts that end a response; they stay in it


@dataclass(frozen=True)
class Completion:
    """One response."""

    token_ids: list[int]  # ends with the end token if `finish_reason` is stop, unless a stop text ended it
    logprobs: list[float]  # of each token under softmax(logits / temperature), cut off by top_p; temperature 1 for greedy
    finish_reason: Literal["stop", "length"]
    by_text: bool = False  # a stop text ended it


class RolloutEngine(Protocol):
    """Generates responses with weights that can be replaced between calls."""

    tokenizer: Any

    def generate(self, requests: list[Request], sampling: Sampling) -> Iterator[tuple[int, list[Completion]]]:
        """The index of each request with its responses, in the order of their samples, as soon as all of them are finished."""

    def update_weights(self, weights: dict[str, torch.Tensor]) -> None:
        """Replace the weights; names as in the model's state dict, tied copies left out."""

    def sleep(self) -> None:
        """Free what device memory can be freed until `wake`: the trainer needs it."""

    def wake(self) -> None:
        """Be ready for `update_weights` and `generate` again. Without a `sleep` before, nothing happens."""

    def close(self) -> None:
        """Remove what would outlive the process."""


def at_stop_text(tokenizer: Any, token_ids: list[int], stop: tuple[str, ...]) -> bool:
    """Whether the end of a response holds one of the texts that end it; looks at the last few tokens only."""
    if not stop:
        return False
    tail = tokenizer.decode(token_ids[-max(len(text.encode()) for text in stop) - 4 :], skip_special_tokens=False)
    return any(text in tail for text in stop)


def check_context(requests: list[Request], sampling: Sampling, context: int | None) -> None:
    """Raises InputError if a prompt and a response of the longest kind do not fit the model's context together."""
    for request in requests:
        if context and len(request.prompt_token_ids) + sampling.max_tokens > context:
            raise InputError(
                f"a prompt of {len(request.prompt_token_ids)} tokens and a response of {sampling.max_tokens} exceed the model's "
                f"context of {context}; lower max_tokens or drop the prompt"
            )


def generate_all(engine: RolloutEngine, requests: list[Request], sampling: Sampling) -> list[list[Completion]]:
    """Responses in the order of the requests."""
    found = dict(engine.generate(requests, sampling))
    return [found[index] for index in range(len(requests))]
