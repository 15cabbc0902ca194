"""The workers of a training step - engines that sample, processes that train - in this process or as Ray actors.

The controller (`trainer.py`) sees one interface. On Ray each worker is an actor of its own (`ray_workers.py`): the classes are the same,
results too.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from rl_core.config.resources import Resources
from rl_core.config.rl import RlConfig
from rl_core.model.precision import dtype_of
from rl_core.model.pretrained import device, release_memory
from rl_core.rollout.engine import Completion, Request, RolloutEngine, Sampling
from rl_core.rollout.vllm_weights import Transfer, transfer_of
from rl_core.training.journal import StopRequest
from rl_core.training.lora import kept_apart

if TYPE_CHECKING:
    from vllm.distributed.weight_transfer.base import TrainerWeightTransferEngine

    from rl_core.training.backends.collective import TrainingGroup
    from rl_core.training.policy import Experience, Policy, StepSettings, TrainedStep
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
    """What the controller asks for in a step."""

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


def start_workers(models: Models, config: RlConfig, stop: StopRequest) -> Workers:
    """Place the workers and load their models.

    Raises:
        InputError: the settings ask for more than there is.
        RuntimeError: workers did not start in time, or do not reach each other.
    """
    if config.resources.ray:
        from rl_core.workers.on_ray import RayWorkers

        return RayWorkers(models, config, stop)
    return LocalWorkers(models, config)


def make_engine(models: Models, config: RlConfig, transfer: Transfer) -> RolloutEngine:
    """The rollout engine of a recipe. It has the policy's weights only after the first sync, which brings them by `transfer` to vLLM."""
    use_threads(config.resources)
    dtype, lora = dtype_of(config.precision), kept_apart(config)
    if config.engine == "vllm":
        from rl_core.rollout.vllm_engine import VllmEngine

        return VllmEngine(
            models.start,
            tensor_parallel=config.resources.tensor_parallel,
            memory_share=config.resources.engine_memory,
            dtype=dtype,
            longest=models.longest,
            transfer=transfer,
            lora=lora,
        )
    from rl_core.rollout.transformers_engine import TransformersEngine

    return TransformersEngine(models.start, dtype=dtype, lora=lora)


def make_policy(models: Models, config: RlConfig, group: TrainingGroup | None = None) -> Policy:
    """The policy of a recipe."""
    from rl_core.training.policy import Policy

    use_threads(config.resources)
    return Policy(models.start, config, models.reference, resumed=models.resumed, group=group, seed=models.seed)


def use_threads(resources: Resources) -> None:
    """Ray gives an actor one thread; rollout and training take turns, so each may use every core."""
    import torch

    torch.set_num_threads(resources.threads or len(os.sched_getaffinity(0)))


def memory_in_use() -> dict[str, float]:
    """Resident bytes of this process, and what it has taken of its GPU."""
    import psutil
    import torch

    found = {"memory": float(psutil.Process().memory_info().rss)}
    return found | ({"gpu_memory": float(torch.cuda.max_memory_allocated())} if torch.cuda.is_available() else {})


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
