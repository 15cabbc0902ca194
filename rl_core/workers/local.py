"""The workers of a training step in this process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rl_core.config.rl import RlConfig
from rl_core.model.pretrained import device, release_memory
from rl_core.rollout.engine import Completion, Request, Sampling
from rl_core.rollout.vllm_weights import Transfer, transfer_of
from rl_core.training.lora import kept_apart

if TYPE_CHECKING:
    from vllm.distributed.weight_transfer.base import TrainerWeightTransferEngine

    from rl_core.training.policy import Experience, StepSettings, TrainedStep
    from rl_core.training.sequences import TokenSequence
from rl_core.workers.build import make_engine, make_policy, memory_in_use
from rl_core.workers.interface import Models


class LocalWorkers:
    """All in this process, for tests and debugging."""

    def __init__(self, models: Models, config: RlConfig) -> None:
        transfer = transfer_of(config, gpus=device() == "cuda")
        self.policy = make_policy(models, config)
        release_memory()
        self.engine: Any = make_engine(models, config, transfer)
        self.tokenizer = self.engine.tokenizer
        self.apart = kept_apart(config) is not None  # then the weights under the adapters go to the engine once
        self.synced = False
        self.sender = None if transfer == "shared_memory" else self._sender(transfer, config.resources.tensor_parallel)

    def _sender(self, transfer: Transfer, devices: int) -> TrainerWeightTransferEngine[Any]:
        from rl_core.rollout.weight_sender import Engines, PolicyWeights, weight_sender

        def call_each(step: str, arguments: Sequence[dict[str, Any]]) -> None:
            self.engine.transfer_step(step, *arguments)

        return weight_sender(transfer, Engines(call_each, 1, devices), PolicyWeights(self.policy.engine_weights, self.engine.form))

    def generate(self, requests: list[Request], sampling: Sampling) -> Iterator[tuple[int, list[Completion]]]:
        """See `Workers.generate`."""
        return self.engine.generate(requests, sampling)

    def train(self, experiences: Sequence[Experience], settings: StepSettings) -> TrainedStep:
        """See `Workers.train`."""
        self.engine.sleep()
        trained = self.policy.train(experiences, settings)
        release_memory()
        return trained

    def log_probs(self, sequences: Sequence[TokenSequence], temperature: float) -> list[list[float]]:
        """See `Workers.log_probs`."""
        return self.policy.log_probs(sequences, temperature)

    def sync(self) -> None:
        """See `Workers.sync`."""
        self.engine.wake()
        if not (self.apart and self.synced):
            if self.sender:
                self.sender.send_weights()
            else:
                self.engine.update_weights(self.policy.weights())
            self.synced = True
        if self.apart:
            self.engine.update_weights(self.policy.adapters())

    def save(self, directory: Path) -> None:
        """See `Workers.save`."""
        self.policy.save(directory)

    def memory(self) -> dict[str, float]:
        """See `Workers.memory`."""
        return {f"{kind}/process": value for kind, value in memory_in_use().items()}

    def close(self) -> None:
        """Nothing outlives the process."""
