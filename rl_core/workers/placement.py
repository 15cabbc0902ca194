"""Where the workers of an RL stage go: Ray placement groups in the order of nodes and devices, and errors instead of waiting for ever."""

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rl_core.config.resources import RlResources
from rl_core.errors import InputError


@dataclass(frozen=True)
class Layout:
    """What each worker needs, as Ray bundles: one per trainer, then one per engine that has devices of its own."""

    bundles: list[dict[str, float]]
    device: str  # GPU or CPU
    engines: list[int]  # bundle of each engine
    devices_per_engine: int  # 0: those of the trainers beside it


def layout(resources: RlResources, *, gpus: bool) -> Layout:
    """Bundles for the workers of a stage. Raises InputError if engines shall share the trainers' devices, of which there are too few."""
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


def lacking(wanted: Layout, present: dict[str, float]) -> str | None:
    """What a cluster would need more of, ever to hold a layout."""
    needed: Counter[str] = Counter()
    for bundle in wanted.bundles:
        needed.update({name: int(amount) for name, amount in bundle.items()})
    for name, amount in needed.items():
        if present.get(name, 0) < amount:
            return f"resources: the workers need {amount} {name}, the Ray cluster has {present.get(name, 0):.0f}"
    return None


def reserve(wanted: Layout, timeout: float, *, wait_for_nodes: bool) -> Any:
    """A Ray placement group of the layout's bundles.

    Args:
        wait_for_nodes: the cluster may grow, or replace a node that it lost: what it lacks is waited for, too.

    Raises:
        InputError: the cluster is too small, and stays so for `timeout` seconds.
        RuntimeError: not to be had within `timeout` seconds; the message says what is free.
    """
    import ray
    from ray.util.placement_group import placement_group, remove_placement_group

    remedy = "ask for fewer workers or add nodes"
    missing = lacking(wanted, ray.cluster_resources())
    if missing and not wait_for_nodes:
        raise InputError(f"{missing}; {remedy}")
    if missing:
        print(f"warning: {missing}; waiting up to {timeout:.0f} s for more nodes", flush=True)
    group = placement_group(wanted.bundles, strategy="PACK")
    if not group.wait(timeout):
        remove_placement_group(group)
        if missing := lacking(wanted, ray.cluster_resources()):
            raise InputError(f"{missing}; {remedy}")
        free = {name: ray.available_resources().get(name, 0) for name in ("CPU", "GPU")}
        raise RuntimeError(
            f"no room for {len(wanted.bundles)} workers within {timeout:.0f} s: wanted {wanted.bundles}, free {free}; "
            "something else holds the rest, or a node cannot hold a whole bundle"
        )
    return group


def check_paths(group: Any, paths: list[Path]) -> None:
    """Whether all nodes of a placement group see the files of a stage. Raises InputError if one does not."""
    import ray
    from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

    def unseen() -> tuple[str, list[Path]]:
        return ray.util.get_node_ip_address(), [path for path in paths if not path.exists()]

    bundles = [PlacementGroupSchedulingStrategy(group, placement_group_bundle_index=index) for index in range(group.bundle_count)]
    for node, missing in ray.get([ray.remote(num_cpus=0, scheduling_strategy=bundle)(unseen).remote() for bundle in bundles]):
        if missing:
            raise InputError(f"{missing[0]} cannot be read on node {node}: keep the workspace on storage that all nodes mount at this path")


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
