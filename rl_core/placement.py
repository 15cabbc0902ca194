"""Where the workers of an RL stage go: Ray placement groups in the order of nodes and devices, and errors instead of waiting for ever."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from typing import Any

from rl_core.config import RlResources
from rl_core.errors import InputError


@dataclass(frozen=True)
class Layout:
    """What each worker needs, as Ray bundles: one per trainer, then one per engine that has devices of its own."""

    bundles: list[dict[str, float]]
    device: str  # GPU or CPU
    engines: list[int]  # bundle of each engine
    devices_per_engine: int  # 0: those of the trainers beside it


def layout(resources: RlResources, *, gpus: bool) -> Layout:
    """Bundles for the workers of a stage.

    Raises:
        InputError: engines shall share the trainers' devices, of which there are too few.
    """
    device = "GPU" if gpus else "CPU"
    trainers, engines, width = resources.training_workers, resources.rollout_workers, resources.tensor_parallel
    one = {device: 1.0} | ({"CPU": 1.0} if gpus else {})
    bundles = [dict(one) for _ in range(trainers)]
    if resources.placement == "separate":
        own = {device: float(width)} | ({"CPU": 1.0} if gpus else {})
        return Layout(bundles + [dict(own) for _ in range(engines)], device, list(range(trainers, trainers + engines)), width)
    if gpus and engines * width > trainers:
        raise InputError(
            f"resources: {engines} engines of {width} devices do not fit beside {trainers} training workers; raise training_workers to "
            f"{engines * width}, or set placement: separate"
        )
    return Layout(bundles, device, [engine * width % trainers for engine in range(engines)], 0)


def check_resources(wanted: Layout, present: dict[str, float]) -> None:
    """Whether a cluster can ever hold a layout.

    Raises:
        InputError: naming what is missing.
    """
    needed: Counter[str] = Counter()
    for bundle in wanted.bundles:
        needed.update({name: int(amount) for name, amount in bundle.items()})
    for name, amount in needed.items():
        if present.get(name, 0) < amount:
            raise InputError(
                f"resources: the workers need {amount} {name}, the Ray cluster has {present.get(name, 0):.0f}; ask for fewer workers "
                "or add nodes"
            )


def reserve(wanted: Layout, timeout: float) -> Any:
    """A Ray placement group of the layout's bundles.

    Raises:
        RuntimeError: not to be had within `timeout` seconds; the message says what is free.
    """
    import ray
    from ray.util.placement_group import placement_group, remove_placement_group

    group = placement_group(wanted.bundles, strategy="PACK")
    if not group.wait(timeout):
        remove_placement_group(group)
        free = {name: ray.available_resources().get(name, 0) for name in ("CPU", "GPU")}
        raise RuntimeError(
            f"no room for {len(wanted.bundles)} workers within {timeout:.0f} s: wanted {wanted.bundles}, free {free}; "
            "something else holds the rest, or a node cannot hold a whole bundle"
        )
    return group


def here() -> tuple[str, list[int]]:
    """Node and devices of the actor that calls."""
    import ray

    return ray.get_runtime_context().get_node_id(), [int(number) for number in ray.get_gpu_ids()]


def meeting_point() -> str:
    """host:port at which processes on other nodes reach the one that calls."""
    import socket

    import ray

    with socket.socket() as probe:
        probe.bind(("", 0))
        return f"{ray.util.get_node_ip_address()}:{probe.getsockname()[1]}"


def show_devices(numbers: list[int]) -> None:
    """Let this process see given devices, before it touches any."""
    os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(map(str, numbers))
