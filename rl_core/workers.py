"""The three workers of a training step - rollout engine, scoring pool, policy - in this process or as Ray actors.

The controller (`trainer.py`) sees one interface. On Ray each worker is an actor of its own: the classes are the same, results too.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from rl_core.config import Resources, RlConfig
from rl_core.rewards.pool import ScoreItem, ScoringPool
from rl_core.rewards.reward import Score
from rl_core.rollout.engine import Completion, Request, Sampling
from rl_core.training.journal import Stopped, StopRequest

if TYPE_CHECKING:
    from rl_core.training.policy import Experience, StepSettings, TrainedStep

START_TIMEOUT = 180.0  # seconds for actors to be placed and models to be loaded


class Workers(Protocol):
    """What the controller asks for in a step."""

    def generate(self, requests: list[Request], sampling: Sampling) -> list[list[Completion]]:
        """Sample responses with the weights of the last sync."""

    def score(self, items: list[ScoreItem], components: dict[str, float]) -> list[Score]:
        """Verify and reward responses."""

    def train(self, experiences: Sequence[Experience], settings: StepSettings) -> TrainedStep:
        """Update the policy."""

    def sync(self) -> None:
        """Bring the policy's weights to the engine."""

    def save(self, directory: Path) -> None:
        """Write model, tokenizer and optimizer."""

    def close(self) -> None:
        """Free everything."""


def start_workers(checkpoint: str, config: RlConfig, reference: str | None, optimizer: Path | None, stop: StopRequest) -> Workers:
    """Load the models from `checkpoint`; continue the optimizer saved in `optimizer`."""
    kind = RayWorkers if config.resources.ray else LocalWorkers
    return kind(checkpoint, config, reference, optimizer, stop)


def make_engine(checkpoint: str, config: RlConfig) -> Any:
    """The rollout engine of a recipe."""
    from rl_core.rollout.transformers_engine import TransformersEngine

    use_threads(config.resources)
    return TransformersEngine(checkpoint)


def make_policy(checkpoint: str, config: RlConfig, reference: str | None, optimizer: Path | None) -> Any:
    """The policy of a recipe."""
    from rl_core.training.policy import Policy

    use_threads(config.resources)
    policy = Policy(checkpoint, config, reference)
    if optimizer:
        policy.load_optimizer(optimizer)
    return policy


def use_threads(resources: Resources) -> None:
    """Ray gives an actor one thread; rollout and training take turns, so each may use every core."""
    import torch

    torch.set_num_threads(resources.threads or len(os.sched_getaffinity(0)))


class LocalWorkers:
    """All in this process, for tests and debugging."""

    def __init__(self, checkpoint: str, config: RlConfig, reference: str | None, optimizer: Path | None, stop: StopRequest) -> None:
        self.engine = make_engine(checkpoint, config)
        self.policy = make_policy(checkpoint, config, reference, optimizer)
        self.pool = ScoringPool(config.resources.scoring_workers, config.scoring_deadline)
        self.generate: Callable[..., list[list[Completion]]] = self.engine.generate
        self.score: Callable[..., list[Score]] = self.pool.score
        self.train: Callable[..., TrainedStep] = self.policy.train
        self.save: Callable[[Path], None] = self.policy.save

    def sync(self) -> None:
        """Bring the policy's weights to the engine."""
        self.engine.update_weights(self.policy.weights())

    def close(self) -> None:
        """Stop the scoring processes."""
        self.pool.close()


class RayWorkers:
    """One actor each, on a local Ray of this process or on a cluster."""

    def __init__(self, checkpoint: str, config: RlConfig, reference: str | None, optimizer: Path | None, stop: StopRequest) -> None:
        import ray

        self.ray: Any = ray
        self.stop = stop
        address = config.resources.cluster or os.environ.get("RAY_ADDRESS")
        # Telemetry and dashboard are off: nothing should listen or report that nobody asked for.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        ray.init(address=address, include_dashboard=None if address else False, log_to_driver=False, logging_level=logging.ERROR)
        stop.install()  # ray.init replaces the handler of SIGTERM
        gpu = {"num_gpus": 0.5} if ray.cluster_resources().get("GPU") else {"num_cpus": 1}
        resources = config.resources
        self.engine: Any = ray.remote(**gpu)(_Holder).remote(make_engine, checkpoint, config)
        self.policy: Any = ray.remote(**gpu)(_Holder).remote(make_policy, checkpoint, config, reference, optimizer)
        self.pool: Any = ray.remote(num_cpus=0)(_Holder).remote(ScoringPool, resources.scoring_workers, config.scoring_deadline)
        actors: list[Any] = [self.engine, self.policy, self.pool]
        ready = [actor.ready.remote() for actor in actors]
        _, missing = ray.wait(ready, num_returns=len(ready), timeout=START_TIMEOUT)
        if missing:
            raise RuntimeError(
                f"{len(missing)} of 3 Ray actors did not start within {START_TIMEOUT:.0f} s; the cluster has "
                f"{ray.cluster_resources()}, free {ray.available_resources()}"
            )
        ray.get(ready)

    def generate(self, requests: list[Request], sampling: Sampling) -> list[list[Completion]]:
        """Sample responses; a request to stop abandons them."""
        return self._unless_stopped(self.engine.call.remote("generate", requests, sampling))

    def score(self, items: list[ScoreItem], components: dict[str, float]) -> list[Score]:
        """Verify and reward responses; a request to stop abandons them."""
        return self._unless_stopped(self.pool.call.remote("score", items, components))

    def train(self, experiences: Sequence[Experience], settings: StepSettings) -> TrainedStep:
        """Update the policy. Always runs to its end: half an update cannot be checkpointed."""
        return self.ray.get(self.policy.call.remote("train", experiences, settings))

    def sync(self) -> None:
        """Hand the weights from actor to actor through Ray's object store."""
        self.ray.get(self.engine.call.remote("update_weights", self.policy.call.remote("weights")))

    def save(self, directory: Path) -> None:
        """Write model, tokenizer and optimizer; on a cluster the directory must be on shared storage."""
        self.ray.get(self.policy.call.remote("save", directory))

    def close(self) -> None:
        """End the actors, and the local Ray with them."""
        self.ray.shutdown()

    def _unless_stopped(self, reference: Any) -> Any:
        while True:
            done, _ = self.ray.wait([reference], timeout=0.5)
            if done:
                return self.ray.get(reference)
            if self.stop.requested:
                raise Stopped


class _Holder:
    """Actor body: makes a worker in the actor's process and calls its methods."""

    def __init__(self, make: Callable[..., Any], *args: Any) -> None:
        self.worker = make(*args)

    def ready(self) -> bool:
        return True

    def call(self, method: str, *args: Any, **kwargs: Any) -> Any:
        return getattr(self.worker, method)(*args, **kwargs)
