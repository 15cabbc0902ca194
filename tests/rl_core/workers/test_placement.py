from __future__ import annotations

import pytest

from rl_core.config.resources import RlResources
from rl_core.errors import InputError
from rl_core.workers.placement import lacking, layout


def test_engines_beside_trainers_take_no_devices_of_their_own() -> None:
    found = layout(RlResources(training_workers=4, rollout_workers=2, tensor_parallel=2), gpus=True)
    assert found.bundles == [{"GPU": 1.0, "CPU": 1.0}] * 4
    assert (found.engines, found.devices_per_engine) == ([0, 2], 0)


def test_separate_engines_come_after_the_trainers_with_their_devices() -> None:
    found = layout(RlResources(training_workers=2, rollout_workers=2, tensor_parallel=4, placement="separate"), gpus=True)
    assert found.bundles == [{"GPU": 1.0, "CPU": 1.0}] * 2 + [{"GPU": 4.0, "CPU": 1.0}] * 2
    assert (found.engines, found.devices_per_engine) == ([2, 3], 4)


def test_on_cpus_engines_may_outnumber_trainers() -> None:
    found = layout(RlResources(rollout_workers=3), gpus=False)
    assert (found.bundles, found.engines) == ([{"CPU": 1.0}], [0, 0, 0])


@pytest.mark.follows("raise training_workers to {}, or set placement: separate")
def test_what_cannot_be_placed_is_said_before_anything_starts() -> None:
    with pytest.raises(InputError, match=r"2 engines of 2 devices do not fit beside 3 training workers; raise training_workers to 4"):
        layout(RlResources(training_workers=3, rollout_workers=2, tensor_parallel=2), gpus=True)
    layout(RlResources(training_workers=4, rollout_workers=2, tensor_parallel=2), gpus=True)
    layout(RlResources(training_workers=3, rollout_workers=2, tensor_parallel=2, placement="separate"), gpus=True)
    wanted = layout(RlResources(training_workers=8), gpus=True)
    assert lacking(wanted, {"GPU": 2.0, "CPU": 64.0}) == "resources: the workers need 8 GPU, the Ray cluster has 2"
    assert lacking(wanted, {"GPU": 8.0, "CPU": 8.0}) is None


def test_a_cluster_for_a_stage_without_ray_is_refused() -> None:
    with pytest.raises(ValueError, match="`cluster` has no effect with `ray: false`"):
        RlResources(ray=False, cluster="http://head:8265")
