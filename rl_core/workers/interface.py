"""What the workers of a training step offer, wherever they run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from rl_core.rollout.engine import Completion, Request, Sampling

if TYPE_CHECKING:
    from rl_core.training.policy import Experience, StepSettings, TrainedStep
    from rl_core.training.sequences import TokenSequence


@dataclass(frozen=True)
class Models:
    """Which models the workers load."""

    start: str  # the checkpoint that the stage began with
    resumed: Path | None  # the checkpoint of this stage to go on from
    reference: str | None  # of the KL term
    seed: int
    output: Path  # where checkpoints are written
    longest: int | None = None  # tokens of a prompt and its response together; default: what the model takes

    @property
    def files(self) -> list[Path]:
        """What every worker must see."""
        named = (self.output, self.start, self.resumed, self.reference)
        return [Path(name) for name in named if name and Path(name).exists()]  # a model may be that of a hub


class WorkerLost(RuntimeError):
    """A worker that holds state died; training can go on from the last checkpoint."""


class Workers(Protocol):
    """What the controller calls in a step."""

    tokenizer: Any

    def generate(self, requests: list[Request], sampling: Sampling) -> Iterator[tuple[int, list[Completion]]]:
        """See `RolloutEngine.generate`: with the weights of the last sync."""

    def train(self, experiences: Sequence[Experience], settings: StepSettings) -> TrainedStep:
        """Update the policy."""

    def log_probs(self, sequences: Sequence[TokenSequence], temperature: float) -> list[list[float]]:
        """What the policy as it is thinks of given responses."""

    def sync(self) -> None:
        """Bring the policy's weights to the engines."""

    def save(self, directory: Path) -> None:
        """Write model, tokenizer and optimizer."""

    def memory(self) -> dict[str, float]:
        """Bytes in use, by worker."""

    def close(self) -> None:
        """Free everything."""
