"""The workers as Ray actors, on a local Ray of this process or on a cluster."""

from __future__ import annotations

import gc
import logging
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from rl_core.config.rl import RlConfig
from rl_core.errors import InputError, first_line
from rl_core.model.pretrained import release_memory, spare_scikit_learn
from rl_core.rollout.description import Transfer
from rl_core.rollout.engine import Completion, Request, Sampling
from rl_core.rollout.engines import ENGINES
from rl_core.rollout.vllm_weights import Form, transfer_of
from rl_core.training.journal import Stopped, StopRequest
from rl_core.training.lora import kept_apart
from rl_core.workers.build import make_engine, make_policy, memory_in_use
from rl_core.workers.interface import Models, WorkerLost
from rl_core.workers.local_ray import on_loopback
from rl_core.workers.placement import check_paths, here, layout, meeting_point, reserve, show_devices
from rl_core.workers.ray_sessions import mark_sessions, remove_dead_sessions, remove_session, session_folder

if TYPE_CHECKING:
    from rl_core.training.policy import Experience, StepSettings, TrainedStep
    from rl_core.training.sequences import TokenSequence

DEATH_SHOWS = 60.0  # seconds until Ray knows of a worker whose node is lost
CLOSING = 5.0  # seconds that engines have to end by themselves; one in the middle of its responses does not hear of it
ENGINE_RESTARTS = 3  # of one engine within one call of `generate`


