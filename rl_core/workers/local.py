"""The workers of a training step in this process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rl_core.config.rl import RlConfig
from rl_core.model.pretrained import device, release_memory
from rl_core.rollout.engine import Completion, Request, Sampling
from rl_core.rollout.vllm_weights import transfer_of
from rl_core.training.lora import kept_apart

if TYPE_CHECKING:
    from vllm.distributed.weight_transfer.base import TrainerWeightTransferEngine

    from rl_core.training.policy import Experience, StepSettings, TrainedStep
    from rl_core.training.sequences import TokenSequence
from rl_core.workers.build import make_engine, make_policy, memory_in_use
from rl_core.workers.interface import Models


class LocalWorkers:
    """`Workers` in this process, for tests and debugging."""

    def __init__(self, models: Models, config: RlConfig) -> None:
        transfer = transfer_of(config, gpus=device() == "cuda")
        self.policy = make_policy(models, config)
        release_memory()
        self.engine: Any = make_engine(models, config, transfer)
        self.tokenizer = self.engine.tokenizer
        self.apart = kept_apart(config) is not None  # then the weights under the adapters go to the engine once
        self.synced = False
        self.sender: TrainerWeightTransferEngine[Any] | None = None
        if transfer != "shared_memory":
            from rl_core.rollout.weight_sender import Engines, PolicyWeights, weight_sender

            engine: Any = self.engine
            client = Engines(lambda step, arguments: engine.transfer_step(step, *arguments), 1, config.resources.tensor_parallel)
            self.sender = weight_sender(transfer, client, PolicyWeights(self.policy.engine_weights, engine.form))

    def generate(self, requests: list[Request], sampling: Sampling) -> Iterator[tuple[int, list[Completion]]]:
        return self.engine.generate(requests, sampling)

    def train(self, experiences: Sequence[Experience], settings: StepSettings) -> TrainedStep:
        self.engine.sleep()
        trained = self.policy.train(experiences, settings)
        release_memory()
        return trained

    def log_probs(self, sequences: Sequence[TokenSequence], temperature: float) -> list[list[float]]:
        return self.policy.log_probs(sequences, temperature)

    def sync(self) -> None:
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
        self.policy.save(directory)

    def memory(self) -> dict[str, float]:
        return {f"{kind}/process": value for kind, value in memory_in_use().items()}

    def close(self) -> None:
        """Nothing outlives the process."""