class RayWorkers:
    """One actor for each training process and each engine, placed in the order of nodes and devices."""

    gpus: ClassVar[bool | None] = None  # found at the first start: a cluster that lost its GPUs is waited for, not done without

    def __init__(self, models: Models, config: RlConfig, stop: StopRequest) -> None:
        import ray

        self.ray: Any = ray
        self.models, self.config, self.stop = models, config, stop
        # What the engines run, in Ray's object store: for one that has to be started again.
        self.weights: Any = None
        self.adapters: Any = None
        self.engines: list[Any] = []
        self.connected: list[Any] = []  # engines that the training processes send weights to, from device to device
        resources = config.resources
        address = resources.cluster or os.environ.get("RAY_ADDRESS")
        self.on_cluster = bool(address)
        # Telemetry and dashboard are off: nothing listens or reports without being wanted.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        remove_dead_sessions()
        local: dict[str, Any] = {}
        if not address:  # on a cluster of our own, workers that the machine has too few cores for take turns
            wanted = sum(int(bundle["CPU"]) for bundle in layout(resources, gpus=False).bundles)
            local = {"include_dashboard": False, "num_cpus": max(len(os.sched_getaffinity(0)), wanted)}
            mark_sessions()
        with nullcontext() if address else on_loopback():
            # Without an address Ray would join whatever cluster was last started on this machine.
            ray.init(address=address or "local", log_to_driver=False, logging_level=logging.ERROR, **local)
        self.session = None if address else session_folder()
        stop.install()  # ray.init replaces the handler of SIGTERM
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    def _start(self) -> None:
        resources = self.config.resources
        if RayWorkers.gpus is None:
            RayWorkers.gpus = bool(self.ray.cluster_resources().get("GPU"))
        self.layout = layout(resources, gpus=RayWorkers.gpus)
        self.transfer = transfer_of(self.config, gpus=self.layout.device == "GPU")
        self.group = reserve(self.layout, resources.start_timeout, wait_for_nodes=self.on_cluster)
        if self.on_cluster:
            check_paths(self.group, self.models.files)
        trainers = [self._actor(bundle, 1) for bundle in range(resources.training_workers)]
        places = self._all("start", [actor.run.remote(here) for actor in trainers])
        # Ray numbers bundles as it likes; neighbours in rank should be neighbours on the machine.
        self.trainers = [trainers[index] for index in sorted(range(len(trainers)), key=lambda index: places[index])]
        self.places = sorted(places)
        if len(self.trainers) > 1:
            address = self.ray.get(self.trainers[0].run.remote(meeting_point))
            size, timeout = len(self.trainers), resources.start_timeout
            self._all("reach each other", [actor.join.remote(rank, size, address, timeout) for rank, actor in enumerate(self.trainers)])
        loading = [actor.make.remote(make_policy, self.models, self.config) for actor in self.trainers]
        if self._share_gpus:  # vLLM measures what is free as it starts
            self._all("load the policy", loading)
            self._release_memory()
        started = [self._engine(number) for number in range(resources.rollout_workers)]
        self.engines = [engine for engine, _ in started]
        self._all("load the policy", loading)
        self._all("load the engine", [loaded for _, loaded in started])
        self.tokenizer = self.ray.get(self.engines[0].attribute.remote("tokenizer"))

    def _actor(self, bundle: int, devices: int) -> Any:
        from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

        amount = {"num_gpus": devices, "num_cpus": 0} if self.layout.device == "GPU" else {"num_cpus": devices}
        placed = PlacementGroupSchedulingStrategy(self.group, placement_group_bundle_index=bundle)
        return self.ray.remote(scheduling_strategy=placed, **amount)(_Actor).remote()

    def _engine(self, number: int) -> tuple[Any, Any]:
        """An actor with the engine of that number, and what it returns once that is loaded."""
        actor = self._actor(self.layout.engines[number], self.layout.devices_per_engine)
        width = self.config.resources.tensor_parallel
        beside = self.places[number * width : (number + 1) * width]
        if self.layout.device == "GPU" and not self.layout.devices_per_engine:
            if len({node for node, _ in beside}) > 1:
                raise RuntimeError(
                    f"engine {number}: its {width} devices are on several nodes; lower tensor_parallel or add devices per node"
                )
            actor.run.remote(show_devices, [device for _, devices in beside for device in devices])
        return actor, actor.make.remote(make_engine, self.models, self.config, self.transfer)

    def _all(self, what: str, references: list[Any], late_is: type[RuntimeError] = RuntimeError) -> list[Any]:
        """Results of all actors.

        Raises `late_is` if some did not come in time.
        """
        timeout = self.config.resources.start_timeout
        _, missing = self.ray.wait(references, num_returns=len(references), timeout=timeout)
        if missing:
            late = [index for index, reference in enumerate(references) if reference in missing]
            there, free = self.ray.cluster_resources(), self.ray.available_resources()
            has = ", ".join(f"{there[name]:.0f} {name} ({free.get(name, 0):.0f} free)" for name in ("CPU", "GPU") if there.get(name))
            raise late_is(
                f"workers {late} of {len(references)} did not {what} within {timeout:.0f} s: ask for fewer, or give them longer "
                f"(resources.start_timeout); the cluster has {has}"
            )
        return self._get(references)

    def generate(self, requests: list[Request], sampling: Sampling) -> Iterator[tuple[int, list[Completion]]]:
        """See `Workers.generate`. An engine that dies is started again and gets what it had not answered; a request to stop ends it all."""
        open_: dict[int, list[int]] = {number: list(range(number, len(requests), len(self.engines))) for number in range(len(self.engines))}
        answered: set[int] = set()
        deaths: Counter[int] = Counter()
        streams = {self._stream(number, requests, indices, sampling): number for number, indices in open_.items() if indices}
        while streams:
            ready, _ = self.ray.wait(list(streams), timeout=0.5)
            if self.stop.requested:
                raise Stopped
            for stream in ready:
                number = streams[stream]
                try:
                    position, completions = self.ray.get(next(stream))
                except StopIteration:
                    del streams[stream]
                except self.ray.exceptions.RayActorError as error:
                    del streams[stream]
                    deaths[number] += 1
                    if deaths[number] > ENGINE_RESTARTS:
                        raise WorkerLost(f"engine {number} died {deaths[number]} times in one step: {first_line(error)}") from error
                    self._restart_engine(number)
                    open_[number] = [index for index in open_[number] if index not in answered]
                    streams[self._stream(number, requests, open_[number], sampling)] = number
                except self.ray.exceptions.RayTaskError as error:
                    raise _own(error) from None
                else:
                    index = open_[number][position]
                    answered.add(index)
                    yield index, completions

    def _stream(self, number: int, requests: list[Request], indices: list[int], sampling: Sampling) -> Any:
        own = [requests[index] for index in indices]
        return self.engines[number].stream.options(num_returns="streaming").remote(own, sampling)

    def _restart_engine(self, number: int) -> None:
        if self.transfer == "nccl":
            raise WorkerLost(f"engine {number} died, and with it the group over which weights are sent")
        print(f"warning: engine {number} died; it is started again and repeats what it had not finished", flush=True)
        self.engines[number], loaded = self._engine(number)
        self._all("load the engine", [loaded])
        if self.transfer == "ipc":
            self._send([self.engines[number]])
        for weights in (self.weights, self.adapters):
            if weights is not None:
                self.ray.get(self.engines[number].call.remote("update_weights", weights))

    def train(self, experiences: Sequence[Experience], settings: StepSettings) -> TrainedStep:
        """See `Workers.train`. Always runs to its end: half an update cannot be checkpointed."""
        if self._take_turns:
            self._get([engine.call.remote("sleep") for engine in self.engines])
        shared = self.ray.put(experiences)
        trained: TrainedStep = self._of_trainers("train", shared, settings)[0]
        if self._share_gpus:
            self._release_memory()
        return trained

    @property
    def _share_gpus(self) -> bool:
        return self._take_turns and self.layout.device == "GPU"

    def _release_memory(self) -> None:
        self._get([actor.run.remote(release_memory) for actor in self.trainers])

    @property
    def _take_turns(self) -> bool:
        """Engines give way while the policy trains; not so if they sample the next step's responses meanwhile."""
        return self.config.resources.placement == "colocated" and not self.config.asynchronous

    def log_probs(self, sequences: Sequence[TokenSequence], temperature: float) -> list[list[float]]:
        return self._of_trainers("log_probs", sequences, temperature)[0]

    def sync(self) -> None:
        """Hand the weights to all engines: from device to device, or from the first training process through Ray's object store.

        Adapters that are kept apart go through the object store; the weights under them do not change and go once.
        """
        if self._take_turns:
            self._get([engine.call.remote("wake") for engine in self.engines])
        if self.adapters is None:
            if self.transfer == "shared_memory":
                self.weights = self._hand_over("weights")
            else:
                self._send(self.engines)
        if kept_apart(self.config):
            self.adapters = self._hand_over("adapters")

    def _hand_over(self, what: Literal["weights", "adapters"]) -> Any:
        """Give the engines what the first training process has of the policy; returns the reference to it."""
        references = [actor.call.remote(what) for actor in self.trainers]
        self._get(references[1:])
        self._get([engine.call.remote("update_weights", references[0]) for engine in self.engines])
        return references[0]

    def _send(self, engines: list[Any]) -> None:
        """Let the training processes bring their weights to engines on GPUs.

        Raises WorkerLost if it was not done in time. Over NCCL who waits for one that died does so for ever.
        """
        if self.connected != engines:
            self.connected = []
            address = self.ray.get(self.trainers[0].run.remote(meeting_point))
            form = self.ray.get(engines[0].attribute.remote("form"))
            to = self.transfer, engines, self.config.resources.tensor_parallel, form, address
            self._all("meet the engines", [actor.meet.remote(*to) for actor in self.trainers], WorkerLost)
            self.connected = list(engines)
        self._all("bring the weights to the engines", [actor.send.remote() for actor in self.trainers], WorkerLost)

    def save(self, directory: Path) -> None:
        """See `Workers.save`; on a cluster the directory must be on shared storage."""
        self._of_trainers("save", directory)

    def memory(self) -> dict[str, float]:
        actors = {f"policy-{rank}": actor for rank, actor in enumerate(self.trainers)}
        actors |= {f"engine-{number}": actor for number, actor in enumerate(self.engines)}
        found = self._get([actor.memory.remote() for actor in actors.values()])
        return {f"{kind}/{name}": value for name, used in zip(actors, found, strict=True) for kind, value in used.items()}

    def close(self) -> None:
        """End the actors, and the local Ray with them; first by themselves those engines of which something would stay."""
        if closing := [engine.close.remote() for engine in self.engines if ENGINES[self.config.engine].outlives]:
            self.ray.wait(closing, num_returns=len(closing), timeout=CLOSING)
        self.ray.shutdown()
        if self.session:
            remove_session(self.session)

    def _of_trainers(self, method: str, *args: Any) -> list[Any]:
        return self._get([actor.call.remote(method, *args) for actor in self.trainers])

    def _get(self, references: list[Any]) -> list[Any]:
        try:
            return self.ray.get(references)
        except self.ray.exceptions.RayActorError as error:
            raise WorkerLost(f"a worker died: {first_line(error)}") from error
        except self.ray.exceptions.RayTaskError as error:
            # Who loses a partner in a sum fails at once; that the partner is dead, Ray may find out later.
            finished, _ = self.ray.wait(references, num_returns=len(references), timeout=DEATH_SHOWS)
            for reference in finished:
                try:
                    self.ray.get(reference)
                except self.ray.exceptions.RayActorError as death:
                    raise WorkerLost(f"a worker died: {first_line(death)}") from error
                except self.ray.exceptions.RayTaskError:
                    continue
            raise _own(error) from None


def _own(error: Any) -> Exception:
    """What a worker raised: an error of the input as it is, for Ray's has the worker's traceback as its message."""
    return error.cause if isinstance(error.cause, InputError) else error


def _call_each(engines: list[Any], step: str, arguments: Sequence[dict[str, Any]]) -> None:
    import ray

    ray.get([engine.call.remote("transfer_step", step, own) for engine, own in zip(engines, arguments, strict=True)])


class _Actor:
    """Makes a worker in the actor's process and calls its methods."""

    def __init__(self) -> None:
        self.worker: Any = None
        self.group: Any = None
        self.sender: Any = None

    def run(self, function: Callable[..., Any], *args: Any) -> Any:
        return function(*args)

    def join(self, rank: int, size: int, address: str, timeout: float) -> None:
        from rl_core.training.backends.collective import join

        self.group = join(rank, size, address, timeout)

    def make(self, make: Callable[..., Any], *args: Any) -> None:
        gc.set_threshold(50_000)  # as in `run_job`
        spare_scikit_learn()
        self.worker = make(*args, self.group) if self.group else make(*args)

    def meet(self, transfer: Transfer, engines: list[Any], devices: int, form: Form, address: str) -> None:
        """Connect this training process with engines, see `weight_sender`."""
        from rl_core.rollout.weight_sender import Engines, PolicyWeights, weight_sender

        client = Engines(partial(_call_each, engines), len(engines), devices)
        weights = PolicyWeights(self.worker.engine_weights, form)
        self.sender = weight_sender(transfer, client, weights, rank=self.group.rank if self.group else 0, address=address)

    def send(self) -> None:
        self.sender.send_weights()

    def attribute(self, name: str) -> Any:
        return getattr(self.worker, name)

    def call(self, method: str, *args: Any) -> Any:
        return getattr(self.worker, method)(*args)

    def stream(self, requests: list[Request], sampling: Sampling) -> Iterator[Any]:
        yield from self.worker.generate(requests, sampling)

    def memory(self) -> dict[str, float]:
        return memory_in_use()

    def close(self) -> None:
        if self.worker:
            self.worker.close()
